#include "daemon/master/core/dispatch.h"

#include <algorithm>
#include <set>

#include <doctest/doctest.h>

#include "tests/unit/histories.h"

namespace slc {
namespace {

// What there is to know about one worker, written down as simply as can be.
struct Book {
  struct Entry {
    std::uint64_t seq;
    Millis at;
  };
  std::vector<Entry> unanswered;  // oldest first

  bool CanTake(Millis now) const {
    if (unanswered.empty()) return true;
    const Millis waited = now - unanswered[0].at;
    if (waited < Dispatch::kBusy) return unanswered.size() < Dispatch::kCredits;
    return waited < Dispatch::kStuck && unanswered.size() < Dispatch::kBusyCredits;
  }
};

class Model {
 public:
  explicit Model(Random& random) : random_(random) {}

  std::string Play() {
    const int steps = static_cast<int>(random_.Between(20, 400));
    for (int step = 0; step < steps && wrong_.empty(); ++step) Turn();
    for (WorkerId worker = 1; worker <= kWorkers && wrong_.empty(); ++worker) ForgetOne(worker);
    return wrong_;
  }

 private:
  static constexpr WorkerId kWorkers = 6;
  static constexpr ListenerId kListeners = 3;

  WorkerId AnyWorker() { return static_cast<WorkerId>(random_.Between(1, kWorkers)); }
  ListenerId AnyListener() { return static_cast<ListenerId>(random_.Between(1, kListeners)); }

  void Turn() {
    if (random_.Chance(20)) now_ += random_.Between(0, random_.Chance(10) ? 600 : 30);
    const int dice = static_cast<int>(random_.Below(100));
    if (dice < 8) {
      AddOne(AnyListener(), AnyWorker());
    } else if (dice < 12) {
      RemoveOne(AnyListener(), AnyWorker());
    } else if (dice < 14) {
      RetireOne(AnyWorker());
    } else if (dice < 16) {
      ForgetOne(AnyWorker());
    } else if (dice < 40) {
      AnswerOne(AnyWorker());
    } else if (dice < 44) {
      AnswerAll();
    } else {
      PickOne(AnyListener());
    }
    Compare();
  }

  void AddOne(ListenerId listener, WorkerId worker) {
    dispatch_.AddHolder(listener, worker);
    if (!holders_[listener].insert(worker).second) return;
    // Nobody owes a newcomer anything yet.
    overtakers_[listener][worker].clear();
  }
  void RemoveOne(ListenerId listener, WorkerId worker) {
    const auto before = dispatch_.Pick(listener, now_, Dispatch::kLook);
    dispatch_.RemoveHolder(listener, worker);
    holders_[listener].erase(worker);
    const auto after = dispatch_.Pick(listener, now_, Dispatch::kLook);
    if (before && *before != worker && after != before) wrong_ = "a removal moved the turn";
  }
  void RetireOne(WorkerId worker) {
    dispatch_.Retire(worker);
    for (auto& [listener, workers] : holders_) workers.erase(worker);
  }
  void ForgetOne(WorkerId worker) {
    std::vector<std::uint64_t> expected;
    for (const Book::Entry& entry : books_[worker].unanswered) expected.push_back(entry.seq);
    if (dispatch_.Forget(worker) != expected) wrong_ = "lost or made up what was un-answered";
    books_[worker] = Book{};
    for (auto& [listener, workers] : holders_) workers.erase(worker);
  }
  void AnswerOne(WorkerId worker) {
    Book& book = books_[worker];
    if (book.unanswered.empty() || random_.Chance(10)) {
      if (dispatch_.Answered(worker, last_seq_ + 1)) wrong_ = "took an answer to nothing";
      return;
    }
    // Mostly the first; whatever order they come in, each counts once.
    const std::size_t which =
        random_.Chance(80) ? 0 : random_.Below(static_cast<unsigned>(book.unanswered.size()));
    const std::uint64_t seq = book.unanswered[which].seq;
    book.unanswered.erase(book.unanswered.begin() + static_cast<std::ptrdiff_t>(which));
    if (!dispatch_.Answered(worker, seq)) wrong_ = "did not know what it was waiting for";
    if (dispatch_.Answered(worker, seq)) wrong_ = "took the same answer twice";
  }
  void AnswerAll() {
    for (WorkerId worker = 1; worker <= kWorkers; ++worker) {
      while (!books_[worker].unanswered.empty()) {
        const std::uint64_t seq = books_[worker].unanswered[0].seq;
        books_[worker].unanswered.erase(books_[worker].unanswered.begin());
        if (!dispatch_.Answered(worker, seq)) wrong_ = "did not know what it was waiting for";
      }
    }
  }
  void PickOne(ListenerId listener) {
    const auto& holders = holders_[listener];
    const bool possible = std::any_of(holders.begin(), holders.end(), [&](WorkerId worker) {
      return books_[worker].CanTake(now_);
    });
    const auto looked = dispatch_.Pick(listener, now_, Dispatch::kLook);
    if (dispatch_.Pick(listener, now_, Dispatch::kLook) != looked) wrong_ = "a look moves the turn";
    const auto picked = dispatch_.Pick(listener, now_, Dispatch::kTake);
    if (picked != looked) wrong_ = "took another than it looked at";
    if (picked.has_value() != possible)
      wrong_ = "somebody could take it, nobody did, or the reverse";
    if (!picked) return;
    if (holders.count(*picked) == 0) wrong_ = "picked one that does not hold the listener";
    if (!books_[*picked].CanTake(now_)) wrong_ = "picked one without credit, or that is stale";
    // Between two turns of one worker each other that could take one had its turn: with that, the
    // counts of workers that can always take one never differ by more than 1.
    auto& overtakers = overtakers_[listener];
    for (const WorkerId other : holders) {
      if (other == *picked) continue;
      if (!books_[other].CanTake(now_)) {
        overtakers[other].clear();
      } else if (!overtakers[other].insert(*picked).second) {
        wrong_ = "not even";
      }
    }
    overtakers[*picked].clear();
    // Now and then it is only looked at and then given up (no room in the channel).
    if (random_.Chance(5)) return;
    ++last_seq_;
    dispatch_.Pushed(*picked, last_seq_, now_);
    books_[*picked].unanswered.push_back({last_seq_, now_});
  }
  void Compare() {
    for (WorkerId worker = 1; worker <= kWorkers; ++worker) {
      if (dispatch_.in_flight(worker) != books_[worker].unanswered.size()) {
        wrong_ = "counts in flight wrongly";
      }
    }
    for (ListenerId listener = 1; listener <= kListeners; ++listener) {
      if (dispatch_.holders(listener) != holders_[listener].size())
        wrong_ = "counts holders wrongly";
      for (WorkerId worker = 1; worker <= kWorkers; ++worker) {
        if (dispatch_.Holds(listener, worker) != (holders_[listener].count(worker) > 0)) {
          wrong_ = "is wrong about who holds a listener";
        }
      }
    }
  }

  Random& random_;
  Dispatch dispatch_;
  Millis now_ = 1000;
  std::uint64_t last_seq_ = 0;
  std::map<WorkerId, Book> books_;
  std::map<ListenerId, std::set<WorkerId>> holders_;
  // Who had a turn since this worker had one, or could not take one.
  std::map<ListenerId, std::map<WorkerId, std::set<WorkerId>>> overtakers_;
  std::string wrong_;
};

}  // namespace

TEST_CASE("Dispatch is even, keeps to credits, and forgets nothing, whatever happens") {
  RunHistories(10'000, [](Random& random) { return Model(random).Play(); });
}

TEST_CASE("Connections go round the holders") {
  Dispatch dispatch;
  CHECK_FALSE(dispatch.Pick(1, 0, Dispatch::kTake));
  for (const WorkerId worker : {7U, 8U, 9U}) dispatch.AddHolder(1, worker);
  dispatch.AddHolder(1, 8);  // said twice
  for (const WorkerId worker : {7U, 8U, 9U, 7U, 8U}) {
    CHECK(dispatch.Pick(1, 0, Dispatch::kTake) == worker);
  }
  dispatch.RemoveHolder(1, 7);
  CHECK(dispatch.Pick(1, 0, Dispatch::kTake) == 9U);
  dispatch.AddHolder(1, 10);
  // A newcomer comes last.
  CHECK(dispatch.Pick(1, 0, Dispatch::kTake) == 8U);
  CHECK(dispatch.Pick(1, 0, Dispatch::kTake) == 9U);
  CHECK(dispatch.Pick(1, 0, Dispatch::kTake) == 10U);
}

TEST_CASE("A worker has 64 credits, 16 while its oldest waits for 50 ms, none after a second") {
  Dispatch dispatch;
  dispatch.AddHolder(1, 7);
  for (std::uint64_t seq = 1; seq <= 64; ++seq) {
    REQUIRE(dispatch.Pick(1, 0, Dispatch::kTake) == 7U);
    dispatch.Pushed(7, seq, 0);
  }
  CHECK_FALSE(dispatch.Pick(1, 0, Dispatch::kTake));
  CHECK(dispatch.Answered(7, 1));
  CHECK(dispatch.Pick(1, 49, Dispatch::kLook) == 7U);
  CHECK_FALSE(dispatch.Pick(1, 50, Dispatch::kLook));
  for (std::uint64_t seq = 2; seq <= 48; ++seq) CHECK(dispatch.Answered(7, seq));
  CHECK(dispatch.in_flight(7) == 16);
  CHECK_FALSE(dispatch.Pick(1, 50, Dispatch::kLook));
  CHECK(dispatch.Answered(7, 49));
  CHECK(dispatch.Pick(1, 999, Dispatch::kLook) == 7U);
  CHECK_FALSE(dispatch.StuckSince(7, 999));
  CHECK_FALSE(dispatch.Pick(1, 1000, Dispatch::kLook));
  CHECK(dispatch.StuckSince(7, 1000) == 0);
  CHECK(dispatch.Forget(7).size() == 15);
  CHECK_FALSE(dispatch.StuckSince(7, 1000));
  CHECK_FALSE(dispatch.Pick(1, 0, Dispatch::kLook));
}

TEST_CASE("Who was found to be stuck gets nothing, until it was found to move") {
  Dispatch dispatch;
  dispatch.AddHolder(1, 7, 1);
  dispatch.AddHolder(1, 8, 2);
  dispatch.SetStuck(7, true);
  for (int i = 0; i < 4; ++i) CHECK(dispatch.Pick(1, 0, Dispatch::kTake) == 8);
  for (std::uint64_t client = 1; client < 50; ++client)
    CHECK(dispatch.PickFor(1, client, 0, 0) == 8);
  dispatch.SetStuck(8, true);
  CHECK_FALSE(dispatch.Pick(1, 0, Dispatch::kLook));
  CHECK_FALSE(dispatch.PickFor(1, 1, 0, 0));
  dispatch.SetStuck(7, false);
  CHECK(dispatch.Pick(1, 0, Dispatch::kTake) == 7);
  // A later worker is another one.
  dispatch.Forget(8);
  dispatch.AddHolder(1, 8, 2);
  dispatch.SetStuck(7, true);
  CHECK(dispatch.Pick(1, 0, Dispatch::kTake) == 8);
}

TEST_CASE("A worker is stuck since its oldest unanswered connection went out, until it answers") {
  Dispatch dispatch;
  dispatch.AddHolder(1, 7);
  CHECK_FALSE(dispatch.StuckSince(7, 5000));
  dispatch.Pushed(7, 1, 100);
  dispatch.Pushed(7, 2, 900);
  CHECK_FALSE(dispatch.StuckSince(7, 1099));
  CHECK(dispatch.StuckSince(7, 5000) == 100);
  // Also of one that is to leave.
  dispatch.Retire(7);
  CHECK(dispatch.StuckSince(7, 5000) == 100);
  CHECK(dispatch.Answered(7, 1));
  CHECK_FALSE(dispatch.StuckSince(7, 1899));
  CHECK(dispatch.StuckSince(7, 1900) == 900);
  CHECK(dispatch.Answered(7, 2));
  CHECK_FALSE(dispatch.StuckSince(7, 5000));
}

TEST_CASE("A retired worker gets nothing new and may still answer") {
  Dispatch dispatch;
  dispatch.AddHolder(1, 7);
  dispatch.AddHolder(2, 7);
  dispatch.Pushed(7, 1, 0);
  dispatch.Retire(7);
  CHECK_FALSE(dispatch.Pick(1, 0, Dispatch::kLook));
  CHECK_FALSE(dispatch.Pick(2, 0, Dispatch::kLook));
  CHECK(dispatch.in_flight(7) == 1);
  CHECK(dispatch.Answered(7, 1));
  CHECK(dispatch.Forget(7).empty());
}

TEST_CASE("Sticky: a client keeps its slot while workers and other slots come and go") {
  RunHistories(200, [](Random& random) -> std::string {
    Dispatch dispatch;
    constexpr SlotNumber kSlots = 8;
    std::map<SlotNumber, WorkerId> workers;
    WorkerId last = 0;
    const auto slot_of = [&](std::uint64_t client) -> SlotNumber {
      const auto worker = dispatch.PickFor(1, client, 0, 0);
      for (const auto& [slot, id] : workers) {
        if (worker == id) return slot;
      }
      return 0;
    };
    for (SlotNumber slot = 1; slot <= kSlots; ++slot) {
      dispatch.AddHolder(1, workers[slot] = ++last, slot);
    }
    std::map<std::uint64_t, SlotNumber> home;
    std::map<SlotNumber, int> clients;
    for (int i = 0; i < 400; ++i) {
      const std::uint64_t client = random.Next();
      ++clients[home[client] = slot_of(client)];
    }
    for (SlotNumber slot = 1; slot <= kSlots; ++slot) {
      if (clients[slot] < 20) return "a slot has " + std::to_string(clients[slot]) + " of 50";
    }
    for (int turn = 0; turn < 40; ++turn) {
      const auto slot = static_cast<SlotNumber>(random.Between(1, kSlots));
      if (workers.count(slot) == 0) {
        dispatch.AddHolder(1, workers[slot] = ++last, slot);
      } else if (random.Chance(50)) {
        dispatch.Forget(workers[slot]);
        workers.erase(slot);
      } else {
        // A roll: both hold the listener for a moment.
        const WorkerId before = workers[slot];
        dispatch.AddHolder(1, workers[slot] = ++last, slot);
        if (dispatch.PickFor(1, 1, 0, 0) == before) return "the older of two was preferred";
        dispatch.Retire(before);
      }
      for (const auto& [client, slot_at_home] : home) {
        const SlotNumber now = slot_of(client);
        if (workers.count(slot_at_home) > 0 && now != slot_at_home) return "left its slot";
        if (!workers.empty() && now == 0) return "went nowhere though there are workers";
      }
    }
    return {};
  });
}

TEST_CASE("Sticky: one that is busy is waited for, one that is stuck or refuses is not") {
  Dispatch dispatch;
  for (WorkerId worker = 1; worker <= 3; ++worker) dispatch.AddHolder(1, worker, worker);
  const std::uint64_t client = 4711;
  const WorkerId first = *dispatch.PickFor(1, client, 0, 0);
  const WorkerId second = *dispatch.PickFor(1, client, 1, 0);
  const WorkerId third = *dispatch.PickFor(1, client, 2, 0);
  CHECK(std::set<WorkerId>{first, second, third} == std::set<WorkerId>{1, 2, 3});
  CHECK(dispatch.PickFor(1, client, 3, 0) == first);
  for (std::uint64_t seq = 1; seq <= Dispatch::kCredits; ++seq) dispatch.Pushed(first, seq, 0);
  CHECK_FALSE(dispatch.PickFor(1, client, 0, 10));
  CHECK(dispatch.PickFor(1, client, 0, Dispatch::kStuck) == second);
  dispatch.Forget(first);
  CHECK(dispatch.PickFor(1, client, 0, 0) == second);
  CHECK_FALSE(dispatch.PickFor(2, client, 0, 0));
}

TEST_CASE("A connection that did not arrive is known by the answers to later ones") {
  Dispatch dispatch;
  dispatch.AddHolder(1, 7);
  for (const std::uint64_t seq : {10, 11, 12, 13}) dispatch.Pushed(7, seq, 0);
  CHECK(dispatch.Missed(7, true).empty());  // any of the four
  CHECK(dispatch.Answered(7, 10));
  CHECK(dispatch.MissedBefore(7, 10).empty());
  CHECK(dispatch.Answered(7, 12));
  CHECK(dispatch.MissedBefore(7, 12) == std::vector<std::uint64_t>{11});
  // No other is left.
  CHECK(dispatch.Missed(7, true) == std::vector<std::uint64_t>{13});
  CHECK(dispatch.in_flight(7) == 0);
  CHECK(dispatch.Missed(7, true).empty());
  dispatch.Pushed(7, 14, 0);
  CHECK(dispatch.MissedBefore(7, 0).empty());
  CHECK(dispatch.in_flight(7) == 1);
  CHECK(dispatch.Missed(8, true).empty());
}

TEST_CASE("What has not arrived, and may not have been a connection, takes none from its worker") {
  Dispatch dispatch;
  dispatch.AddHolder(1, 7);
  dispatch.Pushed(7, 10, 0);
  CHECK(dispatch.Missed(7, false).empty());
  CHECK(dispatch.Missed(7, false).empty());
  CHECK(dispatch.Answered(7, 10));
  CHECK(dispatch.MissedBefore(7, 10).empty());
  // It had not been one.
  dispatch.Pushed(7, 11, 0);
  CHECK(dispatch.MissedBefore(7, 12).empty());
  // It is asked under a number which.
  CHECK(dispatch.Missed(7, false).empty());
  dispatch.Pushed(7, 13, 0);
  CHECK(dispatch.MissedBefore(7, 12) == std::vector<std::uint64_t>{11});
  CHECK(dispatch.in_flight(7) == 1);
  // One of the two for certain, and perhaps the other.
  dispatch.Pushed(7, 14, 0);
  CHECK(dispatch.Missed(7, true).empty());
  CHECK(dispatch.Missed(7, false).empty());
  CHECK(dispatch.Missed(7, true) == std::vector<std::uint64_t>{13, 14});
}

}  // namespace slc
