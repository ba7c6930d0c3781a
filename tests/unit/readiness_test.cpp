#include "daemon/master/core/readiness.h"

#include <doctest/doctest.h>

namespace slc {

using Keys = std::set<std::string>;

TEST_CASE("The first Node worker is ready with its first listening") {
  ReadinessJudge judge(Readiness::kListening, true, {}, true, 1000);
  CHECK_FALSE(judge.Ready(50'000));
  CHECK_FALSE(judge.deadline());
  judge.Opened("a");
  CHECK_FALSE(judge.Ready(1000));
  judge.Listening(1010);
  CHECK(judge.Ready(1010));
}

TEST_CASE("A successor of the same generation is ready once it holds what its predecessor holds") {
  ReadinessJudge judge(Readiness::kListening, true, Keys{"a", "b"}, true, 0);
  judge.Opened("a");
  judge.Listening(10);
  CHECK_FALSE(judge.Ready(100'000));
  CHECK_FALSE(judge.deadline());
  judge.Opened("b");
  judge.Opened("c");
  CHECK(judge.Ready(20));
  judge.Closed("a");
  CHECK_FALSE(judge.Ready(20));
}

TEST_CASE("The first worker of a new generation may listen elsewhere: it gets a second to settle") {
  ReadinessJudge judge(Readiness::kListening, true, Keys{"old"}, false, 0);
  judge.Opened("new");
  judge.Listening(10);
  judge.Listening(900);
  CHECK(judge.deadline() == 1010);
  CHECK_FALSE(judge.Ready(1009));
  CHECK(judge.Ready(1010));
  judge.Opened("old");
  CHECK(judge.Ready(10));
}

TEST_CASE("--ready message waits for the message alone") {
  ReadinessJudge judge(Readiness::kMessage, true, Keys{"a"}, true, 0);
  judge.Opened("a");
  judge.Listening(1);
  CHECK_FALSE(judge.Ready(100'000));
  CHECK_FALSE(judge.deadline());
  judge.SaidReady();
  CHECK(judge.Ready(2));
}

TEST_CASE("What was a spare is judged by whom it takes over from, and by what it has done before") {
  ReadinessJudge judge(Readiness::kListening, true, Keys{"a", "old"}, true, 0);
  judge.Expect(Keys{"a"}, true);
  judge.Opened("a");
  judge.Listening(10);
  CHECK(judge.Ready(10));
  ReadinessJudge said(Readiness::kMessage, true, {}, true, 500);
  said.SaidReady();
  // Nothing else will be heard of it.
  CHECK(said.deadline() == 500);
  CHECK(said.Ready(100'000));
}

TEST_CASE("--ready alive, and programs that are not Node, are ready after a second of life") {
  for (const bool node : {true, false}) {
    ReadinessJudge judge(node ? Readiness::kAlive : Readiness::kListening, node, Keys{"a"}, true,
                         500);
    CHECK(judge.deadline() == 1500);
    CHECK_FALSE(judge.Ready(1499));
    CHECK(judge.Ready(1500));
  }
}

TEST_CASE("READY=1 of a program that is not Node is its word, but for --ready alive") {
  ReadinessJudge listening(Readiness::kListening, false, {}, true, 500);
  CHECK_FALSE(listening.Ready(510));
  listening.SaidReady();
  CHECK(listening.Ready(510));
  ReadinessJudge message(Readiness::kMessage, false, {}, true, 500);
  CHECK_FALSE(message.Ready(100'000));
  CHECK_FALSE(message.deadline());
  message.SaidReady();
  CHECK(message.Ready(510));
  ReadinessJudge alive(Readiness::kAlive, false, {}, true, 500);
  alive.SaidReady();
  CHECK_FALSE(alive.Ready(1499));
  CHECK(alive.Ready(1500));
  // A Node app says it by its channel, and is judged by what it listens on.
  ReadinessJudge node(Readiness::kListening, true, {}, true, 500);
  node.SaidReady();
  CHECK_FALSE(node.Ready(100'000));
}

}  // namespace slc
