#include "daemon/log_readers.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "common/base/environment.h"
#include "common/base/process.h"

namespace slc {

LogReaders::LogReaders(uv::Loop& loop, std::string home, std::string socket,
                       std::function<std::string()> program, std::function<void()> reap)
    : loop_(loop),
      home_(std::move(home)),
      socket_(std::move(socket)),
      program_(std::move(program)),
      reap_(std::move(reap)) {}

// They end by themselves: their readers see the end of slcd, and they the end of their readers.
LogReaders::~LogReaders() = default;

Result<UniqueFd> LogReaders::Start(const ReadLogs& request) {
  std::vector<std::string> words{"logs", "--control=" + socket_, "--json"};
  if (request.follow) words.emplace_back("--follow");
  if (request.last) words.push_back("--lines=" + std::to_string(*request.last));
  if (!request.since.empty()) words.push_back("--since=" + request.since);
  if (!request.grep.empty()) words.push_back("--grep=" + request.grep);
  if (request.errors_only) words.emplace_back("--err");
  if (!request.service.empty()) words.insert(words.end(), {"--", request.service});
  return Run(std::move(words));
}

Result<UniqueFd> LogReaders::Start(const ReadEvents& request) {
  std::vector<std::string> words{"events", "--control=" + socket_, "--json"};
  if (request.follow) words.emplace_back("--follow");
  if (request.last) words.push_back("--lines=" + std::to_string(*request.last));
  if (!request.service.empty()) words.insert(words.end(), {"--", request.service});
  return Run(std::move(words));
}

Result<UniqueFd> LogReaders::Start(const DumpLogs& request) {
  return Run({"ctl", "--control=" + socket_, "log-dump", "--", request.service});
}

Result<UniqueFd> LogReaders::Start(const ListPackages& request) {
  return Run({"ctl", "--control=" + socket_, "npmls", "--json", "--", request.service});
}

Result<UniqueFd> LogReaders::Run(std::vector<std::string> words) {
  if (children_.size() >= kMost) {
    return Error{ErrorCode::kConflict, std::to_string(kMost) +
                                           " logs are being read already; end one of them, or "
                                           "read here: slc logs"};
  }
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("make a pipe", errno);
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  SpawnOptions options;
  options.program = program_();
  options.arguments = {"slc"};
  options.arguments.insert(options.arguments.end(), words.begin(), words.end());
  options.environment = SanitizerOptions();
  options.environment.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
  options.environment.emplace_back("LANG=C.UTF-8");
  options.environment.push_back("SLC_HOME=" + home_);
  // What it complains about is for who reads, too.
  options.descriptors = {{theirs.get(), STDOUT_FILENO}, {theirs.get(), STDERR_FILENO}};
  options.working_directory = "/";
  auto spawned = Spawn(options);
  if (!spawned) return spawned.error();
  const int pid = spawned->identity.pid;
  Child& child = children_[pid];
  child.process = std::move(*spawned);
  child.end = std::make_unique<uv::Poll>(loop_, child.process.pidfd.get(),
                                         [this, pid](uv::Poll::Ready) { OnEnded(pid); });
  child.end->Watch(true, false);
  return ours;
}

void LogReaders::OnEnded(int pid) {
  const auto found = children_.find(pid);
  static_cast<void>(Reap(found->second.process.pidfd));
  // Its Poll is what calls us: it goes when we return.
  const Child child = std::move(found->second);
  children_.erase(found);
  reap_();
}

}  // namespace slc
