#include "daemon/gateway/core/shared_looks.h"

#include <deque>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/histories.h"

namespace slc::gateway {
namespace {

Look LookAt(const std::string& target) { return {"user ops", {Scope::kAdmin}, target}; }

TEST_CASE("the first asks, who comes meanwhile has it asked again, all get one answer each") {
  SharedLooks<int> looks;
  const Look look = LookAt("/api/Services");
  CHECK(looks.Join(look, 1));
  CHECK_FALSE(looks.Join(look, 2));
  CHECK_FALSE(looks.Join(look, 3));
  const auto first = looks.Conclude(look);
  CHECK(first.askers == std::vector<int>{1});
  CHECK(first.again);
  CHECK_FALSE(looks.Join(look, 4));
  const auto second = looks.Conclude(look);
  CHECK(second.askers == std::vector<int>{2, 3});
  CHECK(second.again);
  const auto third = looks.Conclude(look);
  CHECK(third.askers == std::vector<int>{4});
  CHECK_FALSE(third.again);
  CHECK(looks.empty());
  CHECK(looks.Join(look, 5));
}

TEST_CASE("looks of others, with other rights, or at something else are not shared") {
  SharedLooks<int> looks;
  CHECK(looks.Join(LookAt("/api/Services"), 1));
  CHECK(looks.Join(LookAt("/api/Services?"), 2));
  CHECK(looks.Join({"token ci", {Scope::kAdmin}, "/api/Services"}, 3));
  CHECK(looks.Join({"user ops", {Scope::kRead}, "/api/Services"}, 4));
  CHECK(looks.Join({"user ops", {Scope::kAdmin, Scope::kRead}, "/api/Services"}, 5));
  CHECK(looks.Conclude(LookAt("/api/Services")).askers == std::vector<int>{1});
}

// Clients, the gateway and slcd, with a state that changes all the time: questions travel to slcd,
// which answers each with the state of that moment, and answers travel back, both as late as they
// like.
class World {
 public:
  explicit World(Random& random) : random_(random) {}

  std::string Run() {
    const unsigned steps = 5 + random_.Below(200);
    for (unsigned i = 0; i < steps && wrong_.empty(); ++i) Step();
    while (wrong_.empty() && (!to_slcd_.empty() || !to_gateway_.empty())) {
      if (!to_slcd_.empty()) Answer();
      if (!to_gateway_.empty()) Deliver();
    }
    if (wrong_.empty() && !asked_at_.empty()) wrong_ = "somebody was never answered";
    if (wrong_.empty() && !looks_.empty()) wrong_ = "something is left over";
    return wrong_;
  }

 private:
  struct Asked {
    int target = 0;
    int at = 0;            // the state when he asked
    unsigned answers = 0;  // of his look that came since
  };

  void Step() {
    switch (random_.Below(4)) {
      case 0:
        ++state_;
        break;
      case 1:
        Come();
        break;
      case 2:
        if (!to_slcd_.empty()) Answer();
        break;
      default:
        if (!to_gateway_.empty()) Deliver();
    }
  }

  void Come() {
    const int target = static_cast<int>(random_.Below(3));
    const int client = ++clients_;
    asked_at_[client] = {target, state_, 0};
    if (looks_.Join(Of(target), client)) Ask(target);
  }

  static Look Of(int target) { return LookAt(std::to_string(target)); }

  void Ask(int target) {
    if (++under_way_[target] > 1) wrong_ = "two questions for the same are under way";
    to_slcd_.push_back(target);
  }

  void Answer() {
    to_gateway_.emplace_back(to_slcd_.front(), state_);
    to_slcd_.pop_front();
  }

  void Deliver() {
    const auto [target, state] = to_gateway_.front();
    to_gateway_.pop_front();
    --under_way_[target];
    for (auto& [client, asked] : asked_at_) {
      if (asked.target == target && ++asked.answers > 2) wrong_ = "somebody waits too long";
    }
    const auto concluded = looks_.Conclude(Of(target));
    if (concluded.again) Ask(target);
    if (concluded.askers.empty()) wrong_ = "nobody has asked that";
    for (const int client : concluded.askers) {
      const auto found = asked_at_.find(client);
      if (found == asked_at_.end()) {
        wrong_ = "answered twice";
      } else if (found->second.target != target) {
        wrong_ = "answered with something else";
      } else if (state < found->second.at) {
        wrong_ = "told what was over before he asked";
      }
      asked_at_.erase(client);
      // Who has an answer may ask the next moment, from within it.
      if (random_.Chance(20)) Come();
    }
  }

  Random& random_;
  SharedLooks<int> looks_;
  std::map<int, Asked> asked_at_;
  std::map<int, int> under_way_;
  std::deque<int> to_slcd_;
  std::deque<std::pair<int, int>> to_gateway_;  // target, and the state it is answered with
  int state_ = 0;
  int clients_ = 0;
  std::string wrong_;
};

TEST_CASE("random histories: everybody is answered once, soon, and with nothing that was over") {
  RunHistories(10'000, [](Random& random) { return World(random).Run(); });
}

}  // namespace
}  // namespace slc::gateway
