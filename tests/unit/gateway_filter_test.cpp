#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "daemon/gateway/strongloop/filter.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

const std::vector<json> kRows{
    json{{"id", 1}, {"name", "web"}, {"pid", 10}, {"stopReason", ""}, {"stopTime", nullptr}},
    json{{"id", 2}, {"name", "7"}, {"pid", 7}, {"stopReason", "2"}, {"stopTime", "2026-11-22"}},
    json{{"id", 3}, {"name", "api"}, {"pid", 11}, {"stopReason", ""}, {"stopTime", nullptr}},
    json{{"id", 7}, {"name", "cron"}, {"stopReason", "SIGTERM"}, {"stopTime", "2026-11-23"}},
};

// The ids of what is found, or why nothing is.
std::string Ids(const std::vector<std::pair<std::string, std::string>>& query) {
  auto filter = Filter::OfQuery(query);
  if (!filter) return filter.error().message;
  std::string ids;
  for (const json& row : filter->Apply(kRows)) ids += (ids.empty() ? "" : " ") + row["id"].dump();
  return ids;
}
std::string Ids(const std::string& filter) { return Ids({{"filter", filter}}); }

TEST_CASE("rows are found as the original's clients ask for them") {
  CHECK(Ids(std::vector<std::pair<std::string, std::string>>{}) == "1 2 3 7");
  CHECK(Ids({{"other", "x"}}) == "1 2 3 7");
  CHECK(Ids(R"({"order":["id ASC"]})") == "1 2 3 7");
  CHECK(Ids(R"({"order":["id ASC"],"where":{"or":[{"name":"web"},{"id":"web"}]}})") == "1");
  CHECK(Ids(R"({"order":["id ASC"],"where":{"or":[{"name":"7"},{"id":"7"}]}})") == "2 7");
  CHECK(Ids(R"({"limit":1,"where":{"or":[{"pid":"11"},{"workerId":"11"}],"stopReason":""}})") ==
        "3");
  CHECK(Ids(R"({"order":["stopTime DESC","name ASC"]})") == "7 2 3 1");
  CHECK(Ids(R"({"order":"stopTime","skip":1,"limit":"2"})") == "3 2");
  CHECK(Ids(R"({"where":{"id":"1.5"}})").empty());
  CHECK(Ids(R"({"where":{"id":"abc"}})").empty());
  CHECK(Ids(R"({"where":{"pid":null}})") == "7");
  CHECK(Ids(R"({"where":{"stopReason":null}})").empty());
}

TEST_CASE("the bracket form says the same") {
  CHECK(Ids({{"filter[where][stopTime]", "null"}, {"filter[limit]", "1"}}) == "1");
  CHECK(Ids({{"filter[where][name]", "api"}}) == "3");
  CHECK(Ids({{"filter[where][or][0][id]", "1"}, {"filter[where][or][1][id]", "3"}}) == "1 3");
  CHECK(Ids({{"filter[order][]", "id DESC"}}) == "7 3 2 1");
  CHECK(Ids({{"filter[where][id][gt]", "2"}}) == "3 7");
  CHECK(Ids({{"filter[where]", "x"}, {"filter[where][id]", "1"}}) ==
        "filter: two values for filter[where][id]");
}

TEST_CASE("operations, and what is none") {
  CHECK(Ids(R"({"where":{"id":{"neq":1}}})") == "2 3 7");
  CHECK(Ids(R"({"where":{"id":{"inq":["1",7]}}})") == "1 7");
  CHECK(Ids(R"({"where":{"id":{"nin":[1,7]}}})") == "2 3");
  CHECK(Ids(R"({"where":{"id":{"between":[2,3]}}})") == "2 3");
  CHECK(Ids(R"({"where":{"id":{"gte":2,"lt":7}}})") == "2 3");
  CHECK(Ids(R"({"where":{"and":[{"stopReason":""},{"id":{"lte":1}}]}})") == "1");
  CHECK(Ids(R"({"where":{"pid":{"gt":0}}})") == "1 2 3");
  CHECK(Ids(R"({"where":{"name":{"regexp":"(a+)+$"}}})") ==
        "filter: the operation regexp is not known");
  CHECK(Ids(R"({"where":[]})") == "filter: where is not an object");
  CHECK(Ids(R"({"where":{"or":{}}})") == "filter: or is not a list");
  CHECK(Ids(R"({"limit":"x"})") == "filter: limit is not a number");
  CHECK(Ids(R"({"order":[1]})") == "filter: order is not a text");
  CHECK(Ids("[]") == "filter: not an object");
  CHECK(Ids("{") == "filter: this is not JSON");
  std::string deep = "{}";
  for (int i = 0; i < 20; ++i) deep = R"({"or":[)" + deep + "]}";
  CHECK(Ids(R"({"where":)" + deep + "}") == "filter: nested too deep");
}

TEST_CASE("only the fields that are asked for, and the first") {
  auto filter = Filter::OfJson(json{{"fields", {"id", "nothing"}}, {"order", "id DESC"}});
  REQUIRE(filter);
  CHECK(filter->First(kRows) == json{{"id", 7}});
  CHECK(filter->First({}).is_null());
  filter = Filter::OfJson(json{{"fields", {{"name", true}, {"id", false}}}});
  CHECK(filter->First(kRows) == json{{"name", "web"}});
  filter = Filter::OfWhere({{"where", R"({"id":3})"}});
  REQUIRE(filter);
  CHECK(filter->Matches(kRows[2]));
  CHECK_FALSE(filter->Matches(kRows[0]));
}

}  // namespace
}  // namespace slc::gateway
