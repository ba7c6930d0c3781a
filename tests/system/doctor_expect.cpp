#include "tests/system/doctor_expect.h"

#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace slc::test {

using nlohmann::json;

json FindingOf(const json& answer, const std::string& check, const std::string& level) {
  for (const json& finding : answer.at("findings")) {
    if (finding.at("check") == check && finding.at("level") == level) return finding;
  }
  FAIL("no finding '", level, "' of '", check, "' in ", answer.dump(1));
  return {};
}

void ExpectFinding(World& world, const std::string& check, const std::string& level,
                   const std::string& part, const Options& options) {
  const json answer = world.Json({"doctor"}, options);
  const json finding = FindingOf(answer, check, level);
  const std::string text =
      finding.at("text").get<std::string>() + ": " + finding.at("advice").get<std::string>();
  CHECK_MESSAGE(Contains(text, part), part, " is not in: ", text);
  CHECK((level != "wrong" || answer.at("ok") == false));
  CHECK((level == "ok" || !finding.at("advice").get<std::string>().empty()));
}

void LetProcessesAge() {
  const Millis begun = BootNow();
  WaitUntil([&] { return BootNow() > begun + 50; }, 10'000, "processes to be older");
}

void LeaveDaemon(World& world) {
  const auto daemon = world.Daemon();
  REQUIRE(daemon);
  Kill(*daemon, SIGTERM);
  WaitUntil([&] { return !IsAlive(*daemon); }, 5'000, "slcd to leave");
}

}  // namespace slc::test
