#include "daemon/replacement.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/base/lock_holder.h"
#include "common/wire/client.h"
#include "common/wire/control_server.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

// A process that does `play` until it is killed.
class Actor {
 public:
  explicit Actor(const std::function<void()>& play) {
    // The handler of the tests' framework is not for the actor.
    const auto before = ::signal(SIGTERM, SIG_DFL);
    pid_ = ::fork();
    if (pid_ != 0) ::signal(SIGTERM, before);
    if (pid_ == 0) {
      play();
      while (true) ::pause();
    }
    identity_ = *IdentifyProcess(pid_);
  }
  ~Actor() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;
  const ProcessIdentity& identity() const { return identity_; }
  bool alive() const {
    const auto usage = ReadUsage(pid_);
    return usage && usage->state != 'Z';
  }

 private:
  pid_t pid_ = 0;
  ProcessIdentity identity_;
};

// Answers each client's first bytes with a frame that means nothing, but is one.
void Answer(int listener) {
  while (true) {
    const UniqueFd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    char bytes[4096];
    if (::recv(client.get(), bytes, sizeof(bytes), 0) <= 0) continue;
    const std::string frame = EncodeFrame(EncodeReply("x", Reply{}));
    if (::send(client.get(), frame.data(), frame.size(), MSG_NOSIGNAL) < 0) continue;
    ::recv(client.get(), bytes, sizeof(bytes), 0);
  }
}

struct Stage {
  TempFolder folder;
  HomePaths paths{folder.path(), folder.path()};
  UniqueFd run{::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  UniqueFd listener = std::move(*ListenOnUnixSocket(run.get(), kDaemonSocket, SOCK_STREAM, 8));
  // Short: what is asked here answers at once or never.
  ReplacementPatience patience{100, 5000};

  Stage() { ::fcntl(listener.get(), F_SETFL, 0); }
};

}  // namespace

TEST_CASE("A slcd that is silent is killed, and only when that is over it is said") {
  Stage stage;
  const Actor silent([] {});
  const auto ended =
      EndSilentDaemon(stage.paths, WriteLockHolder({silent.identity(), false}), stage.patience);
  REQUIRE(ended);
  CHECK_FALSE(silent.alive());
  CHECK(ended->find("pid " + std::to_string(silent.identity().pid)) != std::string::npos);
}

TEST_CASE("A slcd that answers lives on") {
  Stage stage;
  const Actor well([&] { Answer(stage.listener.get()); });
  const auto ended =
      EndSilentDaemon(stage.paths, WriteLockHolder({well.identity(), false}), {2000, 5000});
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == ErrorCode::kConflict);
  CHECK(well.alive());
}

TEST_CASE("A stranger who got the pid of a slcd is left alone") {
  Stage stage;
  const Actor stranger([] {});
  ProcessIdentity before = stranger.identity();
  --before.start_time;
  const auto ended = EndSilentDaemon(stage.paths, WriteLockHolder({before, false}), stage.patience);
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == ErrorCode::kConflict);
  CHECK(stranger.alive());
}

TEST_CASE("A silent slcd of systemd or slc run is left to them") {
  Stage stage;
  const Actor silent([] {});
  const auto ended =
      EndSilentDaemon(stage.paths, WriteLockHolder({silent.identity(), true}), stage.patience);
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == ErrorCode::kPermission);
  CHECK(silent.alive());
}

TEST_CASE("For systemd's slcd one that nobody looks after is told to leave, answering or not") {
  const Actor stray([] {});
  const auto ended = EndUnkeptDaemon(WriteLockHolder({stray.identity(), false}));
  REQUIRE(ended);
  CHECK_FALSE(stray.alive());
  CHECK(ended->find("told to leave") != std::string::npos);
}

TEST_CASE("One that does not leave when told to is killed") {
  TempFolder folder;
  const std::string ready = folder / "ready";
  const Actor stubborn([&] {
    ::signal(SIGTERM, SIG_IGN);
    ::close(::open(ready.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  });
  while (!folder.Has("ready")) ::usleep(1000);
  const auto ended = EndUnkeptDaemon(WriteLockHolder({stubborn.identity(), false}), 100);
  REQUIRE(ended);
  CHECK_FALSE(stubborn.alive());
  CHECK(ended->find("was killed") != std::string::npos);
}

TEST_CASE("One that is looked after, and one that is gone, are left alone") {
  const Actor kept([] {});
  const auto ended = EndUnkeptDaemon(WriteLockHolder({kept.identity(), true}));
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == ErrorCode::kConflict);
  CHECK(kept.alive());
  ProcessIdentity before = kept.identity();
  --before.start_time;
  const auto none = EndUnkeptDaemon(WriteLockHolder({before, false}));
  REQUIRE(none);
  CHECK(none->empty());
  CHECK(kept.alive());
}

}  // namespace slc
