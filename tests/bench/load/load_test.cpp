// Unit tests of the pure parts of slc-load: parser, options, histogram, classification, books,
// schedule, request bytes, report.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <algorithm>
#include <cerrno>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/bench/load/failure.h"
#include "tests/bench/load/histogram.h"
#include "tests/bench/load/http_response.h"
#include "tests/bench/load/options.h"
#include "tests/bench/load/report.h"
#include "tests/bench/load/request.h"
#include "tests/bench/load/schedule.h"
#include "tests/bench/load/tally.h"

namespace slc::load {
namespace {

using std::chrono::milliseconds;

ResponseParser Parsed(std::string_view text) {
  ResponseParser parser;
  parser.Feed(text);
  return parser;
}

const std::string kFixed = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Worker: 17\r\n\r\nhello";
const std::string kChunked =
    "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n"
    "3;name=value\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";

TEST_CASE("response: a fixed length, and what follows is not taken") {
  ResponseParser parser;
  CHECK_FALSE(parser.started());
  CHECK(parser.Feed(kFixed + "HTTP") == kFixed.size());
  CHECK(parser.started());
  CHECK(parser.complete());
  CHECK(parser.status() == 200);
  CHECK(parser.body_bytes() == 5);
  CHECK(parser.keeps_alive());
  CHECK(parser.worker() == "17");
  parser.Reset();
  CHECK_FALSE(parser.started());
  CHECK_FALSE(parser.complete());
  CHECK(parser.worker().empty());
  CHECK(parser.Feed(kFixed) == kFixed.size());
  CHECK(parser.complete());
}

TEST_CASE("response: every way to cut it in two, and byte by byte, gives the same") {
  for (const std::string& text : {kFixed, kChunked, "HTTP/1.1 100 Continue\r\n\r\n" + kFixed}) {
    std::uint64_t length = text == kChunked ? 13 : 5;
    for (std::size_t cut = 0; cut < text.size(); ++cut) {
      ResponseParser parser;
      parser.Feed(std::string_view(text).substr(0, cut));
      REQUIRE_FALSE(parser.complete());
      REQUIRE(parser.Feed(std::string_view(text).substr(cut)) == text.size() - cut);
      REQUIRE(parser.complete());
      REQUIRE(parser.body_bytes() == length);
    }
    ResponseParser parser;
    for (char c : text) REQUIRE(parser.Feed({&c, 1}) == 1);
    CHECK(parser.complete());
    CHECK(parser.body_bytes() == length);
  }
}

TEST_CASE("response: a premature EOF does not complete it") {
  for (const std::string& text : {kFixed, kChunked}) {
    for (std::size_t cut = 0; cut < text.size(); ++cut) {
      ResponseParser parser = Parsed(std::string_view(text).substr(0, cut));
      parser.FeedEof();
      REQUIRE_FALSE(parser.complete());
    }
  }
}

TEST_CASE("response: a body without length ends at EOF") {
  ResponseParser parser = Parsed("HTTP/1.1 200 OK\r\n\r\nabc");
  CHECK_FALSE(parser.complete());
  CHECK(parser.ends_at_eof());
  parser.FeedEof();
  CHECK(parser.complete());
  CHECK(parser.body_bytes() == 3);
  CHECK_FALSE(parser.keeps_alive());
}

TEST_CASE("response: no body") {
  CHECK(Parsed("HTTP/1.1 204 No Content\r\n\r\n").complete());
  CHECK(Parsed("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n").complete());
  CHECK(Parsed("HTTP/1.1 200\r\ncontent-length:0\r\n\r\n").complete());
}

TEST_CASE("response: interim responses leave nothing behind") {
  ResponseParser parser = Parsed(
      "HTTP/1.1 103 Early Hints\r\nConnection: close\r\nX-Worker: 3\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  CHECK(parser.complete());
  CHECK(parser.status() == 200);
  CHECK(parser.keeps_alive());
  CHECK(parser.worker().empty());
}

TEST_CASE("response: who may use the connection again") {
  auto keeps = [](const std::string& version, const std::string& header) {
    return Parsed("HTTP/1." + version + " 200 OK\r\n" + header + "Content-Length: 0\r\n\r\n")
        .keeps_alive();
  };
  CHECK(keeps("1", ""));
  CHECK(keeps("1", "Connection: keep-alive\r\n"));
  CHECK_FALSE(keeps("1", "Connection: close\r\n"));
  CHECK_FALSE(keeps("1", "connection:foo , CLOSE\r\n"));
  CHECK_FALSE(keeps("0", ""));
  CHECK(keeps("0", "Connection: Keep-Alive\r\n"));
}

TEST_CASE("response: what is malformed fails") {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::vector<std::string> texts = {
      "HTTP/2 200 OK\r\n",
      "HTTP/1.1 20 OK\r\n",
      "HTTP/1.1 2000 OK\r\n",
      "HTTP/1.1 099 OK\r\n",
      "\r\n",
      "HTTP/1.1 200 OK\n",
      ok + "no colon\r\n",
      ok + ": no name\r\n",
      ok + " folded: x\r\n",
      ok + "Content-Length: 5x\r\n",
      ok + "Content-Length: -1\r\n",
      ok + "Content-Length: 99999999999999999999\r\n",
      ok + "Content-Length: 5\r\nContent-Length: 6\r\n",
      ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      ok + "Transfer-Encoding: gzip\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
      ok + "X: " + std::string(70000, 'x'),
  };
  for (const std::string& text : texts) {
    ResponseParser parser = Parsed(text);
    CAPTURE(text.substr(0, 80));
    CHECK(parser.failed());
    CHECK_FALSE(parser.complete());
    CHECK_FALSE(parser.error().empty());
  }
  CHECK_FALSE(Parsed(ok + "Content-Length: 5\r\nContent-Length: 5\r\n").failed());
}

TEST_CASE("response: many chunks are no endless head") {
  std::string text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 50000; ++i) text += "1\r\nx\r\n";
  ResponseParser parser = Parsed(text + "0\r\n\r\n");
  CHECK(parser.complete());
  CHECK(parser.body_bytes() == 50000);
}

TEST_CASE("response: damaged bytes never crash it, and no more is counted than came") {
  std::mt19937 random(1);
  std::vector<std::string> seeds = {kFixed, kChunked};
  for (int round = 0; round < 20000; ++round) {
    std::string text = seeds[random() % 2];
    for (int i = 0; i < 3; ++i) text[random() % text.size()] = static_cast<char>(random() % 256);
    ResponseParser parser;
    std::size_t cut = random() % text.size();
    std::size_t taken = parser.Feed(std::string_view(text).substr(0, cut));
    if (taken == cut) parser.Feed(std::string_view(text).substr(cut));
    parser.FeedEof();
    if (parser.complete()) REQUIRE(parser.body_bytes() <= text.size());
  }
}

TEST_CASE("url") {
  auto url = ParseUrl("http://127.0.0.1:3001/a/b?c=d");
  REQUIRE(url);
  CHECK_FALSE(url->tls);
  CHECK(url->host == "127.0.0.1");
  CHECK(url->port == 3001);
  CHECK(url->path == "/a/b?c=d");
  url = ParseUrl("https://[::1]");
  REQUIRE(url);
  CHECK(url->tls);
  CHECK(url->host == "::1");
  CHECK(url->port == 443);
  CHECK(url->path == "/");
  url = ParseUrl("http://localhost?x");
  REQUIRE(url);
  CHECK(url->port == 80);
  CHECK(url->path == "/?x");
  for (const char* wrong : {"", "localhost", "ftp://a", "http://", "http://:80", "http://a:0",
                            "http://a:65536", "http://a:", "http://a:8x", "http://u@a",
                            "http://[::1", "http://[::1]8", "http://a/b c", "http://a/\r\nx"}) {
    CAPTURE(wrong);
    CHECK_FALSE(ParseUrl(wrong));
  }
}

TEST_CASE("options: all of them") {
  const std::string first =
      "name=a,url=http://h:1/,mode=close,connections=8,think=5-20,method=POST,body=1000,expect=0,"
      "rate=12.5,requests=9,head=X-A: b:c,head=Y:z";
  ParsedOptions parsed = ParseOptions({"--duration", "2.5", "--json", "--timeout", "300", "--lane",
                                       first, "--lane", "url=https://h/"});
  REQUIRE(parsed.error == "");
  const Options& options = parsed.options;
  CHECK(options.duration == milliseconds(2500));
  CHECK(options.json);
  CHECK(options.timeout == milliseconds(300));
  REQUIRE(options.lanes.size() == 2);
  const LaneOptions& lane = options.lanes[0];
  CHECK(lane.name == "a");
  CHECK(lane.close);
  CHECK(lane.connections == 8);
  CHECK(lane.think_min == milliseconds(5));
  CHECK(lane.think_max == milliseconds(20));
  CHECK(lane.post);
  CHECK(lane.body == 1000);
  CHECK(lane.expect == 0u);
  CHECK(lane.rate == 12.5);
  CHECK(lane.requests == 9u);
  REQUIRE(lane.headers.size() == 2);
  CHECK(lane.headers[0].first == "X-A");
  CHECK(lane.headers[0].second == "b:c");
  CHECK(lane.headers[1].second == "z");
  CHECK(options.lanes[1].name == "lane2");
  CHECK_FALSE(options.lanes[1].close);
  CHECK(options.lanes[1].connections == 1);
  CHECK_FALSE(options.lanes[1].expect);
}

TEST_CASE("options: what is refused") {
  auto lane = [](const std::string& text) {
    return ParseOptions({"--until-signal", "--lane", text}).error;
  };
  CHECK(lane("url=http://h/") == "");
  CHECK(lane("url=http://h/,think=7") == "");
  for (const char* wrong :
       {"", "url=http://h/,", "url=nonsense", "name=a", "url=http://h/,mode=both",
        "url=http://h/,connections=0", "url=http://h/,connections=x", "url=http://h/,think=9-3",
        "url=http://h/,think=-3", "url=http://h/,method=PUT", "url=http://h/,body=4",
        "url=http://h/,expect=-1", "url=http://h/,rate=0", "url=http://h/,rate=nan",
        "url=http://h/,requests=0", "url=http://h/,head=x", "url=http://h/,head=x:a\r\nb:c",
        "url=http://h/,colour=red", "url=http://h/,name="}) {
    CAPTURE(wrong);
    CHECK(lane(wrong) != "");
  }
  CHECK(ParseOptions({}).error != "");
  CHECK(ParseOptions({"--lane"}).error != "");
  CHECK(ParseOptions({"--lane", "url=http://h/"}).error != "");
  CHECK(ParseOptions({"--lane", "url=http://h/,requests=1"}).error == "");
  CHECK(ParseOptions({"--duration", "0", "--lane", "url=http://h/"}).error != "");
  CHECK(ParseOptions({"--duration", "1", "--until-signal", "--lane", "url=http://h/"}).error != "");
  CHECK(ParseOptions({"--frobnicate"}).error != "");
  CHECK(ParseOptions(
            {"--duration", "1", "--lane", "url=http://h/,name=a", "--lane", "url=http://h/,name=a"})
            .error != "");
  CHECK(ParseOptions({"--help"}).options.help);
}

TEST_CASE("histogram: quantiles are at most 1.6 % above the truth and never below it") {
  Histogram histogram;
  CHECK(histogram.Quantile(0.5) == Duration::zero());
  const std::int64_t count = 100000;
  for (std::int64_t i = 1; i <= count; ++i) histogram.Add(Duration(i * 1000));
  CHECK(histogram.count() == static_cast<std::uint64_t>(count));
  CHECK(histogram.max() == Duration(count * 1000));
  for (double fraction : {0.001, 0.5, 0.9, 0.99, 1.0}) {
    double truth = fraction * static_cast<double>(count) * 1000;
    auto quantile = static_cast<double>(histogram.Quantile(fraction).count());
    CHECK(quantile >= truth);
    CHECK(quantile <= truth * 1.016);
  }
}

TEST_CASE("histogram: one sample, tiny, huge and negative ones") {
  for (std::int64_t value : {0LL, 1LL, 63LL, 64LL, 65LL, 127LL, 128LL, 1000000007LL}) {
    Histogram histogram;
    histogram.Add(Duration(value));
    CHECK(histogram.Quantile(0.5) == Duration(value));
    CHECK(histogram.Quantile(0.0) == Duration(value));
  }
  Histogram histogram;
  histogram.Add(std::chrono::hours(100));
  histogram.Add(Duration(-5));
  CHECK(histogram.max() == std::chrono::hours(100));
  CHECK(histogram.Quantile(0.5) == Duration::zero());
}

TEST_CASE("failure: which end is which") {
  CHECK(ClassifyConnectError(ECONNREFUSED) == FailureKind::kRefused);
  CHECK(ClassifyConnectError(ECONNRESET) == FailureKind::kReset);
  CHECK(ClassifyConnectError(ETIMEDOUT) == FailureKind::kTimeout);
  CHECK(ClassifyConnectError(EADDRNOTAVAIL) == FailureKind::kOther);
  CHECK(ClassifyStreamError(ECONNRESET) == FailureKind::kReset);
  CHECK(ClassifyStreamError(EPROTO) == FailureKind::kOther);
  bool reused = true;
  bool started = true;
  CHECK(ClassifyEof(reused, !started) == FailureKind::kFinCrossed);
  CHECK(ClassifyEof(reused, started) == FailureKind::kCut);
  CHECK(ClassifyEof(!reused, !started) == FailureKind::kCut);
  CHECK(ClassifyEof(!reused, started) == FailureKind::kCut);
}

Failure FailureOf(FailureKind kind, std::string text = "") {
  Failure failure;
  failure.kind = kind;
  failure.text = std::move(text);
  return failure;
}

TEST_CASE("tally: the books balance only if every attempt ended once") {
  Tally tally;
  CHECK(tally.Balances());
  tally.attempted = 2;
  tally.AddOk(Time(milliseconds(10)), milliseconds(1));
  CHECK_FALSE(tally.Balances());
  tally.AddFailure(FailureOf(FailureKind::kCut));
  CHECK(tally.Balances());
  CHECK(tally.failures() == 1);
  CHECK(tally.failures(FailureKind::kCut) == 1);
  CHECK(tally.failures(FailureKind::kReset) == 0);
  tally.AddFailure(FailureOf(FailureKind::kCut));
  CHECK_FALSE(tally.Balances());
}

TEST_CASE("tally: longest gap, first failures, workers") {
  Tally tally;
  for (int at : {10, 15, 45, 40, 50}) tally.AddOk(Time(milliseconds(at)), milliseconds(1));
  CHECK(tally.longest_gap() == milliseconds(30));
  for (std::size_t i = 0; i < Tally::kKeptFailures + 2; ++i) {
    tally.AddFailure(FailureOf(FailureKind::kOther, std::to_string(i)));
  }
  REQUIRE(tally.first_failures().size() == Tally::kKeptFailures);
  CHECK(tally.first_failures()[9].text == "9");

  std::size_t hint = tally.AddWorker("1", true, Tally::kNoWorker);
  std::size_t other = tally.AddWorker("2", true, Tally::kNoWorker);
  CHECK(tally.AddWorker("1", false, hint) == hint);
  CHECK(tally.AddWorker("1", false, other) == hint);
  REQUIRE(tally.workers().size() == 2);
  CHECK(tally.workers()[0].requests == 3);
  CHECK(tally.workers()[0].connections == 1);
  CHECK(tally.workers()[1].requests == 1);
}

TEST_CASE("schedule: budget and end") {
  LaneOptions options;
  options.requests = 2;
  Schedule schedule(options, Time(), 1);
  CHECK(schedule.TryStart());
  CHECK_FALSE(schedule.finished());
  CHECK(schedule.TryStart());
  CHECK(schedule.finished());
  CHECK_FALSE(schedule.TryStart());
  Schedule endless(LaneOptions{}, Time(), 1);
  CHECK(endless.TryStart());
  endless.Stop();
  CHECK_FALSE(endless.TryStart());
}

TEST_CASE("schedule: think times cover their range and nothing else") {
  LaneOptions options;
  options.think_min = milliseconds(10);
  options.think_max = milliseconds(20);
  Schedule schedule(options, Time(), 1);
  Duration low = milliseconds(1000);
  Duration high{0};
  for (int i = 0; i < 1000; ++i) {
    Duration think = schedule.Think();
    low = std::min(low, think);
    high = std::max(high, think);
    CHECK(schedule.FirstThink() <= milliseconds(20));
  }
  CHECK(low >= milliseconds(10));
  CHECK(low < milliseconds(11));
  CHECK(high > milliseconds(19));
  CHECK(high <= milliseconds(20));
  Schedule none(LaneOptions{}, Time(), 1);
  CHECK(none.FirstThink() == Duration::zero());
  CHECK(none.Think() == Duration::zero());
}

TEST_CASE("schedule: the rate spaces slots and makes up for 10 ms at most") {
  LaneOptions options;
  options.rate = 1000;
  Time now(milliseconds(5000));
  Schedule schedule(options, now, 1);
  for (int i = 0; i < 5; ++i) CHECK(schedule.TakeSlot(now) == now + milliseconds(i));
  now += milliseconds(1000);
  int at_once = 0;
  while (schedule.TakeSlot(now) <= now) ++at_once;
  CHECK(at_once == 11);
}

std::string WholeOf(const Request& request) {
  std::string text;
  while (text.size() < request.size()) text += request.PieceAt(text.size());
  return text;
}

TEST_CASE("request: bytes") {
  LaneOptions options;
  options.url = *ParseUrl("http://[::1]:81/x?y");
  options.close = true;
  options.headers = {{"X-A", "b"}};
  CHECK(WholeOf(Request(options)) ==
        "GET /x?y HTTP/1.1\r\nHost: [::1]:81\r\nConnection: close\r\nX-A: b\r\n\r\n");
  options.url = *ParseUrl("https://h");
  options.close = false;
  options.post = true;
  options.headers.clear();
  for (std::uint64_t body : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{65536},
                             std::uint64_t{65537}, std::uint64_t{1000000}}) {
    options.body = body;
    CHECK(WholeOf(Request(options)) ==
          "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body) + "\r\n\r\n" +
              std::string(static_cast<std::size_t>(body), 'x'));
  }
}

TEST_CASE("report: passed only with answers, without failures, with balanced books") {
  LaneOptions options;
  Tally tally;
  RunReport run;
  run.lanes.push_back({options, tally, milliseconds(1000)});
  CHECK_FALSE(run.passed());
  tally.attempted = 1;
  tally.AddOk(Time(), milliseconds(1));
  CHECK(run.passed());
  tally.attempted = 2;
  CHECK_FALSE(run.passed());
  CHECK(HumanReport(run).find("DO NOT BALANCE") != std::string::npos);
  tally.AddFailure(FailureOf(FailureKind::kTimeout, "too \"late\""));
  CHECK(tally.Balances());
  CHECK_FALSE(run.passed());
  std::string json = JsonReport(run);
  CHECK(json.find("\"timeout\":1") != std::string::npos);
  CHECK(json.find("too \\\"late\\\"") != std::string::npos);
  CHECK(json.find("\"longest_gap_ms\":null") != std::string::npos);
  CHECK(HumanReport(run).find("FAILED\n") != std::string::npos);
}

TEST_CASE("a lane's pace") {
  LaneOptions options;
  CHECK_FALSE(options.pace());
  options.connections = 4;
  options.think_max = milliseconds(200);
  CHECK(*options.pace() == doctest::Approx(40));
  options.rate = 20;
  CHECK(*options.pace() == doctest::Approx(20));
  options.rate = 60;
  CHECK(*options.pace() == doctest::Approx(40));
  options.think_max = milliseconds(0);
  CHECK(*options.pace() == doctest::Approx(60));
}

TEST_CASE("report: JSON strings") {
  CHECK(JsonString("a\"\\\n\x01\xff") == "\"a\\\"\\\\\\u000a\\u0001\\u00ff\"");
}

}  // namespace
}  // namespace slc::load
