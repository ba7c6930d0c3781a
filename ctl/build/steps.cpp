#include "ctl/build/steps.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "common/base/files.h"
#include "common/base/process.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

// What a program may print is kept in memory, but never all of a flood.
constexpr std::size_t kMostOutput = 16U << 20;
constexpr std::size_t kShownLines = 20;
constexpr std::size_t kReasonLines = 10;
// For a program that was told to end.
constexpr int kPatienceMs = 5'000;

// What ties a git program to another repository than the one it runs in: set where we were called
// from a hook.
bool TiesGit(const std::string& name) {
  static constexpr std::array<const char*, 9> kNames{
      "GIT_DIR",        "GIT_WORK_TREE",        "GIT_INDEX_FILE",
      "GIT_PREFIX",     "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
      "GIT_COMMON_DIR", "GIT_NAMESPACE",        "GIT_QUARANTINE_PATH"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

std::vector<std::string> EnvironmentOf(const Step& step) {
  Environment environment = OwnEnvironment();
  for (auto each = environment.begin(); each != environment.end();) {
    each = TiesGit(each->first) ? environment.erase(each) : std::next(each);
  }
  for (const auto& [name, value] : step.environment) environment[name] = value;
  return ToBlock(environment);
}

std::string ReadBack(int fd) {
  const off_t size = ::lseek(fd, 0, SEEK_END);
  if (size <= 0) return {};
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(size), kMostOutput);
  std::string text(count, '\0');
  const ssize_t got = ::pread(fd, text.data(), count, size - static_cast<off_t>(count));
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string& line : Split(text, '\n')) {
    if (!Trim(line).empty()) lines.push_back(Printable(line));
  }
  return lines;
}

std::vector<std::string> LinesToShow(const Step& step, const std::string& printed,
                                     const std::string& complained) {
  std::vector<std::string> lines = Lines(complained);
  if (step.begins_with_reason && !lines.empty()) {
    std::erase_if(lines, [](const std::string& line) {
      return StartsWith(line, "npm warn ") || StartsWith(line, "npm WARN ");
    });
    lines.resize(std::min(lines.size(), kReasonLines));
    return lines;
  }
  std::vector<std::string> all = Lines(printed);
  all.insert(all.end(), lines.begin(), lines.end());
  if (all.size() > kShownLines) {
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(kShownLines));
  }
  return all;
}

// Until it has ended; what interrupts us is passed on.
int WaitForEnd(const UniqueFd& process, Interrupts& interrupts) {
  while (true) {
    std::array<pollfd, 2> entries{{{process.get(), POLLIN, 0}, {interrupts.fd(), POLLIN, 0}}};
    if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) break;
    if (entries[0].revents != 0) break;
    if (entries[1].revents == 0) continue;
    const int signal = interrupts.caught();
    SignalProcess(process, signal);
    if (!HasEnded(process, kPatienceMs)) SignalProcess(process, SIGKILL);
    break;
  }
  HasEnded(process, -1);
  return Reap(process).value_or(0);
}

}  // namespace

std::string Shown(const Words& command) {
  Words words;
  for (const std::string& word : command) {
    words.push_back(word.find_first_of(" '\"") == std::string::npos ? word : "\"" + word + "\"");
  }
  return Printable(Join(words, " "));
}

void Steps::Say(const std::string& line) const {
  if (!quiet_) Print(line + "\n");
}

Result<std::string> Steps::Run(const Step& step) {
  const std::string what = "`" + Shown(step.command) + "`";
  if (step.told) Say("Running " + what);
  output_.clear();
  if (interrupts_.caught() != 0) return Error{ErrorCode::kCancelled, "interrupted"};
  const char* path = std::getenv("PATH");
  auto program = FindProgram(step.command[0], path != nullptr ? path : "/usr/bin:/bin");
  if (!program) {
    return Error{ErrorCode::kNotFound,
                 what + " cannot be run: " + program.error().message + ", and this needs it"};
  }
  const UniqueFd printed(::memfd_create("slc-output", MFD_CLOEXEC));
  const UniqueFd complained(::memfd_create("slc-errors", MFD_CLOEXEC));
  if (!printed || !complained) return SystemError("keep what a program prints", errno);
  UniqueFd in;
  UniqueFd feeding;
  if (step.feed) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return SystemError("make a pipe", errno);
    in.reset(ends[0]);
    feeding.reset(ends[1]);
  }
  SpawnOptions options;
  options.program = *program;
  options.arguments = step.command;
  options.environment = EnvironmentOf(step);
  options.working_directory = step.folder;
  options.new_session = false;
  options.descriptors = {{step.output >= 0 ? step.output : printed.get(), STDOUT_FILENO},
                         {complained.get(), STDERR_FILENO}};
  if (in) options.descriptors.emplace_back(in.get(), STDIN_FILENO);
  auto process = Spawn(options);
  if (!process) return process.error();
  in.reset();
  Status fed = Ok();
  if (step.feed) {
    fed = step.feed(feeding.get());
    feeding.reset();
  }
  const int status = WaitForEnd(process->pidfd, interrupts_);
  std::string text = ReadBack(printed.get());
  if (interrupts_.caught() != 0) return Error{ErrorCode::kCancelled, "interrupted"};
  if (status != 0) {
    output_ = LinesToShow(step, text, ReadBack(complained.get()));
    std::string message = what + ": " + DescribeWaitStatus(status);
    if (!step.advice.empty()) message += "; " + step.advice;
    return Error{ErrorCode::kSystem, std::move(message)};
  }
  if (!fed) return fed.error();
  return text;
}

bool Steps::Try(Step step) {
  step.told = false;
  return Run(step).ok();
}

}  // namespace slc::ctl
