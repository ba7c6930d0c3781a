// What counts as breaking the protocol of a channel, and what must not.
#include "daemon/master/core/conduct.h"

#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/model/json_fields.h"
#include "daemon/master/core/json_shape.h"
#include "tests/unit/histories.h"

namespace slc {
namespace {

// `count` times the same, `pause` ms apart; the breach that comes of it, empty if none.
template <typename Fact>
std::string Repeat(Conduct& conduct, std::size_t count, Millis pause, const Fact& fact,
                   Millis start = 1000) {
  for (std::size_t i = 0; i < count; ++i) {
    const Millis now = start + static_cast<Millis>(i) * pause;
    conduct.On(fact, now);
    if (conduct.deadline() && *conduct.deadline() > now) continue;
    if (const auto breach = conduct.TakeBreach(now)) return *breach;
  }
  return {};
}

std::string BreachOf(Conduct& conduct, Millis now) {
  return conduct.TakeBreach(now).value_or(std::string());
}

bool HasShape(const std::string& text) {
  JsonShape shape;
  shape.Take(text);
  return shape.whole();
}

// Some JSON value; deeper ones are rarer.
nlohmann::json AnyJson(Random& random, int depth) {
  switch (random.Below(depth > 6 ? 4U : 6U)) {
    case 0:
      return nullptr;
    case 1:
      return random.Chance(50);
    case 2:
      return static_cast<double>(random.Between(-1'000'000, 1'000'000)) / 7;
    case 3: {
      static const std::string kLetters = "a[]{}\"\\,:\n\x01 ";
      std::string text;
      for (Millis i = random.Between(0, 8); i > 0; --i) {
        text += kLetters[random.Below(static_cast<unsigned>(kLetters.size()))];
      }
      return text;
    }
    case 4: {
      nlohmann::json list = nlohmann::json::array();
      for (Millis i = random.Between(0, 4); i > 0; --i) list.push_back(AnyJson(random, depth + 1));
      return list;
    }
    default: {
      nlohmann::json object = nlohmann::json::object();
      for (Millis i = random.Between(0, 4); i > 0; --i) {
        object["k\"" + std::to_string(i)] = AnyJson(random, depth + 1);
      }
      return object;
    }
  }
}

}  // namespace

TEST_CASE("One accident is no breach, many are") {
  Conduct once;
  CHECK(Repeat(once, Conduct::kMostUnreadable, 0, LineUnreadable{}).empty());
  CHECK_FALSE(once.deadline());
  CHECK(Repeat(once, 1, 0, LineUnreadable{}) ==
        "broke the protocol of its channel: messages that are not JSON");
  // Rarely, but for ever.
  Conduct rarely;
  CHECK(Repeat(rarely, 1000, 2000, LineUnreadable{}).empty());
}

TEST_CASE("A breach is told once, and at once") {
  Conduct conduct;
  conduct.On(DescriptorsCame{1, false}, 5000);
  CHECK(conduct.deadline() == 0);
  CHECK_FALSE(BreachOf(conduct, 5000).empty());
  CHECK_FALSE(conduct.deadline());
  conduct.On(DescriptorsCame{1, false}, 5000);
  CHECK(BreachOf(conduct, 99'999).empty());
}

TEST_CASE("Descriptors: one with its announcement, and nothing else") {
  Conduct conduct;
  CHECK(Repeat(conduct, 10'000, 0, DescriptorsCame{1, true}).empty());
  CHECK_FALSE(Repeat(conduct, 1, 0, DescriptorsCame{2, true}).empty());
}

TEST_CASE("Large and deep messages of an app are its own business, within reason") {
  Conduct large;
  CHECK(Repeat(large, 1, 0, LineGrows{Conduct::kMostOfLine, Conduct::kMostOfLine}).empty());
  CHECK_FALSE(Repeat(large, 1, 0, LineGrows{1000, Conduct::kMostOfLine + 1}).empty());
  Conduct deep;
  CHECK(Repeat(deep, 100'000, 0, LineNested{Conduct::kMostDepth}).empty());
  CHECK_FALSE(Repeat(deep, 1, 0, LineNested{Conduct::kMostDepth + 1}).empty());
}

TEST_CASE("A line in crumbs is a breach, a line that waits is not") {
  // A byte a second.
  Conduct dribbles;
  std::string breach;
  Millis now = 1000;
  for (std::size_t total = 1; breach.empty() && total < 100; ++total, now += 1000) {
    dribbles.On(LineGrows{1, total}, now);
    breach = BreachOf(dribbles, now);
  }
  CHECK(breach == "broke the protocol of its channel: a message in crumbs of some bytes");
  CHECK(now <= 1000 + 5000);
  // The rest of a large message comes when the worker has time for it.
  Conduct busy;
  for (std::size_t i = 1; i <= 50; ++i) busy.On(LineGrows{60'000, i * 60'000}, 10'000 * Millis(i));
  CHECK(BreachOf(busy, 600'000).empty());
  // Somebody who writes a message in many small pieces, but in one go.
  Conduct small;
  for (int line = 0; line < 100; ++line) {
    for (std::size_t i = 1; i <= 40; ++i) small.On(LineGrows{1, i}, 5000 * line);
  }
  CHECK(BreachOf(small, 600'000).empty());
}

TEST_CASE("Who closes its reading side, or says that it leaves, has a moment to do so") {
  Conduct deaf;
  deaf.On(Deafened{}, 1000);
  CHECK(deaf.deadline() == 1000 + Conduct::kDeafFor);
  CHECK(BreachOf(deaf, 1999).empty());
  deaf.On(Deafened{}, 1999);
  CHECK_FALSE(BreachOf(deaf, 2000).empty());
  // The first sign of a worker that ends.
  Conduct ends;
  ends.On(Deafened{}, 1000);
  ends.On(ChannelClosed{}, 1001);
  ends.On(Deafened{}, 1002);
  CHECK_FALSE(ends.deadline());
  CHECK(BreachOf(ends, 100'000).empty());

  Conduct stays;
  stays.On(AnnouncedLeave{}, 1000);
  stays.On(AnnouncedLeave{}, 3000);
  CHECK(stays.deadline() == 1000 + Conduct::kLeavesWithin);
  CHECK(BreachOf(stays, 4000) ==
        "broke the protocol of its channel: it said that it disconnects, and did not");
  Conduct leaves;
  leaves.On(AnnouncedLeave{}, 1000);
  leaves.On(ChannelClosed{}, 1010);
  CHECK(BreachOf(leaves, 100'000).empty());
}

TEST_CASE("Requests and false answers have their limits, which no sound worker comes near") {
  // 200 listeners at boot, each asked for and named.
  Conduct many;
  CHECK(Repeat(many, 400, 0, Requested{}).empty());
  CHECK_FALSE(Repeat(many, Conduct::kMostRequests, 0, Requested{}).empty());
  // A server that is opened and closed 40 times a second for an hour.
  Conduct busy;
  CHECK(Repeat(busy, 3600 * 120, 8, Requested{}).empty());
  // What a killed master was owed.
  Conduct adopted;
  CHECK(Repeat(adopted, 64, 0, AnsweredUnasked{}).empty());
  CHECK_FALSE(Repeat(adopted, Conduct::kMostFalseAnswers, 0, AnsweredUnasked{}).empty());
  Conduct silent;
  CHECK_FALSE(Repeat(silent, 1, 0, LeftUnread{}).empty());
}

TEST_CASE("Whatever is JSON has the shape of JSON, in whatever pieces it comes") {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const std::string text = DumpJson(AnyJson(random, 0));
    CAPTURE(text);
    JsonShape shape;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t piece = 1 + random.Below(5);
      shape.Take(std::string_view(text).substr(at, piece));
      at += piece;
    }
    CHECK(shape.whole());
    // A value that is cut off has not, unless what is left is a number or a word.
    const char last = text.back();
    if (last == '}' || last == ']' || last == '"') {
      CHECK_FALSE(HasShape(text.substr(0, text.size() - 1)));
      CHECK_FALSE(HasShape(text + last));
    }
  }
  for (const char* text : {"", "garbage", "[", "]", "\"", "[\"]", "{}x", "\\"}) {
    CAPTURE(text);
    CHECK_FALSE(HasShape(text));
  }
}

}  // namespace slc
