#include "tests/system/harness/load_client.h"

#include <algorithm>
#include <csignal>
#include <set>
#include <sstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json_fields.h"
#include "tests/system/harness/world.h"

namespace slc::test {

namespace {

LoadReport ParseReport(const std::string& line) {
  LoadReport report;
  report.text = line;
  auto parsed = ParseJson(line);
  if (!parsed) FAIL("slc-load printed no JSON: ", line);
  report.passed = parsed->at("passed").get<bool>();
  for (const auto& each : parsed->at("lanes")) {
    LaneReport lane;
    lane.name = each.at("name");
    lane.keeps = each.at("mode") == "keepalive";
    lane.connections_at_once = each.at("connections");
    if (each.at("pace_per_second").is_number()) lane.pace = each.at("pace_per_second");
    lane.elapsed_s = each.at("elapsed_seconds");
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
    lane.served = each.at("connections_served");
    if (const auto& connect = each.at("connect_max_ms"); connect.is_number()) {
      lane.slowest_connect = static_cast<Millis>(connect.get<double>());
    }
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

}  // namespace

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
        // A connection of half a millisecond is never met by a look at all there are.
        return connections() > 0 || HasConnected();
      },
      10'000, "the load client's first connection");
}

bool LoadClient::HasConnected() {
  // SIGUSR1 ends it before it listens to signals.
  const auto targets = DescriptorTargets(process_->pid());
  if (std::count(targets.begin(), targets.end(), "anon_inode:[signalfd]") == 0) return false;
  const LoadReport report = SoFar();
  return std::any_of(report.lanes.begin(), report.lanes.end(),
                     [](const LaneReport& lane) { return lane.connections > 0; });
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

LoadReport LoadClient::SoFar() {
  process_->Signal(SIGUSR1);
  std::string line;
  WaitUntil([&] { return EndsWith(line = process_->out(seen_), "\n"); }, 10'000,
            "the load client's report");
  seen_ += line.size();
  return ParseReport(line);
}

void LoadClient::AwaitKept() {
  WaitUntil(
      [&] {
        const LoadReport report = SoFar();
        return std::all_of(report.lanes.begin(), report.lanes.end(), [](const LaneReport& lane) {
          return !lane.keeps || lane.served >= lane.connections_at_once;
        });
      },
      10'000, "an answer on each connection that is kept");
}

void LoadClient::AwaitAnswers(std::int64_t more) {
  constexpr double kMsPerSecond = 1000;
  const LoadReport before = SoFar();
  double longest = 0;
  for (const LaneReport& lane : before.lanes) {
    if (lane.pace) longest = std::max(longest, static_cast<double>(more) / *lane.pace);
  }
  WaitUntil(
      [&] {
        const LoadReport now = SoFar();
        return std::all_of(now.lanes.begin(), now.lanes.end(), [&](const LaneReport& lane) {
          return lane.ok >= before.lane(lane.name).ok + more;
        });
      },
      static_cast<Millis>(longest * 3 * kMsPerSecond),
      std::to_string(more) + " more answers in each lane");
}

LoadReport LoadClient::Stop(Millis deadline) {
  process_->Signal(SIGTERM);
  const Ran& ran = process_->Wait(deadline);
  if (ran.out.empty()) FAIL("slc-load printed no report: ", ran.err);
  LoadReport report = ParseReport(LinesOf(ran.out).back());
  report.passed = report.passed && ran.code == 0;
  return report;
}

}  // namespace slc::test
