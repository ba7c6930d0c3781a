#include <doctest/doctest.h>

#include "ctl/inspect/growth.h"

namespace slc::ctl {

TEST_CASE("What grew most comes first, and what shrank is not called growth") {
  const auto growth =
      ReadGrowth(R"({"since":1000,"until":61000,"paused_ms":7,"objects":50,"classes":{)"
                 R"("Small":{"count":1,"size":24,"total":2,"total_size":48},)"
                 R"("Gone":{"count":-3,"size":-72,"total":0,"total_size":0},)"
                 R"("Leak\u001b":{"count":3000,"size":120000,"total":3001,"total_size":120040}}})");
  REQUIRE(growth);
  CHECK(growth->paused == 7);
  REQUIRE(growth->classes.size() == 3);
  CHECK(growth->classes[0].count == 3000);
  CHECK(GrowthText(*growth, 1) ==
        "In 1m0s, of 50 objects (bytes are estimated):\n"
        "Class     Growth  Growth in bytes  Objects  Bytes\n"
        "Leak\\x1b  +3000   +120000          3001     120040\n"
        "2 more classes changed: --json\n");
  CHECK(GrowthText(*growth, 20).find("Gone") == std::string::npos);
}

TEST_CASE("Counts without growth, or that are none") {
  const auto none = ReadGrowth(R"({"since":1,"until":2,"objects":5,"classes":{}})");
  REQUIRE(none);
  CHECK(GrowthText(*none, 5).find("No class grew") != std::string::npos);
  CHECK_FALSE(ReadGrowth("{"));
  CHECK_FALSE(ReadGrowth(R"({"classes":[]})"));
  CHECK_FALSE(ReadGrowth(R"({"classes":{"A":{"count":"x"}}})"));
  CHECK_FALSE(ReadGrowth(R"({"since":-9223372036854775808,"until":1})"));
  CHECK_FALSE(ReadGrowth(R"({"until":9223372036854775807})"));
}

}  // namespace slc::ctl
