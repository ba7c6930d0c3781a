#include "tests/system/load_checks.h"

#include <cstdlib>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace slc::test {

bool Long() {
  const char* set = std::getenv("SLC_LONG");
  return set != nullptr && std::string(set) == "1";
}

std::string Figures(const LoadReport& report) {
  std::string text;
  const auto parsed = nlohmann::json::parse(report.text);
  for (const auto& lane : parsed.at("lanes")) {
    const auto& latency = lane.at("latency_ms");
    const auto whole = [&](const char* key) {
      return latency.at(key).is_number() ? std::to_string(latency.at(key).get<int>()) : "?";
    };
    text += "\n    " + lane.at("name").get<std::string>() + ": " +
            std::to_string(lane.at("ok").get<std::int64_t>()) + " ok, " +
            std::to_string(lane.at("failures").at("total").get<std::int64_t>()) + " failed; " +
            std::to_string(lane.at("connections_opened").get<std::int64_t>()) +
            " connections; p50 " + whole("p50") + ", p99 " + whole("p99") + ", max " +
            whole("max") + " ms";
  }
  return text;
}

void CheckNoneFailed(const LoadReport& report) {
  INFO(report.text);
  for (const LaneReport& lane : report.lanes) {
    INFO("lane ", lane.name);
    CHECK(lane.failed == 0);
    CHECK(lane.failures.at("fin_crossed") == 0);
    CHECK(lane.ok > 0);
    CHECK(lane.ok == lane.attempted);
  }
  CHECK(report.passed);
}

}  // namespace slc::test
