// The command line of slc-load as plain values. Pure: nothing is resolved or opened here.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slc::load {

struct Url {
  bool tls = false;
  std::string host;  // without the brackets of an IPv6 address
  std::uint16_t port = 0;
  std::string path = "/";  // with the query
};

// "http://host[:port][/path]" or https; nothing for anything else (no user info, no fragment).
std::optional<Url> ParseUrl(std::string_view text);

struct LaneOptions {
  std::string name;  // "lane1", "lane2", ... unless given
  std::string url_text;
  Url url;
  bool close = false;  // a connection per request
  int connections = 1;
  std::chrono::milliseconds think_min{0};
  std::chrono::milliseconds think_max{0};
  bool post = false;
  std::uint64_t body = 0;                 // bytes uploaded with each request
  std::optional<std::uint64_t> expect;    // exact length of the response body
  std::optional<double> rate;             // requests per second of the whole lane, at most
  std::optional<std::uint64_t> requests;  // the lane ends after so many
  std::vector<std::pair<std::string, std::string>> headers;

  // Requests per second if answers took no time; nothing where only the answers set the pace.
  std::optional<double> pace() const;
};

struct Options {
  std::optional<std::chrono::milliseconds> duration;
  bool until_signal = false;
  bool json = false;
  bool help = false;
  std::chrono::milliseconds timeout{15000};  // of one request, its connect included
  std::vector<LaneOptions> lanes;
};

// Either the options or, when `error` is not empty, why the command line is refused.
struct ParsedOptions {
  Options options;
  std::string error;
};

// `arguments` without the program name.
ParsedOptions ParseOptions(const std::vector<std::string>& arguments);

std::string UsageText();

}  // namespace slc::load
