// InstanceState as text, and the memfd that carries it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include <doctest/doctest.h>

#include "common/model/json.h"
#include "common/wire/snapshot_format.h"
#include "daemon/master/snapshot.h"

namespace slc {
namespace {

InstanceState FullState() {
  InstanceState state;
  state.service = 3;
  state.epoch = 0xffff'ffff'ffff'fff0U;
  state.boot_id = "c5d2...";
  state.master = ProcessIdentity{4711, 123456789};
  state.master_started_wall = 1'795'367'798'688;
  state.written_at = 987654321;
  state.message_seq = 1U << 30;
  state.log.behind = true;
  state.log = LogHealth{17, 987654, "write out.log: No space left on device"};
  state.fleet.wish = FleetWish{true, true, 4, 7, RollMode::kRolling, 2, 19, true, 5};
  state.fleet.last_worker = 12;
  state.fleet.good = 6;
  state.fleet.failed = 5;
  state.fleet.reached = 18;
  state.fleet.spare = FleetSpare{2, 1'000'200, 6, "exit code 1"};
  state.fleet.failure = FleetFailure{19, 7, 12, 1, "exit code 1: \"quoted\"\n", 256};
  state.fleet.slots[1] = FleetSlot{
      7, 3, 1'000'100, true, 4, true, 5, 1'000'200, 9, "killed by SIGSEGV (signal 11)", 987, 11};
  state.fleet.slots[4] = FleetSlot{};
  for (int i = 0; i < 5; ++i) {
    FleetWorker worker;
    worker.id = static_cast<WorkerId>(i + 8);
    worker.slot = static_cast<SlotNumber>(i);
    if (i == 3) worker.outgrown = "uses 412 MiB";
    worker.generation = 6;
    worker.state = static_cast<WorkerState>(i);
    worker.spawned_at = 1000 + i;
    worker.ready_at = 2000;
    worker.deadline = 3000;
    worker.disconnected = i % 2 == 0;
    worker.hung_up = i % 2 == 1;
    worker.unfit = i == 1;
    worker.hung = i == 1 || i == 3;
    worker.leaving = i % 2 == 0;
    worker.listens = i % 2 == 0;
    worker.trouble = i % 2 == 1 ? "port 80 is in use" : "";
    state.fleet.workers[worker.id] = worker;
  }
  WorkerFacts facts;
  facts.process = ProcessIdentity{99, 100};
  facts.started_wall = 5;
  facts.keys = {":3001:4", "/run/x.sock:-1:-1"};
  facts.own_listeners = {"0.0.0.0:9000"};
  facts.agent_version = "0.1.0";
  facts.drain_sent = true;
  facts.stuck_since = 77;
  facts.shows = "heap-snapshot";
  facts.excused_until = 78;
  facts.reloading = true;
  facts.status = "half done";
  facts.inspection = {78, 79, 80, "::1"};
  state.workers[8] = facts;
  state.held = {{"listen/:3001:4", 12}, {"worker/8/channel", 13}};
  state.workers[9] = WorkerFacts{};
  for (const ListenerKind kind :
       {ListenerKind::kTcp, ListenerKind::kUnix, ListenerKind::kUdp, ListenerKind::kInherited}) {
    ListenerFacts listener;
    listener.key = "key";
    listener.kind = kind;
    listener.address = "::1";
    listener.port = -1;
    listener.bound_port = 65535;
    listener.family = 6;
    listener.flags = 3;
    listener.backlog = 128;
    listener.device = 65;
    listener.inode = 1ULL << 40;
    listener.data = R"({"a":[1,"b"]})";
    state.listeners.push_back(listener);
  }
  return state;
}

// A memfd holding exactly these bytes.
int Image(const std::string& bytes) {
  auto memfd = MakeMemfd("test", bytes);
  REQUIRE(memfd.ok());
  return *memfd;
}

std::string BytesOf(int memfd) {
  auto bytes = ReadMemfd(memfd);
  REQUIRE(bytes.ok());
  return *bytes;
}

std::string StateIn(const std::string& image) {
  const UniqueFd memfd(Image(image));
  auto content = ReadSnapshot(memfd.get());
  return content ? content->state : "(none)";
}

}  // namespace

TEST_CASE("The state of an instance comes back as it was written") {
  const InstanceState state = FullState();
  auto decoded = DecodeInstanceState(EncodeInstanceState(state));
  REQUIRE(decoded);
  CHECK(*decoded == state);
  auto empty = DecodeInstanceState(EncodeInstanceState(InstanceState{}));
  REQUIRE(empty);
  CHECK(*empty == InstanceState{});
}

TEST_CASE("The state is readable whatever a worker printed before it crashed") {
  InstanceState state = FullState();
  // Cut in the middle of a character, and not UTF-8 at all.
  state.fleet.failure->reason = "Error: unerh\xc3";
  state.fleet.slots[1].last_exit = "\xff\xfe caf\xe9";
  state.workers[8].agent_version = "\xf0\x9f";
  auto decoded = DecodeInstanceState(EncodeInstanceState(state));
  REQUIRE(decoded);
  CHECK(decoded->fleet.failure->reason == "Error: unerh\xef\xbf\xbd");
  CHECK(decoded->fleet.workers == state.fleet.workers);
}

TEST_CASE("A state that is no state is refused") {
  for (const char* text :
       {"", "[]", "{\"service\":-1}", "{\"fleet\":[]}", "{\"workers\":{}}", "{\"workers\":[1]}",
        "{\"fleet\":{\"workers\":[{\"state\":\"running\"}]}}", "{\"listeners\":[{\"kind\":\"x\"}]}",
        "{\"fleet\":{\"wish\":{\"mode\":\"x\"}}}", "{\"fleet\":{\"slots\":[{\"slot\":\"1\"}]}}"}) {
    CAPTURE(text);
    CHECK_FALSE(DecodeInstanceState(text));
  }
  const std::string whole = EncodeInstanceState(FullState());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    if (DecodeInstanceState(whole.substr(0, length))) FAIL("cut at " << length);
  }
}

TEST_CASE("A snapshot whose writer is killed at any byte holds the state before or the one after") {
  const std::string old_state = "old state, not very long";
  const std::string new_state = "the new state, which is longer than the one before";
  auto snapshot = Snapshot::Create(100);
  REQUIRE(snapshot);
  // Whatever was there two writes ago is being overwritten.
  for (const std::string& first : {std::string("zero"), std::string(100, 'z')}) {
    REQUIRE(snapshot->Write(first));
    REQUIRE(snapshot->Write(old_state));
    const std::string before = BytesOf(snapshot->fd());
    REQUIRE(snapshot->Write(new_state));
    const std::string after = BytesOf(snapshot->fd());
    std::size_t start = 0;
    while (before[start] == after[start]) ++start;
    start = start < before.size() / 2 ? 0 : before.size() / 2;
    const std::size_t body = start + sizeof(SnapshotHeader);
    // First the state, byte for byte ...
    std::string image = before;
    for (std::size_t i = 0; i < new_state.size(); ++i) {
      image[body + i] = after[body + i];
      if (StateIn(image) != old_state) FAIL("state torn at " << i);
    }
    // ... then the header, in order, and as a kernel might tear it: from its end.
    std::string forth = image;
    std::string back = image;
    for (std::size_t i = 0; i < sizeof(SnapshotHeader); ++i) {
      forth[start + i] = after[start + i];
      const std::size_t j = sizeof(SnapshotHeader) - 1 - i;
      back[start + j] = after[start + j];
      for (const std::string& torn : {forth, back}) {
        const std::string state = StateIn(torn);
        if (state != old_state && state != new_state) FAIL("header torn at " << i);
      }
    }
    CHECK(StateIn(forth) == new_state);
    CHECK(StateIn(back) == new_state);
    snapshot = Snapshot::Create(100);
    REQUIRE(snapshot);
  }
}

TEST_CASE("A snapshot damaged in any one byte holds one of its two states, or none") {
  auto snapshot = Snapshot::Create(50);
  REQUIRE(snapshot);
  REQUIRE(snapshot->Write("old state"));
  REQUIRE(snapshot->Write("new state"));
  const std::string good = BytesOf(snapshot->fd());
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      const std::string state = StateIn(bad);
      if (state != "old state" && state != "new state") FAIL("byte " << at << ": " << state);
    }
  }
  for (std::size_t length = 0; length < good.size(); ++length) {
    const std::string state = StateIn(good.substr(0, length));
    if (state != "old state" && state != "new state" && state != "(none)") FAIL(state);
  }
}

TEST_CASE("A successor's snapshot wins over what its predecessor may still write") {
  auto first = Snapshot::Create(100);
  REQUIRE(first);
  REQUIRE(first->Write("one"));
  auto second = Snapshot::Continue(UniqueFd(::dup(first->fd())));
  REQUIRE(second);
  CHECK(second->capacity() == 100);
  REQUIRE(second->Write("two"));
  for (int i = 0; i < 10; ++i) {
    // slcd fences the predecessor before there is a successor. Were it to write all the same, it
    // may hit the half of the successor's newest state, never make its own the newest for good.
    REQUIRE(first->Write("late"));
    REQUIRE(ReadSnapshot(first->fd()));
    REQUIRE(second->Write("two"));
    CHECK(ReadSnapshot(first->fd())->state == "two");
  }
}

TEST_CASE("A state that does not fit is refused, an empty memfd holds none") {
  auto snapshot = Snapshot::Create(10);
  REQUIRE(snapshot);
  CHECK(ReadSnapshot(snapshot->fd()).error().code == ErrorCode::kNotFound);
  CHECK_FALSE(snapshot->Write(std::string(11, 'x')));
  CHECK(snapshot->Write(std::string(10, 'x')));
  CHECK(ReadSnapshot(snapshot->fd())->state == std::string(10, 'x'));
  CHECK(StateIn("") == "(none)");
  CHECK(StateIn(std::string(4096, '\0')) == "(none)");
  CHECK_FALSE(ReadSnapshot(-1));
  CHECK_FALSE(Snapshot::Continue(UniqueFd(Image("x"))));
}

TEST_CASE("A snapshot is known to be unchanged until something is written to it") {
  auto snapshot = Snapshot::Create(100);
  REQUIRE(snapshot);
  for (int i = 0; i < 5; ++i) {
    REQUIRE(snapshot->Write("the same"));
    const auto content = ReadSnapshot(snapshot->fd());
    REQUIRE(content);
    CHECK(IsUnchanged(snapshot->fd(), content->mark));
    CHECK(IsUnchanged(snapshot->fd(), content->mark));
    REQUIRE(snapshot->Write("the same"));
    CHECK_FALSE(IsUnchanged(snapshot->fd(), content->mark));
  }
  auto content = ReadSnapshot(snapshot->fd());
  auto successor = Snapshot::Continue(UniqueFd(::dup(snapshot->fd())));
  REQUIRE(successor);
  CHECK(IsUnchanged(snapshot->fd(), content->mark));
  REQUIRE(successor->Write("the same"));
  CHECK_FALSE(IsUnchanged(snapshot->fd(), content->mark));
  content = ReadSnapshot(snapshot->fd());
  CHECK_FALSE(IsUnchanged(-1, content->mark));
  CHECK_FALSE(IsUnchanged(snapshot->fd(), SnapshotMark{}));
}

TEST_CASE("A reader finds a whole state at any moment, however fast it is written") {
  auto snapshot = Snapshot::Create(20'000);
  REQUIRE(snapshot);
  REQUIRE(snapshot->Write(std::string(20'000, 'a')));
  std::thread writer([&] {
    for (int i = 0; i < 3000; ++i) {
      snapshot->Write(std::string(20'000, static_cast<char>('a' + i % 26)));
    }
  });
  int missing = 0;
  int torn = 0;
  int backwards = 0;
  std::uint64_t newest = 0;
  for (int i = 0; i < 3000; ++i) {
    auto content = ReadSnapshot(snapshot->fd());
    if (!content) {
      ++missing;
      continue;
    }
    if (content->state.find_first_not_of(content->state[0]) != std::string::npos) ++torn;
    if (content->seq < newest) ++backwards;
    newest = std::max(newest, content->seq);
  }
  writer.join();
  CHECK(missing == 0);
  CHECK(torn == 0);
  CHECK(backwards == 0);
}

}  // namespace slc
