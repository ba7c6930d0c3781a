#include "tests/bench/load/report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <utility>

namespace slc::load {
namespace {

std::string Number(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string Ms(Duration duration) { return Number(ToMs(duration), 3); }

double PerSecond(const LaneReport& lane) {
  double seconds = ToSeconds(lane.elapsed);
  return seconds > 0 ? static_cast<double>(lane.tally.ok()) / seconds : 0;
}

std::string Padded(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

const char* ModeOf(const LaneOptions& options) { return options.close ? "close" : "keepalive"; }

std::string ErrnoText(int error) { return error == 0 ? "" : std::strerror(error); }

// Text for a terminal; a server chooses x-worker, and no bytes of it may move the cursor.
std::string Printable(std::string_view text) {
  std::string result;
  for (char c : text) result += (c >= 0x20 && c < 0x7f) ? c : '?';
  return result;
}

// The rows of the human table: what to print and how to get it from a lane.
struct Row {
  std::string name;
  std::vector<std::string> cells;
};

// As many failures a person reads.
constexpr std::size_t kShownFailures = 10;

std::vector<Row> RowsOf(const RunReport& run) {
  std::vector<Row> rows;
  auto add = [&](const std::string& name, auto cell) {
    Row row{name, {}};
    for (const LaneReport& lane : run.lanes) row.cells.push_back(cell(lane));
    rows.push_back(std::move(row));
  };
  auto add_count = [&](const std::string& name, auto count) {
    add(name, [&](const LaneReport& lane) { return std::to_string(count(lane.tally)); });
  };
  auto add_latency = [&](const std::string& name, auto duration) {
    add(name, [&](const LaneReport& lane) {
      return lane.tally.ok() == 0 ? std::string("-") : Ms(duration(lane.tally));
    });
  };
  add("lane", [](const LaneReport& lane) { return lane.options.name; });
  add("mode", [](const LaneReport& lane) { return std::string(ModeOf(lane.options)); });
  add_count("attempted", [](const Tally& tally) { return tally.attempted; });
  add_count("sent", [](const Tally& tally) { return tally.sent; });
  add_count("ok", [](const Tally& tally) { return tally.ok(); });
  add_count("FAILED", [](const Tally& tally) { return tally.failures(); });
  for (std::size_t i = 0; i < kFailureKinds; ++i) {
    auto kind = static_cast<FailureKind>(i);
    add_count(std::string("  ") + NameOf(kind),
              [kind](const Tally& tally) { return tally.failures(kind); });
  }
  add_count("closed between", [](const Tally& tally) { return tally.closed_between; });
  add_count("reset between", [](const Tally& tally) { return tally.reset_between; });
  add_count("connections", [](const Tally& tally) { return tally.opened; });
  add("connect max ms", [](const LaneReport& lane) {
    return lane.tally.opened == 0 ? std::string("-") : Ms(lane.tally.connect_max);
  });
  add_latency("p50 ms", [](const Tally& tally) { return tally.latency().Quantile(0.5); });
  add_latency("p90 ms", [](const Tally& tally) { return tally.latency().Quantile(0.9); });
  add_latency("p99 ms", [](const Tally& tally) { return tally.latency().Quantile(0.99); });
  add_latency("max ms", [](const Tally& tally) { return tally.latency().max(); });
  add_latency("longest gap ms", [](const Tally& tally) { return tally.longest_gap(); });
  add("ok/s", [](const LaneReport& lane) { return Number(PerSecond(lane), 1); });
  return rows;
}

std::string TableOf(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().cells.size(), 9);
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      widths[i] = std::max(widths[i], row.cells[i].size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    std::string name = row.name;
    name.resize(std::max<std::size_t>(name.size(), 15), ' ');
    text += name;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      text += "  " + Padded(row.cells[i], widths[i]);
    }
    text += '\n';
  }
  return text;
}

// Alphabetical, numbers by value: "2" before "10".
std::vector<WorkerCount> SortedWorkers(const Tally& tally) {
  std::vector<WorkerCount> workers = tally.workers();
  std::sort(workers.begin(), workers.end(), [](const WorkerCount& a, const WorkerCount& b) {
    return std::pair(a.name.size(), a.name) < std::pair(b.name.size(), b.name);
  });
  return workers;
}

std::string FailureLine(const LaneReport& lane, const Failure& failure) {
  std::string line = Padded(Number(ToMs(failure.at), 1), 10) + " ms  " + lane.options.name + "  " +
                     NameOf(failure.kind) + "  connection age " +
                     Number(ToMs(failure.connection_age), 1) + " ms, request " +
                     std::to_string(failure.requests_on_connection) + " on it";
  if (failure.error != 0) {
    line += ", errno " + std::to_string(failure.error) + " (" + ErrnoText(failure.error) + ")";
  }
  return line + ": " + Printable(failure.text) + "\n";
}

std::string JsonFailure(const Failure& failure) {
  return "{\"at_ms\":" + Ms(failure.at) + ",\"connection_age_ms\":" + Ms(failure.connection_age) +
         ",\"requests_on_connection\":" + std::to_string(failure.requests_on_connection) +
         ",\"kind\":" + JsonString(NameOf(failure.kind)) +
         ",\"errno\":" + std::to_string(failure.error) +
         ",\"errno_text\":" + JsonString(ErrnoText(failure.error)) +
         ",\"text\":" + JsonString(failure.text) + "}";
}

std::string JsonLane(const LaneReport& lane) {
  const Tally& tally = lane.tally;
  auto count = [](const char* name, std::uint64_t value) {
    return JsonString(name) + ":" + std::to_string(value);
  };
  auto ms_if = [](bool measured, Duration duration) { return measured ? Ms(duration) : "null"; };
  bool any_ok = tally.ok() > 0;
  const auto pace = lane.options.pace();
  std::string json = "{\"name\":" + JsonString(lane.options.name) +
                     ",\"url\":" + JsonString(lane.options.url_text) +
                     ",\"mode\":" + JsonString(ModeOf(lane.options)) +
                     ",\"connections\":" + std::to_string(lane.options.connections) +
                     ",\"pace_per_second\":" + (pace ? Number(*pace, 3) : "null") +
                     ",\"balanced\":" + (tally.Balances() ? "true" : "false") + "," +
                     count("attempted", tally.attempted) + "," + count("sent", tally.sent) + "," +
                     count("ok", tally.ok()) + ",\"failures\":{" + count("total", tally.failures());
  for (std::size_t i = 0; i < kFailureKinds; ++i) {
    auto kind = static_cast<FailureKind>(i);
    json += "," + count(NameOf(kind), tally.failures(kind));
  }
  json += "}," + count("closed_between", tally.closed_between) + "," +
          count("reset_between", tally.reset_between) + "," +
          count("connections_opened", tally.opened) + "," +
          count("connections_served", tally.served) +
          ",\"connect_max_ms\":" + ms_if(tally.opened > 0, tally.connect_max) +
          ",\"latency_ms\":{\"p50\":" + ms_if(any_ok, tally.latency().Quantile(0.5)) +
          ",\"p90\":" + ms_if(any_ok, tally.latency().Quantile(0.9)) +
          ",\"p99\":" + ms_if(any_ok, tally.latency().Quantile(0.99)) +
          ",\"max\":" + ms_if(any_ok, tally.latency().max()) +
          "},\"slowest_at_ms\":" + ms_if(any_ok, tally.slowest_at() - lane.start) +
          ",\"longest_gap_ms\":" + ms_if(tally.ok() > 1, tally.longest_gap()) +
          ",\"elapsed_seconds\":" + Number(ToSeconds(lane.elapsed), 3) +
          ",\"requests_per_second\":" + Number(PerSecond(lane), 1) + ",\"workers\":{";
  const char* separator = "";
  for (const WorkerCount& worker : SortedWorkers(tally)) {
    json += separator + JsonString(worker.name) + ":{" + count("connections", worker.connections) +
            "," + count("requests", worker.requests) + "}";
    separator = ",";
  }
  json += "},\"first_failures\":[";
  separator = "";
  for (const Failure& failure : tally.first_failures()) {
    json += separator + JsonFailure(failure);
    separator = ",";
  }
  return json + "]}";
}

std::string Verdict(const RunReport& run) {
  std::string verdict;
  for (const LaneReport& lane : run.lanes) {
    if (!lane.tally.Balances()) {
      verdict += "lane " + lane.options.name + ": THE BOOKS DO NOT BALANCE, a bug of slc-load\n";
    }
    if (lane.tally.ok() == 0) verdict += "lane " + lane.options.name + ": not one ok answer\n";
  }
  return verdict + (run.passed() ? "PASSED\n" : "FAILED\n");
}

}  // namespace

bool RunReport::passed() const {
  return std::all_of(lanes.begin(), lanes.end(), [](const LaneReport& lane) {
    return lane.tally.ok() > 0 && lane.tally.failures() == 0 && lane.tally.Balances();
  });
}

std::string HumanReport(const RunReport& run) {
  std::string text = TableOf(RowsOf(run));
  for (const LaneReport& lane : run.lanes) {
    for (const WorkerCount& worker : SortedWorkers(lane.tally)) {
      text += "lane " + lane.options.name + ", worker " + Printable(worker.name) + ": " +
              std::to_string(worker.connections) + " connections, " +
              std::to_string(worker.requests) + " requests\n";
    }
  }

  std::vector<std::pair<const LaneReport*, const Failure*>> failures;
  for (const LaneReport& lane : run.lanes) {
    for (const Failure& failure : lane.tally.first_failures())
      failures.emplace_back(&lane, &failure);
  }
  std::stable_sort(failures.begin(), failures.end(),
                   [](const auto& a, const auto& b) { return a.second->at < b.second->at; });
  if (failures.size() > kShownFailures) failures.resize(kShownFailures);
  if (!failures.empty()) text += "first failures:\n";
  for (const auto& [lane, failure] : failures) text += FailureLine(*lane, *failure);
  return text + Verdict(run);
}

std::string JsonReport(const RunReport& run) {
  std::string json = std::string("{\"passed\":") + (run.passed() ? "true" : "false") +
                     ",\"started_ms\":" + std::to_string(run.started_ms) +
                     ",\"elapsed_seconds\":" + Number(ToSeconds(run.elapsed), 3) + ",\"lanes\":[";
  const char* separator = "";
  for (const LaneReport& lane : run.lanes) {
    json += separator + JsonLane(lane);
    separator = ",";
  }
  return json + "]}\n";
}

std::string JsonString(std::string_view text) {
  std::string json = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", byte);
      json += escape.data();
    } else {
      json += c;
    }
  }
  return json + "\"";
}

}  // namespace slc::load
