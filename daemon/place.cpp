#include "daemon/place.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/backoff.h"
#include "common/base/files.h"
#include "common/base/lock_holder.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/wire/control_server.h"

namespace slc {
namespace {

constexpr Millis kTryAgain = 50;
constexpr Millis kLongestPause = 1000;

// The descriptor `number` is the same as `made` from now on.
Status Replace(int number, const UniqueFd& made) {
  if (::dup3(made.get(), number, O_CLOEXEC) < 0) return SystemError("replace a descriptor", errno);
  return Ok();
}

bool IsSame(const FileId& there, int fd) {
  const auto open = IdentifyFile(fd);
  return open && *open == there;
}

// What it makes, for people.
std::string Tell(PlaceDeed deed, const HomePaths& paths) {
  if (deed == PlaceDeed::kMakeHome) return "the home " + paths.home;
  const char* what = deed == PlaceDeed::kMakeFolders ? "its folders"
                     : deed == PlaceDeed::kTakeLock  ? "its lock"
                                                     : "its socket";
  return what + (" in " + paths.run);
}

}  // namespace

Place::Place(uv::Loop& loop, HomePaths paths, Descriptors descriptors, bool kept, Events events)
    : loop_(loop),
      paths_(std::move(paths)),
      descriptors_(descriptors),
      kept_(kept),
      events_(std::move(events)),
      again_(loop, [this] { Mend(); }),
      watch_again_(loop, [this] { Watch(); }) {}

Place::~Place() = default;

Result<UniqueFd> Place::Listen() {
  constexpr int kQueue = 128;
  auto made = ListenOnUnixSocket(descriptors_.run, kDaemonSocket, SOCK_STREAM, kQueue);
  if (made) Adopt();
  return made;
}

void Place::Adopt() {
  const auto socket = IdentifyFileAt(descriptors_.run, kDaemonSocket);
  socket_ = socket ? *socket : std::nullopt;
}

Result<PlaceFacts> Place::Look() const {
  PlaceFacts facts;
  const auto run = IdentifyFileAt(AT_FDCWD, paths_.run);
  if (!run) return run.error();
  const auto instances = IdentifyFileAt(AT_FDCWD, paths_.run + "/instances");
  if (!instances) return instances.error();
  const auto socket = IdentifyFileAt(AT_FDCWD, paths_.run + "/" + kDaemonSocket);
  if (!socket) return socket.error();
  const auto lock = LookAtLock();
  if (!lock) return lock.error();
  facts.run = *run && IsSame(**run, descriptors_.run);
  facts.instances = *instances && IsSame(**instances, descriptors_.instances);
  facts.socket = *socket && *socket == socket_;
  facts.lock = *lock;
  if (home_touched_) {
    const auto home = IsHomeOurs();
    if (!home) return home.error();
    facts.home = *home;
  }
  return facts;
}

Result<bool> Place::IsHomeOurs() const {
  const auto home = IdentifyFileAt(AT_FDCWD, paths_.home);
  if (!home) return home.error();
  const auto services = IdentifyFileAt(AT_FDCWD, paths_.home + "/services");
  if (!services) return services.error();
  return *home && IsSame(**home, descriptors_.home) && *services &&
         IsSame(**services, descriptors_.services);
}

Result<PlaceLock> Place::LookAtLock() const {
  const std::string path = paths_.run + "/" + kDaemonLock;
  const auto there = IdentifyFileAt(AT_FDCWD, path);
  if (!there) return there.error();
  if (!*there) return PlaceLock::kMissing;
  if (IsSame(**there, descriptors_.lock)) return PlaceLock::kOurs;
  const auto held = IsLockedAt(AT_FDCWD, path);
  const auto text = ReadFile(path, 4096);
  if (!held || (!*held && !text)) return PlaceLock::kUnclear;
  return JudgeLock(*held, text ? ReadLockHolder(*text) : std::nullopt, IdentifySelf());
}

void Place::Watch() {
  WatchFolders();
  // What was taken before.
  home_touched_ = true;
  Mend();
}

void Place::WatchMaster(ServiceId id) {
  to_be_watched_.insert(id);
  if (poll_) WatchFolders();
}

void Place::WatchFolders() {
  constexpr Millis kWatchAgain = 10'000;
  const Status watched = TryWatch();
  if (!watched && watch_trouble_.empty()) {
    // All else works without; who then finds no socket is told by slc what to do.
    log::Warn(watched.error().message + "; what is removed there meanwhile is not made anew");
  }
  if (watched && !watch_trouble_.empty()) log::Info(paths_.run + " is watched again");
  watch_trouble_ = watched ? std::string() : watched.error().message;
  if (!watched) watch_again_.StartIn(kWatchAgain);
}

Status Place::TryWatch() {
  if (!poll_) {
    const UniqueFd made(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!made) return SystemError("watch " + paths_.run, errno);
    if (Status put = Replace(descriptors_.watch, made); !put) return put;
    auto poll = std::make_unique<uv::Poll>(loop_, descriptors_.watch,
                                           [this](uv::Poll::Ready) { OnEvents(); });
    if (!poll->ok()) return Error{ErrorCode::kInternal, "watch " + paths_.run + ": poll refused"};
    poll_ = std::move(poll);
    poll_->Watch(true, false);
  }
  constexpr unsigned kTaken = IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR;
  const auto watch = [this](const std::string& path, unsigned what) {
    return ::inotify_add_watch(descriptors_.watch, path.c_str(), what);
  };
  const auto through = [](int folder) { return "/proc/self/fd/" + std::to_string(folder); };
  home_watch_ = watch(through(descriptors_.home), kTaken);
  if (home_watch_ < 0) return SystemError("watch " + paths_.home, errno);
  for (const int folder : {descriptors_.run, descriptors_.instances}) {
    if (watch(through(folder), kTaken) < 0) return SystemError("watch " + paths_.run, errno);
  }
  while (!to_be_watched_.empty()) {
    const ServiceId id = *to_be_watched_.begin();
    const std::string folder = through(descriptors_.instances) + "/" + std::to_string(id);
    // What a master makes there is looked at, too: whether it is missing later.
    const int number = watch(folder, kTaken | IN_CREATE);
    // One that is gone is made anew for the next master, and watched then.
    if (number < 0 && errno != ENOENT) return SystemError("watch " + paths_.run, errno);
    if (number >= 0) watched_[number] = id;
    to_be_watched_.erase(id);
  }
  return Ok();
}

void Place::OnEvents() {
  bool own = false;
  std::set<ServiceId> masters;
  std::array<char, 4096> events{};
  ssize_t got = 0;
  while ((got = ::read(descriptors_.watch, events.data(), events.size())) > 0) {
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, &events[at], sizeof(event));
      at += sizeof(event) + event.len;
      const auto master = watched_.find(event.wd);
      own = own || master == watched_.end();
      home_touched_ = home_touched_ || event.wd == home_watch_ || event.wd < 0;
      if (master == watched_.end()) continue;
      masters.insert(master->second);
      if ((event.mask & IN_IGNORED) != 0) watched_.erase(master);
    }
  }
  // Where it was is all that is read of it. What has happened is looked at: a name may be gone and
  // there again.
  if (own) return Mend();
  for (const ServiceId id : masters) {
    if (!displaced_) events_.on_master(id);
  }
}

void Place::Mend() {
  if (displaced_) return;
  const auto facts = Look();
  Status mended = facts ? Ok() : Status(facts.error());
  bool folders = false;
  if (facts) {
    for (const PlaceDeed deed : PlanPlace(*facts)) {
      if (deed == PlaceDeed::kLeave) return Leave();
      if (deed == PlaceDeed::kWait) return again_.StartIn(kTryAgain);
      mended = Do(deed);
      if (displaced_) return;
      if (!mended) {
        mended = mended.error().During("make " + Tell(deed, paths_) + " anew, which was removed");
        break;
      }
      if (deed == PlaceDeed::kMakeHome || deed == PlaceDeed::kMakeFolders) {
        WatchFolders();
        folders = true;
      }
      log::Warn(Tell(deed, paths_) + " was removed; it was made anew");
    }
  }
  if (!mended) {
    // Whoever removes a whole folder is still at it when the first of it is made anew.
    const bool lasting = ++failures_ > 1;
    if (lasting && trouble_ != mended.error().message) {
      trouble_ = mended.error().message;
      log::Failure(trouble_);
    }
    return again_.StartIn(BackoffPause(kTryAgain, kLongestPause, failures_));
  }
  failures_ = 0;
  trouble_.clear();
  // What was taken out of the new ones before they were watched.
  home_touched_ = folders;
  if (folders) again_.StartIn(0);
  if (events_.on_looked) events_.on_looked();
}

Status Place::Do(PlaceDeed deed) {
  if (deed == PlaceDeed::kMakeHome || deed == PlaceDeed::kMakeFolders) {
    auto made = OpenHome(paths_);
    if (!made) return made.error();
    if (Status run = Replace(descriptors_.run, made->run); !run) return run;
    if (Status instances = Replace(descriptors_.instances, made->instances); !instances) {
      return instances;
    }
    if (deed == PlaceDeed::kMakeFolders) return Ok();
    if (Status home = Replace(descriptors_.home, made->home); !home) return home;
    if (Status services = Replace(descriptors_.services, made->services); !services) {
      return services;
    }
    events_.on_home();
    return Ok();
  }
  if (deed == PlaceDeed::kTakeLock) {
    auto lock = LockFileAt(descriptors_.run, kDaemonLock, WriteLockHolder({IdentifySelf(), kept_}));
    if (!lock && lock.error().code == ErrorCode::kConflict) {
      Leave();
      return Ok();
    }
    if (!lock) return lock.error();
    if (Status taken = Replace(descriptors_.lock, *lock); !taken) return taken;
    events_.on_lock();
    return Ok();
  }
  auto listener = Listen();
  if (!listener) return listener.error();
  events_.on_listener(std::move(*listener));
  return Ok();
}

bool Place::IsOurs() {
  if (displaced_) return false;
  const auto lock = LookAtLock();
  if (lock && !MayAct(*lock)) Leave();
  return !displaced_;
}

void Place::Leave() {
  displaced_ = true;
  again_.Stop();
  watch_again_.Stop();
  events_.on_displaced();
}

}  // namespace slc
