#include "daemon/log_readers.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "common/base/environment.h"
#include "common/base/files.h"
#include "common/base/process.h"

namespace slc {
namespace {

bool IsVerbOfControl(PrintedLook look) {
  return look == PrintedLook::kStatus || look == PrintedLook::kLogDump ||
         look == PrintedLook::kPackages;
}

// What slc is told on its command line.
std::vector<std::string> WordsOf(const PrintLook& request, const std::string& socket) {
  std::vector<std::string> words;
  if (IsVerbOfControl(request.look)) words.emplace_back("ctl");
  words.emplace_back(Name(request.look));
  words.push_back("--control=" + socket);
  if (request.json) words.emplace_back("--json");
  if (request.follow) words.emplace_back("--follow");
  if (request.wide) words.emplace_back("--wide");
  if (request.errors_only) words.emplace_back("--err");
  if (request.last) words.push_back("--lines=" + std::to_string(*request.last));
  if (!request.since.empty()) words.push_back("--since=" + request.since);
  if (!request.grep.empty()) words.push_back("--grep=" + request.grep);
  words.emplace_back("--");
  if (!request.service.empty()) words.push_back(request.service);
  if (request.depth) words.push_back(std::to_string(*request.depth));
  return words;
}

}  // namespace

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

Result<std::vector<UniqueFd>> LogReaders::Start(const PrintLook& request) {
  auto output = MakePipe();
  auto complaints = MakePipe();
  auto exit_code = MakePipe();
  for (const auto* pipe : {&output, &complaints, &exit_code}) {
    if (!*pipe) return pipe->error();
  }
  Status spawned = Spawn(WordsOf(request, socket_), output->writer, complaints->writer,
                         std::move(exit_code->writer));
  if (!spawned) return spawned.error();
  std::vector<UniqueFd> readers;
  for (auto* pipe : {&output, &complaints, &exit_code}) {
    readers.push_back(std::move((*pipe)->reader));
  }
  return readers;
}

Result<LogReaders::Pipe> LogReaders::MakePipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("make a pipe", errno);
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  ::fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

Result<UniqueFd> LogReaders::Run(std::vector<std::string> words) {
  auto pipe = MakePipe();
  if (!pipe) return pipe.error();
  // What it complains about is for who reads, too.
  Status spawned = Spawn(std::move(words), pipe->writer, pipe->writer, UniqueFd());
  if (!spawned) return spawned.error();
  return std::move(pipe->reader);
}

Status LogReaders::Spawn(std::vector<std::string> words, const UniqueFd& output,
                         const UniqueFd& complaints, UniqueFd exit_code) {
  if (children_.size() >= kMost) {
    return Error{ErrorCode::kConflict, std::to_string(kMost) +
                                           " logs are being read already; end one of them, or "
                                           "read here: slc logs"};
  }
  SpawnOptions options;
  options.program = program_();
  options.arguments = {"slc"};
  options.arguments.insert(options.arguments.end(), words.begin(), words.end());
  options.environment = SanitizerOptions();
  options.environment.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
  options.environment.emplace_back("LANG=C.UTF-8");
  options.environment.push_back("SLC_HOME=" + home_);
  options.descriptors = {{output.get(), STDOUT_FILENO}, {complaints.get(), STDERR_FILENO}};
  options.working_directory = "/";
  auto spawned = slc::Spawn(options);
  if (!spawned) return spawned.error();
  const int pid = spawned->identity.pid;
  Child& child = children_[pid];
  child.process = std::move(*spawned);
  child.exit_code = std::move(exit_code);
  child.end = std::make_unique<uv::Poll>(loop_, child.process.pidfd.get(),
                                         [this, pid](uv::Poll::Ready) { OnEnded(pid); });
  child.end->Watch(true, false);
  return Ok();
}

void LogReaders::OnEnded(int pid) {
  const auto found = children_.find(pid);
  const auto status = Reap(found->second.process.pidfd);
  // Its Poll is what calls us: it goes when we return.
  const Child child = std::move(found->second);
  children_.erase(found);
  if (child.exit_code && status && WIFEXITED(*status)) {
    // There is room for it. Who asked may have left.
    static_cast<void>(WriteAll(child.exit_code.get(), std::to_string(WEXITSTATUS(*status))));
  }
  reap_();
}

}  // namespace slc
