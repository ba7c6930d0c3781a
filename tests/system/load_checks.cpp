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
    const auto whole_of = [](const nlohmann::json& object, const char* key) {
      return object.at(key).is_number() ? std::to_string(object.at(key).get<int>()) : "?";
    };
    const auto whole = [&](const char* key) { return whole_of(lane.at("latency_ms"), key); };
    text += "\n    " + lane.at("name").get<std::string>() + ": " +
            std::to_string(lane.at("ok").get<std::int64_t>()) + " ok, " +
            std::to_string(lane.at("failures").at("total").get<std::int64_t>()) + " failed; " +
            std::to_string(lane.at("connections_opened").get<std::int64_t>()) +
            " connections; p50 " + whole("p50") + ", p99 " + whole("p99") + ", max " +
            whole("max") + " ms, connected within " + whole_of(lane, "connect_max_ms") + " ms";
    if (lane.at("pace_per_second").is_number()) {
      text += "; " + std::to_string(lane.at("requests_per_second").get<int>()) + "/s of " +
              std::to_string(lane.at("pace_per_second").get<int>());
    }
  }
  return text;
}

void CheckLoaded(const LoadReport& report, const HeldUp& held) {
  INFO(report.text);
  constexpr double kMsPerSecond = 1000;
  for (const LaneReport& lane : report.lanes) {
    INFO("lane ", lane.name);
    CHECK(lane.ok > 0);
    if (!lane.pace) continue;
    const auto waited = held.find(lane.name);
    const double still =
        waited == held.end() ? 0 : static_cast<double>(waited->second) / kMsPerSecond;
    CHECK(static_cast<double>(lane.ok) >= (lane.elapsed_s - still) * *lane.pace / 2);
  }
}

void CheckNoneFailed(const LoadReport& report, const HeldUp& held) {
  INFO(report.text);
  CheckLoaded(report, held);
  for (const LaneReport& lane : report.lanes) {
    INFO("lane ", lane.name);
    CHECK(lane.failed == 0);
    CHECK(lane.failures.at("fin_crossed") == 0);
    CHECK(lane.ok == lane.attempted);
  }
  CHECK(report.passed);
}

}  // namespace slc::test
