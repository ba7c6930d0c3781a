#include "tests/system/harness/load_client.h"

#include <csignal>
#include <set>
#include <sstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json_fields.h"
#include "tests/system/harness/world.h"

namespace slc::test {

const LaneReport& LoadReport::lane(const std::string& name) const {
  for (const LaneReport& each : lanes) {
    if (each.name == name) return each;
  }
  FAIL("the load client reports no lane ", name, ": ", text);
  return lanes.front();
}

std::int64_t LoadReport::ok() const {
  std::int64_t sum = 0;
  for (const LaneReport& each : lanes) sum += each.ok;
  return sum;
}

std::int64_t LoadReport::failed() const {
  std::int64_t sum = 0;
  for (const LaneReport& each : lanes) sum += each.failed;
  return sum;
}

LoadClient::LoadClient(World& world, const Words& lanes, const Words& options) {
  Words command{BinaryPath("slc-load"), "--until-signal", "--json"};
  command.insert(command.end(), options.begin(), options.end());
  for (const std::string& lane : lanes) {
    command.emplace_back("--lane");
    command.push_back(lane);
  }
  process_ = std::make_unique<Running>(world.BeginProgram(command));
  WaitUntil(
      [&] {
        if (process_->HasEnded()) FAIL("slc-load ended at once: ", process_->Wait().err);
        return connections() > 0;
      },
      10'000, "the load client's first connection");
}

std::size_t LoadClient::connections() const {
  std::set<std::string> own;
  for (const std::string& target : DescriptorTargets(process_->pid())) {
    if (StartsWith(target, "socket:[")) own.insert(target.substr(8, target.size() - 9));
  }
  std::size_t established = 0;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    for (const std::string& line : LinesOf(ReadText(table))) {
      std::istringstream words(line);
      std::vector<std::string> fields;
      for (std::string word; words >> word;) fields.push_back(word);
      if (fields.size() > 9 && fields[3] == "01" && own.count(fields[9]) > 0) ++established;
    }
  }
  return established;
}

LoadReport LoadClient::Stop(Millis deadline) {
  process_->Signal(SIGTERM);
  const Ran& ran = process_->Wait(deadline);
  LoadReport report;
  report.text = ran.out;
  auto parsed = ParseJson(ran.out);
  if (!parsed) FAIL("slc-load printed no JSON: ", ran.out, ran.err);
  report.passed = ran.code == 0 && parsed->at("passed").get<bool>();
  for (const auto& each : parsed->at("lanes")) {
    LaneReport lane;
    lane.name = each.at("name");
    lane.attempted = each.at("attempted");
    lane.sent = each.at("sent");
    lane.ok = each.at("ok");
    for (const auto& [kind, count] : each.at("failures").items()) {
      if (kind == "total") {
        lane.failed = count;
      } else {
        lane.failures[kind] = count;
      }
    }
    for (const auto& failure : each.at("first_failures")) {
      const Millis since_start = static_cast<Millis>(failure.at("at_ms").get<double>());
      lane.first_failures.push_back({parsed->at("started_ms").get<Millis>() + since_start,
                                     failure.at("kind"), failure.at("text")});
    }
    lane.closed_between = each.at("closed_between");
    lane.reset_between = each.at("reset_between");
    lane.connections = each.at("connections_opened");
    if (const auto& slowest = each.at("latency_ms").at("max"); slowest.is_number()) {
      lane.slowest = static_cast<Millis>(slowest.get<double>());
      lane.slowest_at = parsed->at("started_ms").get<Millis>() +
                        static_cast<Millis>(each.at("slowest_at_ms").get<double>());
    }
    if (each.at("longest_gap_ms").is_number()) lane.longest_gap_ms = each.at("longest_gap_ms");
    for (const auto& [worker, counts] : each.at("workers").items()) {
      lane.requests_by_worker[worker] = counts.at("requests");
      lane.connections_by_worker[worker] = counts.at("connections");
    }
    report.lanes.push_back(std::move(lane));
  }
  return report;
}

}  // namespace slc::test
