#include "daemon/descriptor_rescue.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include <doctest/doctest.h>

#include "common/base/unique_fd.h"
#include "common/model/json.h"
#include "common/wire/link.h"
#include "daemon/master/snapshot.h"

namespace slc {
namespace {

constexpr const char* kPipe = "worker/1/stdout";

// A process that looks like a master, has done what it is told, and is stopped.
class StoppedMaster {
 public:
  // `change`: what its snapshot says, which is right without.
  explicit StoppedMaster(const std::function<void(InstanceState&)>& change) {
    pid_ = ::fork();
    if (pid_ == 0) Play(change);
    ::waitpid(pid_, nullptr, WUNTRACED);
    identity_ = *IdentifyProcess(pid_);
    pidfd_ = OpenProcess(identity_);
  }
  ~StoppedMaster() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  StoppedMaster(const StoppedMaster&) = delete;
  StoppedMaster& operator=(const StoppedMaster&) = delete;
  Result<std::map<std::string, UniqueFd>> Take() const {
    return TakeDescriptorsOf(identity_, pidfd_);
  }

 private:
  [[noreturn]] static void Play(const std::function<void(InstanceState&)>& change) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) ::_exit(1);
    if (::write(ends[1], "last words", 10) != 10) ::_exit(1);
    InstanceState state;
    state.master = IdentifySelf();
    state.held[kPipe] = ends[0];
    change(state);
    // The first one was too small, and is about to be closed.
    auto small = Snapshot::Create(1024);
    auto snapshot = Snapshot::Create(8192);
    if (!small || !snapshot || !small->Write(EncodeInstanceState(InstanceState{}))) ::_exit(1);
    for (int i = 0; i < 3; ++i) snapshot->Write(EncodeInstanceState(state));
    ::raise(SIGSTOP);
    ::_exit(0);
  }

  pid_t pid_ = 0;
  ProcessIdentity identity_;
  UniqueFd pidfd_;
};

}  // namespace

TEST_CASE("What a stopped master holds is taken by name, with what is in it") {
  const StoppedMaster master([](InstanceState&) {});
  auto taken = master.Take();
  REQUIRE_MESSAGE(taken, taken.error().message);
  CHECK(taken->size() == 2);
  REQUIRE(taken->count(kPipe) == 1);
  CHECK(taken->count(link::kStateName) == 1);
  char words[64];
  CHECK(::read(taken->at(kPipe).get(), words, sizeof(words)) == 10);
}

TEST_CASE("All is taken or nothing") {
  const StoppedMaster master([](InstanceState& state) { state.held["listen/:80:4"] = 900; });
  const auto taken = master.Take();
  REQUIRE_FALSE(taken);
  CHECK(taken.error().message.find("listen/:80:4") != std::string::npos);
}

TEST_CASE("Of a master that has its predecessor's snapshot still the numbers mean nothing") {
  const StoppedMaster master([](InstanceState& state) { --state.master.start_time; });
  const auto taken = master.Take();
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == ErrorCode::kConflict);
}

}  // namespace slc
