// slcd: the daemon. Started by slc, by systemd, or by a master that misses it.
//
//   slcd                    serves the home of SLC_HOME; exits 100 if another one does already,
//                           and 1 if that one should have ended and a disk does not let it.
//                           Started by systemd it exits 101 when it was shut down by a client
//   slcd --replace          the same, but one that does not answer for 10 s is ended first
//   slcd --run --run-spec FD   in the foreground with one service, read from FD (slc run)
//   slcd --inherit FD       goes on as the next image of a slcd, see common/wire/inheritance.h
//   slcd --gave-way DIR     as the version before the one in DIR, see previous_version.h
//   slcd --self-check       tells in JSON which version it is, if it could run
//   slcd --version
#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>

#include "common/base/environment.h"
#include "common/base/file_limit.h"
#include "common/base/files.h"
#include "common/base/home.h"
#include "common/base/installation.h"
#include "common/base/lock_holder.h"
#include "common/base/log.h"
#include "common/base/notify.h"
#include "common/base/process.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "common/base/version.h"
#include "common/uv/loop.h"
#include "common/wire/messages.h"
#include "common/wire/self_check.h"
#include "common/wire/snapshot_format.h"
#include "daemon/daemon.h"
#include "daemon/daemon_log.h"
#include "daemon/fd_store.h"
#include "daemon/previous_version.h"
#include "daemon/replacement.h"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;
constexpr int kHeldByAnother = 100;

struct Arguments {
  bool run = false;
  int run_spec = -1;
  bool replace = false;
  int inherit = -1;
  std::string gave_way;  // where the slcd is installed that has not held
  bool version = false;
  bool self_check = false;
  bool wrong = false;
};

Arguments ParseArguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--run") {
      arguments.run = true;
    } else if (argument == "--run-spec" && i + 1 < argc) {
      arguments.run_spec = static_cast<int>(slc::ParseInteger(argv[++i], 0, 1 << 20).value_or(-1));
    } else if (argument == "--replace") {
      arguments.replace = true;
    } else if (argument == "--inherit" && i + 1 < argc) {
      arguments.inherit = static_cast<int>(slc::ParseInteger(argv[++i], 0, 1 << 24).value_or(-1));
      arguments.wrong = arguments.wrong || arguments.inherit < 0;
    } else if (argument == "--gave-way" && i + 1 < argc) {
      arguments.gave_way = argv[++i];
    } else if (argument == "--version") {
      arguments.version = true;
    } else if (argument == "--self-check") {
      arguments.self_check = true;
    } else {
      arguments.wrong = true;
    }
  }
  arguments.wrong = arguments.wrong || arguments.run != (arguments.run_spec >= 0) ||
                    (arguments.run && arguments.replace);
  return arguments;
}

int Complain(const slc::Error& error) {
  std::fprintf(stderr, "slcd: %s\n", error.message.c_str());
  return kFailed;
}

std::optional<slc::Request> ReadRunSpec(int fd) {
  const slc::UniqueFd owned(fd);
  auto text = slc::ReadMemfd(fd);
  if (!text) return std::nullopt;
  auto request = slc::DecodeRequest(*text);
  if (!request || !std::holds_alternative<slc::StartService>(request->body)) return std::nullopt;
  return std::move(*request);
}

int CheckSelf() {
  const slc::uv::Loop loop;
  std::printf("%s\n", slc::EncodeSelfCheck(slc::DescribeSelf("slcd")).c_str());
  return std::fflush(stdout) == 0 ? 0 : kFailed;
}

// Cookies name the home by its device and inode: two homes on one machine must not take each
// other's processes for theirs, and a home may be reached by several paths.
std::string HomeKey(int home) {
  struct stat info {};
  ::fstat(home, &info);
  return std::to_string(info.st_dev) + "-" + std::to_string(info.st_ino);
}

// The lock of the home, which makes us its only slcd. `replaced`: who had to be ended for it.
slc::Result<slc::UniqueFd> TakeLock(const slc::HomePaths& paths, int run,
                                    const Arguments& arguments, bool kept, std::string& replaced) {
  const std::string self = slc::WriteLockHolder({slc::IdentifySelf(), kept});
  auto lock = slc::LockFileAt(run, slc::kDaemonLock, self);
  const auto taken = [&lock] { return !lock && lock.error().code == slc::ErrorCode::kConflict; };
  if (taken() && arguments.replace) {
    auto ended = slc::EndSilentDaemon(paths, lock.error().message);
    if (!ended && ended.error().code != slc::ErrorCode::kConflict) return ended.error();
    if (ended) replaced = *ended;
    lock = slc::LockFileAt(run, slc::kDaemonLock, self);
  }
  // Clients may start another one as fast as one leaves, but not for long.
  constexpr int kTries = 20;
  for (int i = 0; i < kTries && taken() && kept && !arguments.run; ++i) {
    auto ended = slc::EndUnkeptDaemon(lock.error().message);
    // It has not ended yet: whoever has started us is to try again, not to leave it at that.
    if (!ended && ended.error().code != slc::ErrorCode::kConflict) return ended.error();
    if (!ended) break;
    if (!ended->empty()) replaced = *ended;
    lock = slc::LockFileAt(run, slc::kDaemonLock, self);
  }
  return lock;
}

// Higher than that of every daemon of this home before, for masters obey none with a lower one.
// They do not outlive the boot, so the time since then serves, and a disk that takes nothing is no
// reason not to come up. To be taken under the lock: nobody else takes one in the same millisecond,
// since another process would first have to be started.
slc::Epoch TakeEpoch() { return static_cast<slc::Epoch>(slc::BootNow()); }

// What the last image of this process has left, if there was one.
struct Heritage {
  slc::Inheritance inheritance;
  std::optional<slc::DaemonFacts> facts;
};

slc::Result<Heritage> ReadHeritage(int manifest) {
  Heritage heritage;
  if (manifest < 0) return heritage;
  auto inheritance = slc::Inheritance::Receive(manifest);
  if (!inheritance) return inheritance.error();
  auto facts = slc::DecodeDaemonFacts(inheritance->facts());
  if (!facts) return facts.error();
  heritage.inheritance = std::move(*inheritance);
  heritage.facts = std::move(*facts);
  return heritage;
}

// `nofile`: the limit of open files that we were started with.
int Serve(const slc::HomePaths& paths, const Arguments& arguments, const rlimit& nofile,
          std::optional<slc::Request> run) {
  // A place for Place's inotify. The kernel closes what a killed process has from the highest
  // number down, and waits some 10 ms in closing an inotify: so it must not stand above the lock,
  // for which the next slcd waits. Nothing else has been opened yet.
  const slc::UniqueFd watch(::open("/", O_PATH | O_CLOEXEC));
  auto heritage = ReadHeritage(arguments.inherit);
  if (!heritage) return Complain(heritage.error());
  auto directories = slc::OpenHome(paths);
  if (!directories) return Complain(directories.error());
  const slc::Supervision supervision =
      slc::ReadSupervision(slc::OwnEnvironment(), static_cast<int>(::getpid()));
  // What systemd or a caller of ours looks after is nobody else's business.
  const bool kept = arguments.run || supervision.by_systemd;
  std::string replaced;
  slc::Result<slc::UniqueFd> lock = heritage->inheritance.Take(slc::kHeritageLock);
  if (!*lock) lock = TakeLock(paths, directories->run.get(), arguments, kept, replaced);
  if (!lock) {
    if (lock.error().code != slc::ErrorCode::kConflict) return Complain(lock.error());
    const auto holder = slc::ReadLockHolder(lock.error().message);
    std::fprintf(stderr, "slcd: another slcd (pid %s) serves %s\n",
                 holder ? std::to_string(holder->process.pid).c_str() : "unknown",
                 paths.home.c_str());
    return arguments.run ? kFailed : kHeldByAnother;
  }
  const bool on_trial = arguments.gave_way.empty() && !arguments.run;
  if (on_trial) {
    const slc::Status counted = slc::BeginTrial(paths.home, heritage->facts.has_value());
    if (!counted) std::fprintf(stderr, "slcd: %s\n", counted.error().message.c_str());
  }
  slc::DaemonOptions options;
  options.paths = paths;
  options.context.instances = directories->instances.get();
  options.context.epoch = heritage->facts ? heritage->facts->epoch : TakeEpoch();
  options.context.home = paths.home;
  options.context.logs = paths.home + "/logs";
  options.context.home_key = HomeKey(directories->home.get());
  const slc::Installation own{slc::OwnDirectory()};
  slc::PreviousVersion previous(paths.home, own);
  options.previous = &previous;
  options.gave_way = !arguments.gave_way.empty();
  options.replaced = replaced;
  options.context.installed = options.gave_way ? slc::Installation{arguments.gave_way} : own;
  options.context.daemon_program = options.context.installed.daemon();
  // A version that has given way is not to be trusted with masters either.
  const bool kept_master = options.gave_way && !previous.master().empty();
  options.context.master_program =
      kept_master ? previous.master() : options.context.installed.master();
  options.context.previous = &previous;
  options.context.nofile = nofile;
  options.context.core = slc::ForbidCoreDumps();
  options.context.revive = !kept;
  options.context.foreground = arguments.run;
  options.supervision = supervision;
  options.kept = slc::TakeFromSupervisor();
  options.run = std::move(run);
  options.lock = lock->get();
  options.watch = watch.get();
  options.inheritance = std::move(heritage->inheritance);
  options.before = std::move(heritage->facts);
  slc::uv::Loop loop;
  slc::FdStore fd_store(loop, supervision.by_systemd);
  options.context.fd_store = &fd_store;
  slc::Traces traces(options.context.home_key);
  options.context.traces = &traces;
  slc::DaemonLog log(loop, paths.home + "/logs", arguments.run);
  slc::log::SetSink(
      [&log](slc::log::Level level, const std::string& line) { log.Write(level, line); });
  slc::log::Info(std::string("slcd ") + slc::OwnVersion().text + " starts, home " + paths.home +
                 ", epoch " + std::to_string(options.context.epoch));
  if (!replaced.empty()) slc::log::Warn(replaced + "; this one takes its place");
  options.is_logged = [&log] { return log.idle(); };
  int code = 0;
  {
    slc::Daemon daemon(loop, std::move(*directories), std::move(options));
    slc::AcceptSignals();
    if (slc::Status begun = daemon.Begin(); !begun) {
      slc::log::Failure(begun.error().message);
      code = Complain(begun.error());
    } else {
      loop.Run();
      code = daemon.exit_code();
      const slc::Status left = on_trial ? slc::LeaveTrial(paths.home) : slc::Ok();
      if (!left) slc::log::Warn(left.error().message);
    }
  }
  slc::log::SetSink(nullptr);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  const rlimit nofile = slc::RaiseFileLimit();
  const Arguments arguments = ParseArguments(argc, argv);
  if (arguments.version) {
    std::printf("slcd %s\n", slc::OwnVersion().text);
    return 0;
  }
  if (arguments.wrong) {
    std::fprintf(stderr, "usage: slcd [--version]   (slc starts it when needed)\n");
    return kWrongUse;
  }
  if (arguments.self_check) return CheckSelf();
  auto paths = slc::LocateOwnHome();
  if (!paths) return Complain(paths.error());
  if (arguments.gave_way.empty() && !arguments.run) {
    // Whatever hinders it: as long as we can run ourselves, we should.
    const slc::Status stays = slc::GiveWayIfFailed(paths->home, arguments.replace);
    if (!stays) std::fprintf(stderr, "slcd: %s\n", stays.error().message.c_str());
  }
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, 128 * 1024);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  ::umask(077);
  // A version that another one has given way to is else called by the number of a descriptor.
  ::prctl(PR_SET_NAME, "slcd", 0, 0, 0);
  // Workers of a master that was killed become our children, so their exit status is not lost.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  std::optional<slc::Request> run;
  if (arguments.run) {
    run = ReadRunSpec(arguments.run_spec);
    if (!run)
      return Complain(slc::Error{slc::ErrorCode::kUsage, "--run-spec holds no start request"});
  }
  try {
    return Serve(*paths, arguments, nofile, std::move(run));
  } catch (const std::system_error& error) {
    // Of the threads that wait for the disk; whoever has started us says so, or tries again.
    return Complain(slc::SystemError("start a thread", error.code().value()));
  }
}
