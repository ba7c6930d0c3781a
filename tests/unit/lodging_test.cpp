#include "daemon/core/lodging.h"

#include <string>

#include <doctest/doctest.h>

namespace slc {
namespace {

const FileId kLock{1, 10};
const FileId kOtherLock{1, 11};
const LodgingFacts::Socket kOld{{1, 20}, 5};
const LodgingFacts::Socket kNew{{1, 20}, 6};  // file systems give a number out again at once
const LodgingFacts::Socket kPlanted{{1, 21}, 7};

std::string Lost(Lodging& lodging, const LodgingFacts& facts) {
  const char* lost = lodging.Lost(facts);
  return lost == nullptr ? "" : lost;
}

TEST_CASE("lodging: a master that has not made its lock and its socket yet has lost nothing") {
  Lodging lodging;
  lodging.Launch({true, std::nullopt, std::nullopt});
  CHECK(Lost(lodging, {true, std::nullopt, std::nullopt}).empty());
  CHECK(Lost(lodging, {true, kLock, std::nullopt}).empty());
  // A disk without room: for ever.
  CHECK(Lost(lodging, {true, kLock, std::nullopt}).empty());
  CHECK(Lost(lodging, {true, kLock, kNew}).empty());
}

TEST_CASE("lodging: the socket of its predecessor is not missed") {
  Lodging lodging;
  lodging.Launch({true, kLock, kOld});
  CHECK(Lost(lodging, {true, kLock, kOld}).empty());
  CHECK(Lost(lodging, {true, kLock, std::nullopt}).empty());
  CHECK(Lost(lodging, {true, kLock, kNew}).empty());
  CHECK(Lost(lodging, {true, kLock, std::nullopt}) == "socket");
  lodging.Launch({true, kLock, kNew});
  CHECK(Lost(lodging, {true, kLock, std::nullopt}).empty());
}

TEST_CASE("lodging: what was there of a master and is not any more, or is another's, is lost") {
  for (const bool found : {false, true}) {
    Lodging lodging;
    const LodgingFacts whole{true, kLock, kNew};
    const auto begin = [&] {
      if (found) return lodging.Find(whole);
      lodging.Launch({true, kLock, kOld});
      CHECK(Lost(lodging, whole).empty());
    };
    begin();
    CHECK(Lost(lodging, whole).empty());
    CHECK(Lost(lodging, {false, std::nullopt, std::nullopt}) == "run directory");
    begin();
    CHECK(Lost(lodging, {true, std::nullopt, kNew}) == "lock");
    CHECK(Lost(lodging, {true, kOtherLock, kNew}) == "lock");
    begin();
    CHECK(Lost(lodging, {true, kLock, std::nullopt}) == "socket");
    CHECK(Lost(lodging, {true, kLock, kPlanted}) == "socket");
  }
}

}  // namespace
}  // namespace slc
