// LogReaders: has logs, the journal, the packages of an app and what else lies in files read for
// those who may not open them or are on another machine, by slc in a child: slcd's loop waits for
// no disk, and nothing of what is read goes through slcd. Who gets the output reads it at his own
// pace; the child ends when there is no more, or nobody reads any more.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/spawn.h"
#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/wire/messages.h"

namespace slc {

class LogReaders {
 public:
  // At once: each is a process of some 5 MB.
  static constexpr std::size_t kMost = 64;

  // `program` gives the path of slc; `socket`: slcd's own. `reap` as in GatewayHost.
  LogReaders(uv::Loop& loop, std::string home, std::string socket,
             std::function<std::string()> program, std::function<void()> reap);
  ~LogReaders();
  LogReaders(const LogReaders&) = delete;
  LogReaders& operator=(const LogReaders&) = delete;

  // The end of a pipe to read from. kConflict: there are too many.
  Result<UniqueFd> Start(const ReadLogs& request);
  Result<UniqueFd> Start(const ReadEvents& request);
  Result<UniqueFd> Start(const DumpLogs& request);
  Result<UniqueFd> Start(const ListPackages& request);
  // Pipes of its standard output, its standard error and its exit code, see PrintLook.
  Result<std::vector<UniqueFd>> Start(const PrintLook& request);

  bool IsOurs(int pid) const { return children_.count(pid) > 0; }

 private:
  struct Child {
    Spawned process;
    std::unique_ptr<uv::Poll> end;
    UniqueFd exit_code;  // where it is told, if anybody wants to know
  };
  struct Pipe {
    UniqueFd reader;  // does not block
    UniqueFd writer;
  };
  static Result<Pipe> MakePipe();
  Result<UniqueFd> Run(std::vector<std::string> words);
  Status Spawn(std::vector<std::string> words, const UniqueFd& output, const UniqueFd& complaints,
               UniqueFd exit_code);
  void OnEnded(int pid);

  uv::Loop& loop_;
  const std::string home_;
  const std::string socket_;
  std::function<std::string()> program_;
  std::function<void()> reap_;
  std::map<int, Child> children_;
};

}  // namespace slc
