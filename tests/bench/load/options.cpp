#include "tests/bench/load/options.h"

#include <algorithm>
#include <charconv>

namespace slc::load {
namespace {

constexpr std::int64_t kMostConnections = 50000;
constexpr std::int64_t kMostMs = 24LL * 3600 * 1000;
constexpr std::int64_t kMostBytes = std::int64_t{1} << 40;

std::optional<std::int64_t> ParseInteger(std::string_view text, std::int64_t low,
                                         std::int64_t high) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < low || value > high) return std::nullopt;
  return value;
}

std::optional<double> ParsePositive(std::string_view text, double high) {
  double value = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  // Written so that a NaN fails too.
  if (error != std::errc() || stop != end || !(value > 0 && value <= high)) return std::nullopt;
  return value;
}

// A line break in what goes into a request would be a second request.
bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7f;
  });
}

bool ParseThink(std::string_view text, LaneOptions& lane) {
  std::size_t dash = text.find('-');
  std::string_view low = text.substr(0, dash);
  std::string_view high = dash == std::string_view::npos ? low : text.substr(dash + 1);
  auto min = ParseInteger(low, 0, kMostMs);
  auto max = ParseInteger(high, 0, kMostMs);
  if (!min || !max || *min > *max) return false;
  lane.think_min = std::chrono::milliseconds(*min);
  lane.think_max = std::chrono::milliseconds(*max);
  return true;
}

bool ParseHeader(std::string_view text, LaneOptions& lane) {
  std::size_t colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos || !IsPlain(text)) return false;
  std::string_view value = text.substr(colon + 1);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  lane.headers.emplace_back(text.substr(0, colon), value);
  return true;
}

// False when `value` makes no sense for `key`, or there is no such key.
bool SetLaneKey(std::string_view key, std::string_view value, LaneOptions& lane) {
  if (key == "name") {
    lane.name = value;
    return !value.empty() && IsPlain(value);
  }
  if (key == "url") {
    auto url = ParseUrl(value);
    if (!url) return false;
    lane.url = *url;
    lane.url_text = value;
    return true;
  }
  if (key == "mode") {
    lane.close = value == "close";
    return lane.close || value == "keepalive";
  }
  if (key == "method") {
    lane.post = value == "POST";
    return lane.post || value == "GET";
  }
  if (key == "think") return ParseThink(value, lane);
  if (key == "head") return ParseHeader(value, lane);
  if (key == "rate") {
    lane.rate = ParsePositive(value, 1e6);
    return lane.rate.has_value();
  }
  if (key == "connections") {
    auto number = ParseInteger(value, 1, kMostConnections);
    lane.connections = static_cast<int>(number.value_or(1));
    return number.has_value();
  }
  if (key != "body" && key != "expect" && key != "requests") return false;
  auto number = ParseInteger(value, key == "requests" ? 1 : 0, kMostBytes);
  if (!number) return false;
  auto count = static_cast<std::uint64_t>(*number);
  if (key == "body") lane.body = count;
  if (key == "expect") lane.expect = count;
  if (key == "requests") lane.requests = count;
  return true;
}

// Empty when all is well, else what is wrong.
std::string ParseLane(std::string_view text, LaneOptions& lane) {
  while (true) {
    std::size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    std::size_t equals = item.find('=');
    if (equals == std::string_view::npos ||
        !SetLaneKey(item.substr(0, equals), item.substr(equals + 1), lane)) {
      return "--lane does not understand '" + std::string(item) + "'";
    }
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (lane.url_text.empty()) return "--lane needs url=";
  if (lane.body > 0 && !lane.post) return "--lane: body= needs method=POST";
  return {};
}

std::string CheckWhole(const Options& options) {
  if (options.lanes.empty()) return "at least one --lane is needed";
  if (options.duration && options.until_signal) return "--duration or --until-signal, not both";
  bool all_end = std::all_of(options.lanes.begin(), options.lanes.end(),
                             [](const LaneOptions& lane) { return lane.requests.has_value(); });
  if (!options.duration && !options.until_signal && !all_end) {
    return "say when to end: --duration, --until-signal, or requests= in every lane";
  }
  for (std::size_t i = 0; i < options.lanes.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (options.lanes[i].name == options.lanes[j].name) {
        return "two lanes are named '" + options.lanes[i].name + "'";
      }
    }
  }
  return {};
}

}  // namespace

std::optional<Url> ParseUrl(std::string_view text) {
  Url url;
  if (!IsPlain(text) || text.find_first_of(" #@\"") != std::string_view::npos) return std::nullopt;
  if (text.substr(0, 7) == "http://") {
    text.remove_prefix(7);
  } else if (text.substr(0, 8) == "https://") {
    text.remove_prefix(8);
    url.tls = true;
  } else {
    return std::nullopt;
  }
  std::size_t path_start = text.find_first_of("/?");
  if (path_start != std::string_view::npos) {
    url.path = text.substr(path_start);
    if (url.path.front() == '?') url.path.insert(0, "/");
  }
  std::string_view authority = text.substr(0, path_start);

  std::string_view port;
  bool has_port = false;
  if (!authority.empty() && authority.front() == '[') {
    std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) return std::nullopt;
    url.host = authority.substr(1, bracket - 1);
    std::string_view rest = authority.substr(bracket + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else {
    std::size_t colon = authority.find(':');
    url.host = authority.substr(0, colon);
    has_port = colon != std::string_view::npos;
    if (has_port) port = authority.substr(colon + 1);
  }
  if (url.host.empty()) return std::nullopt;
  url.port = url.tls ? 443 : 80;
  if (has_port) {
    auto number = ParseInteger(port, 1, 65535);
    if (!number) return std::nullopt;
    url.port = static_cast<std::uint16_t>(*number);
  }
  return url;
}

std::optional<double> LaneOptions::pace() const {
  constexpr double kMsPerSecond = 1000;
  const double think = static_cast<double>((think_min + think_max).count()) / 2;
  if (think == 0) return rate;
  const double thinking = connections * kMsPerSecond / think;
  return rate ? std::min(*rate, thinking) : thinking;
}

ParsedOptions ParseOptions(const std::vector<std::string>& arguments) {
  ParsedOptions parsed;
  Options& options = parsed.options;
  auto refuse = [&](std::string why) {
    parsed.error = std::move(why);
    return parsed;
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (name == "--help" || name == "-h") {
      options.help = true;
      return parsed;
    }
    if (name == "--json") {
      options.json = true;
      continue;
    }
    if (name == "--until-signal") {
      options.until_signal = true;
      continue;
    }
    if (name != "--duration" && name != "--timeout" && name != "--lane") {
      return refuse("unknown option '" + name + "'");
    }
    if (++i == arguments.size()) return refuse(name + " needs a value");
    const std::string& value = arguments[i];
    if (name == "--duration") {
      auto seconds = ParsePositive(value, 30.0 * 24 * 3600);
      if (!seconds) return refuse("--duration wants seconds, not '" + value + "'");
      options.duration =
          std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000 + 0.5));
    } else if (name == "--timeout") {
      auto ms = ParseInteger(value, 1, kMostMs);
      if (!ms) return refuse("--timeout wants milliseconds, not '" + value + "'");
      options.timeout = std::chrono::milliseconds(*ms);
    } else {
      LaneOptions lane;
      lane.name = "lane" + std::to_string(options.lanes.size() + 1);
      std::string error = ParseLane(value, lane);
      if (!error.empty()) return refuse(error);
      options.lanes.push_back(std::move(lane));
    }
  }
  return refuse(CheckWhole(options));
}

std::string UsageText() {
  return R"(usage: slc-load [--duration SECONDS | --until-signal] [--json] [--timeout MS]
                --lane KEY=VALUE,KEY=VALUE,... [--lane ...]

  --duration SECONDS   no new requests after this time
  --until-signal       run until SIGTERM or SIGINT (both end every kind of run)
                       SIGUSR1 prints the report so far
  --timeout MS         of one request, connect included (15000)
  --json               one JSON object on stdout instead of the table

lane keys
  url=http[s]://HOST[:PORT][/PATH]   the only one that is required; certificates are not verified
  name=TEXT            lane1, lane2, ... unless given
  mode=keepalive|close close: a connection per request, which the server has to close
  connections=N        (1)
  think=MIN-MAX        ms, a random pause between requests of one connection (0)
  method=GET|POST      body=BYTES: size of the upload
  expect=BYTES         the response body must be exactly this long
  rate=R               at most R requests/s in the whole lane
  requests=N           end the lane after N requests
  head=NAME:VALUE      an extra header, may be repeated; no comma in it

At the end outstanding requests are finished, then the report is printed.
exit code: 0 no failure of any kind, 1 any failure or a lane without an answer, 2 usage
)";
}

}  // namespace slc::load
