#include "ctl/connect.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "common/base/files.h"
#include "common/base/process.h"
#include "common/base/safe_place.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "ctl/boot/systemd.h"
#include "ctl/local_channel.h"

namespace slc::ctl {
namespace {

// How long a new slcd may take until it answers.
constexpr Millis kStartTimeout = 10000;
// And how long one that replaces another: 10 s of asking, 5 s for the end of the other.
constexpr Millis kReplaceTimeout = 15000 + kStartTimeout;
// slcd's exit code when another one holds the lock of the home.
constexpr int kAnotherOneIsThere = 100;
constexpr const char* kOutputFile = "slcd.out";

std::vector<std::string>& Arguments() {
  static std::vector<std::string> arguments;
  return arguments;
}

// Single-quoted for a shell where needed.
std::string Quoted(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./=:,@%+").find(c) != std::string_view::npos;
  });
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

// The owner of `path`, or of the nearest folder above that we may see.
std::optional<uid_t> OwnerOf(std::string path) {
  struct stat info {};
  while (::stat(path.c_str(), &info) != 0) {
    if (errno != EACCES) return std::nullopt;
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos || slash == 0) return std::nullopt;
    path.resize(slash);
  }
  return info.st_uid;
}

// kPermission if the home is another user's. `to_start`: root may talk to anybody's slcd, but one
// that root starts would be root's.
Status CheckOwner(const HomePaths& paths, bool to_start) {
  const auto owner = OwnerOf(paths.home);
  const uid_t self = ::geteuid();
  if (!owner || *owner == self || (self == 0 && !to_start)) return Ok();
  std::string name = LookUpUser(*owner).name;
  if (name.empty()) name = "#" + std::to_string(*owner);
  const char* set = std::getenv("SLC_HOME");
  const bool named = set != nullptr && set[0] != '\0';
  return Error{ErrorCode::kPermission, "the home " + paths.home + " belongs to " + name +
                                           ", not to you; as that user: " +
                                           SudoCommand(name, named ? paths.home : "", Arguments())};
}

// An upgrade has brought a slcd that has not held yet: when it dies at once several times, it gives
// way to the one before.
bool IsOnTrial(const HomePaths& paths) {
  return ::access((paths.home + "/previous/trial.json").c_str(), F_OK) == 0;
}

struct Launch {
  Spawned process;
  UniqueFd output;    // what slcd says before it has a log
  off_t before = 0;   // its length until then
  std::string where;  // what it is called
  std::string no_room;
};

// Only what slcd says before it has a log ends up here, and yet it must not grow for ever. On a
// disk that takes nothing it is a memfd.
Result<Launch> OpenOutput(int logs, const std::string& path) {
  constexpr int kHow = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
  Launch launch;
  launch.where = ", see " + path;
  launch.output.reset(::openat(logs, kOutputFile, kHow | O_CREAT, 0600));
  const int reason = errno;
  if (!launch.output &&
      (reason == ENOSPC || reason == EROFS || reason == EDQUOT || reason == EIO)) {
    launch.output.reset(::memfd_create(kOutputFile, MFD_CLOEXEC));
    launch.where.clear();
  }
  if (!launch.output) return SystemError("open " + path, reason);
  struct stat info {};
  if (::fstat(launch.output.get(), &info) != 0) return SystemError("stat " + path, errno);
  constexpr off_t kMost = 1 << 20;
  if (info.st_size > kMost && ::ftruncate(launch.output.get(), 0) == 0) info.st_size = 0;
  launch.before = info.st_size;
  // slcd may be unable to say so.
  const std::string room = DescribeRoom(logs);
  if (!room.empty()) launch.no_room = "; where " + path + " is, " + room;
  return launch;
}

// Its last lines, if it said anything.
std::string LastWords(const Launch& launch) {
  struct stat info {};
  if (::fstat(launch.output.get(), &info) != 0) return {};
  constexpr off_t kMost = 4096;
  const off_t from = std::max(launch.before, info.st_size - kMost);
  if (info.st_size <= from) return {};
  std::string text(static_cast<std::size_t>(info.st_size - from), '\0');
  const ssize_t got = ::pread(launch.output.get(), text.data(), text.size(), from);
  if (got <= 0) return {};
  text.resize(static_cast<std::size_t>(got));
  std::vector<std::string> lines;
  for (const std::string& line : Split(text, '\n')) {
    if (!Trim(line).empty()) lines.push_back("  " + Printable(line));
  }
  constexpr std::size_t kLines = 10;
  if (lines.size() > kLines) lines.erase(lines.begin(), lines.end() - kLines);
  return "\n" + Join(lines, "\n");
}

// What is known of one that did not come up, to be put behind how that showed.
std::string Details(const Launch& launch) {
  return launch.no_room + launch.where + LastWords(launch);
}

Result<Launch> LaunchDaemon(const HomePaths& paths, std::vector<std::string> arguments) {
  auto program = DaemonProgram();
  if (!program) return program.error();
  if (Status safe = CheckSafePlace(paths.home); !safe) return safe.error();
  auto home = OpenPrivateDirectory(paths.home, true);
  if (!home) return home.error();
  auto logs = OpenPrivateDirectoryAt(home->get(), "logs", true);
  if (!logs) return logs.error().During(paths.home);
  auto launch = OpenOutput(logs->get(), paths.home + "/logs/" + kOutputFile);
  if (!launch) return launch;

  SpawnOptions options;
  options.program = *program;
  options.arguments = std::move(arguments);
  Environment environment = DaemonEnvironment(OwnEnvironment());
  // A relative SLC_HOME was meant from here; slcd runs in "/".
  if (environment.count("SLC_HOME") > 0) environment["SLC_HOME"] = paths.home;
  options.environment = ToBlock(environment);
  options.working_directory = "/";
  options.descriptors = {{launch->output.get(), 1}, {launch->output.get(), 2}};
  auto process = Spawn(options);
  if (!process) return process.error();
  launch->process = std::move(*process);
  return launch;
}

void Sleep(Millis span) { ::poll(nullptr, 0, static_cast<int>(span)); }

}  // namespace

void RememberArguments(std::vector<std::string> arguments) { Arguments() = std::move(arguments); }

Environment DaemonEnvironment(const Environment& own) {
  static const std::vector<std::string> kept{"PATH",   "HOME", "USER",   "LOGNAME",        "LANG",
                                             "LC_ALL", "TZ",   "TMPDIR", "XDG_RUNTIME_DIR"};
  Environment environment = TestVariables(own);
  for (const auto& [name, value] : own) {
    const bool ours = StartsWith(name, "SLC_") && name != kCookieVariable && name != "SLC_SLOT";
    if (ours || std::find(kept.begin(), kept.end(), name) != kept.end()) {
      environment[name] = value;
    }
  }
  return environment;
}

std::string SudoCommand(const std::string& user, const std::string& slc_home,
                        const std::vector<std::string>& arguments) {
  std::string command = "sudo -u " + Quoted(user);
  command += slc_home.empty() ? " -H slc" : " env SLC_HOME=" + Quoted(slc_home) + " slc";
  for (const std::string& argument : arguments) command += " " + Quoted(argument);
  return Printable(command);
}

Result<std::string> DaemonProgram() {
  std::string path = OwnDirectory() + "/slcd";
  if (::access(path.c_str(), X_OK) == 0) return path;
  return SystemError("the daemon " + path + " that belongs to this slc cannot be run", errno);
}

Daemon::Daemon(const std::string& socket, WhenAbsent when_absent) : when_absent_(when_absent) {
  if (!socket.empty()) {
    own_home_ = false;
    socket_ = socket;
    return;
  }
  auto located = LocateOwnHome();
  if (!located) {
    no_home_ = located.error();
    return;
  }
  paths_ = *located;
  socket_ = paths_.run + "/" + kDaemonSocket;
}

// Looking costs slcd nothing: it answers at once, or it is in trouble. After this it is asked for
// another 10 s by the one that is to replace it.
Millis Daemon::look_patience() const { return 3000; }

std::string Daemon::place() const { return own_home_ ? paths_.home : socket_; }

Result<std::unique_ptr<Channel>> Daemon::ConnectOnly() {
  if (no_home_) return *no_home_;
  auto client = ControlClient::Connect(socket_);
  if (client) return std::unique_ptr<Channel>(std::make_unique<LocalChannel>(std::move(*client)));
  if (!own_home_) return client.error().During("no slcd can be reached");
  if (Status owner = CheckOwner(paths_, false); !owner) return owner.error();
  struct stat home {};
  if (::stat(paths_.home.c_str(), &home) == 0 && !S_ISDIR(home.st_mode)) {
    return Error{ErrorCode::kInvalid,
                 "the home " + paths_.home + " is not a folder; SLC_HOME is to name one"};
  }
  if (client.error().code != ErrorCode::kUnreachable) return client.error();
  return std::unique_ptr<Channel>();
}

Result<std::unique_ptr<Channel>> Daemon::Connect() {
  auto there = ConnectOnly();
  if (!there || *there || !own_home_) return there;
  if (when_absent_ == WhenAbsent::kStartIfServices && !HomeHasServices(paths_)) return there;
  if (when_absent_ == WhenAbsent::kStartIfMasters && !HomeHasMasters(paths_)) return there;
  if (Status owner = CheckOwner(paths_, true); !owner) return owner.error();
  return Start();
}

Result<std::unique_ptr<Channel>> Daemon::Start() {
  const auto failed = [](const std::string& why) {
    return Error{ErrorCode::kUnreachable, "slcd could not be started: " + why};
  };
  // One that systemd starts is also started again by it. If that fails, why is found out below.
  const auto unit = SystemdRuns() ? FindUnit(paths_.home) : std::nullopt;
  if (unit && RunToEnd(StartCommand(*unit), true)) {
    auto client = ControlClient::Connect(socket_);
    if (client) return std::unique_ptr<Channel>(std::make_unique<LocalChannel>(std::move(*client)));
  }
  const std::string log = paths_.home + "/logs/" + kOutputFile;
  const Millis deadline = BootNow() + kStartTimeout;
  bool lost_race = false;
  std::optional<Millis> without_socket;
  while (BootNow() < deadline) {
    auto launch = LaunchDaemon(paths_, {"slcd"});
    if (!launch) {
      return launch.error().code == ErrorCode::kPermission ? launch.error()
                                                           : failed(launch.error().message);
    }
    lost_race = false;
    Millis again = deadline;
    for (Millis pause = 5; BootNow() < again; pause = std::min<Millis>(pause * 3 / 2, 100)) {
      // Whoever answers is the daemon of this home: ours, or that of another slc which was faster.
      auto client = ControlClient::Connect(socket_);
      if (client)
        return std::unique_ptr<Channel>(std::make_unique<LocalChannel>(std::move(*client)));
      if (lost_race) {
        if (auto lost = LostSocket(without_socket)) return *lost;
        Sleep(pause);
        if (HolderHasEnded()) break;
        continue;
      }
      if (!HasEnded(launch->process.pidfd, static_cast<int>(pause))) continue;
      const int status = Reap(launch->process.pidfd).value_or(0);
      lost_race = WIFEXITED(status) && WEXITSTATUS(status) == kAnotherOneIsThere;
      if (!lost_race && IsOnTrial(paths_)) {
        lost_race = true;
        constexpr Millis kPause = 20;
        again = BootNow() + kPause;
        continue;
      }
      if (!lost_race) {
        return failed(DescribeWaitStatus(status) + Details(*launch));
      }
      // The one that holds the lock may as well be about to leave: then it is our turn again. When
      // it has ended that is seen at once; this is for one whose name is not in the lock yet.
      constexpr Millis kPatience = 500;
      again = std::min(deadline, BootNow() + kPatience);
    }
    if (lost_race) continue;
    return failed("it did not answer within 10 s" + Details(*launch));
  }
  const auto holder = Holder();
  const std::string who = holder ? " (pid " + std::to_string(holder->process.pid) + ")" : "";
  return Error{ErrorCode::kUnreachable, "another slcd" + who + " holds the lock of " + paths_.home +
                                            " but did not answer within 10 s; " +
                                            Obstacle().value_or("see " + log)};
}

std::optional<Error> Daemon::LostSocket(std::optional<Millis>& since) const {
  // It makes a lost socket anew within a moment, and one that starts has it within a second: this
  // is for one that can do neither, as a slcd of a version before.
  constexpr Millis kPatience = 3000;
  const bool missing = ::access(socket_.c_str(), F_OK) != 0 && errno == ENOENT;
  if (!missing) since.reset();
  if (missing && !since) since = BootNow();
  const auto holder = Holder();
  const bool lost = since && BootNow() - *since >= kPatience && holder &&
                    OpenProcess(holder->process) && !Obstacle();
  if (!lost) return std::nullopt;
  const std::string pid = std::to_string(holder->process.pid);
  return Error{ErrorCode::kUnreachable,
               "slcd (pid " + pid + ") serves " + paths_.home + ", but its socket " + socket_ +
                   " was removed; `kill -9 " + pid +
                   "` does no harm: the services go on, and the next command starts another slcd"};
}

bool Daemon::HolderHasEnded() const {
  const auto holder = Holder();
  if (!holder) return false;
  const UniqueFd process = OpenProcess(holder->process);
  return !process || HasEnded(process, 0);
}

std::optional<LockHolder> Daemon::Holder() const {
  const auto text = ReadFile(paths_.run + "/" + kDaemonLock, 4096);
  return text ? ReadLockHolder(*text) : std::nullopt;
}

std::optional<std::string> Daemon::Obstacle() const {
  const auto holder = Holder();
  if (!holder || !OpenProcess(holder->process) || !HangsInKernel(holder->process.pid)) {
    return std::nullopt;
  }
  return "slcd (pid " + std::to_string(holder->process.pid) +
         ") waits for a disk or a device (state D), and nothing can end it before that answers; "
         "the services go on";
}

Status Daemon::Replace() {
  const auto failed = [](const std::string& why) {
    return Error{ErrorCode::kTimeout, "slcd does not answer and could not be replaced: " + why};
  };
  if (!own_home_) return failed("it is not known whose home " + socket_ + " is of");
  if (Status owner = CheckOwner(paths_, true); !owner) return owner.error();
  auto launch = LaunchDaemon(paths_, {"slcd", "--replace"});
  if (!launch) return failed(launch.error().message);
  constexpr int kPause = 50;
  const Millis deadline = BootNow() + kReplaceTimeout;
  while (!HasEnded(launch->process.pidfd, kPause)) {
    // Not asked before it has the lock: each connection takes a place in the queue of the other.
    const auto holder = Holder();
    const bool ours = holder && holder->process == launch->process.identity;
    if (ours && ControlClient::Connect(socket_)) return Ok();
    if (BootNow() < deadline) continue;
    return failed(Obstacle().value_or("the new one did not answer either" + launch->where));
  }
  const int status = Reap(launch->process.pidfd).value_or(0);
  // It answers again, or somebody else was quicker.
  if (WIFEXITED(status) && WEXITSTATUS(status) == kAnotherOneIsThere) return Ok();
  return failed(DescribeWaitStatus(status) + Details(*launch));
}

}  // namespace slc::ctl
