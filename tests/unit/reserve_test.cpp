#include "daemon/reserve.h"

#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

using Records = std::vector<std::string>;

}  // namespace

TEST_CASE("What is written to the reserve is read again, by the next one too, oldest first") {
  TempFolder folder;
  Reserve reserve(folder.fd(), "reserve");
  CHECK_FALSE(reserve.Append("too early"));
  REQUIRE(reserve.Renew());
  CHECK(reserve.Read().empty());
  REQUIRE(reserve.Append("one"));
  REQUIRE(reserve.Append("two"));
  Reserve next(folder.fd(), "reserve");
  CHECK(next.Read() == Records{"one", "two"});
  REQUIRE(next.Append("three"));
  CHECK(reserve.Read() == Records{"one", "two", "three"});
  CHECK(folder.Read("reserve").size() == Reserve::kBytes);
}

TEST_CASE("The reserve takes what fits and no more, and is empty when it was renewed") {
  TempFolder folder;
  Reserve reserve(folder.fd(), "reserve");
  REQUIRE(reserve.Renew());
  const std::string quarter(Reserve::kBytes / 4 - 1, 'x');
  for (int i = 0; i < 4; ++i) REQUIRE(reserve.Append(quarter));
  CHECK_FALSE(reserve.Append(""));
  CHECK(folder.Read("reserve").size() == Reserve::kBytes);
  REQUIRE(reserve.Renew());
  CHECK(reserve.Read().empty());
  CHECK(reserve.Append(quarter));
}

TEST_CASE("A record that a crash has cut off does not spoil the next") {
  TempFolder folder;
  Reserve reserve(folder.fd(), "reserve");
  REQUIRE(reserve.Renew());
  REQUIRE(reserve.Append("one"));
  std::string bytes = folder.Read("reserve");
  bytes.replace(4, 2, "tw");
  folder.Write("reserve", bytes);
  Reserve next(folder.fd(), "reserve");
  CHECK(next.Read() == Records{"one", "tw"});
  REQUIRE(next.Append("three"));
  CHECK(next.Read() == Records{"one", "tw", "three"});
}

TEST_CASE("A reserve that somebody has cut off is made anew, not written to") {
  TempFolder folder;
  Reserve reserve(folder.fd(), "reserve");
  REQUIRE(reserve.Renew());
  folder.Write("reserve", "\n");
  CHECK_FALSE(reserve.Append("one"));
  REQUIRE(reserve.Renew());
  CHECK(reserve.Append("one"));
}

}  // namespace slc
