#include "daemon/place.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
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

const char* Tell(PlaceDeed deed) {
  switch (deed) {
    case PlaceDeed::kMakeFolders:
      return "its folders";
    case PlaceDeed::kTakeLock:
      return "its lock";
    case PlaceDeed::kListen:
      return "its socket";
    case PlaceDeed::kLeave:
    case PlaceDeed::kWait:
      break;
  }
  return "its place";
}

}  // namespace

Place::Place(uv::Loop& loop, HomePaths paths, Descriptors descriptors, bool kept, Events events)
    : loop_(loop),
      paths_(std::move(paths)),
      descriptors_(descriptors),
      kept_(kept),
      events_(std::move(events)),
      again_(loop, [this] { rewatch_ ? Watch() : Mend(); }) {}

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
  return facts;
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
  rewatch_ = false;
  poll_.reset();
  watch_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  for (const int folder : {descriptors_.run, descriptors_.instances}) {
    constexpr unsigned kTaken = IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR;
    const std::string path = "/proc/self/fd/" + std::to_string(folder);
    if (watch_ && ::inotify_add_watch(watch_.get(), path.c_str(), kTaken) < 0) {
      const int reason = errno;
      watch_.reset();
      errno = reason;
    }
  }
  if (watch_) {
    poll_ =
        std::make_unique<uv::Poll>(loop_, watch_.get(), [this](uv::Poll::Ready) { OnEvents(); });
    if (poll_->ok()) poll_->Watch(true, false);
  } else {
    // All else works without; who then finds no socket is told by slc what to do.
    log::Info(SystemError("watch " + paths_.run, errno).message +
              "; if its socket is removed it is not made anew");
  }
  // What was taken before.
  Mend();
}

void Place::OnEvents() {
  alignas(inotify_event) std::array<char, 4096> events;
  // What has happened is looked at, not read: a name may be gone and there again.
  while (::read(watch_.get(), events.data(), events.size()) > 0) {
  }
  Mend();
}

void Place::Mend() {
  if (displaced_) return;
  const auto facts = Look();
  Status mended = facts ? Ok() : Status(facts.error());
  if (facts) {
    for (const PlaceDeed deed : PlanPlace(*facts)) {
      if (deed == PlaceDeed::kLeave) return Leave();
      if (deed == PlaceDeed::kWait) return again_.StartIn(kTryAgain);
      mended = Do(deed);
      if (displaced_) return;
      if (!mended) {
        mended = mended.error().During(std::string("make ") + Tell(deed) + " in " + paths_.run +
                                       " anew, which was removed");
        break;
      }
      rewatch_ = rewatch_ || deed == PlaceDeed::kMakeFolders;
      log::Warn(std::string(Tell(deed)) + " in " + paths_.run + " was removed; it was made anew");
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
  if (events_.on_looked) events_.on_looked();
  if (rewatch_) again_.StartIn(0);
}

Status Place::Do(PlaceDeed deed) {
  if (deed == PlaceDeed::kMakeFolders) {
    auto made = OpenHome(paths_);
    if (!made) return made.error();
    if (Status run = Replace(descriptors_.run, made->run); !run) return run;
    return Replace(descriptors_.instances, made->instances);
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
  events_.on_displaced();
}

}  // namespace slc
