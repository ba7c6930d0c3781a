#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "common/http/deploy_stream.h"

namespace slc::http {

TEST_CASE("each line of a deployment's answer comes back as it was") {
  DeployLines lines;
  std::string bytes;
  bytes += EncodeDeployLine(DeployNote{"unpacked"});
  bytes += EncodeDeployLine(DeployOutput{"added \"1\"\npackage \xff"});
  bytes += EncodeDeployLine(DeployAlive{});
  bytes += EncodeDeployLine(DeployError{{ErrorCode::kNotReady, "worker 3"}, {"a", "b"}});
  bytes += EncodeDeployLine(DeployDone{"9f2c", "2 workers"});
  std::vector<DeployLine> read;
  for (const char c : bytes) {
    lines.Append(std::string_view(&c, 1));
    auto line = lines.Next();
    REQUIRE(line);
    if (*line) read.push_back(**line);
  }
  CHECK_FALSE(lines.within_line());
  REQUIRE(read.size() == 5);
  CHECK(std::get<DeployNote>(read[0]).text == "unpacked");
  CHECK(std::get<DeployOutput>(read[1]).text == "added \"1\"\npackage \xef\xbf\xbd");
  CHECK(std::holds_alternative<DeployAlive>(read[2]));
  CHECK(std::get<DeployError>(read[3]).error.code == ErrorCode::kNotReady);
  CHECK(std::get<DeployError>(read[3]).log_tail == std::vector<std::string>{"a", "b"});
  CHECK(std::get<DeployDone>(read[4]).release == "9f2c");
}

TEST_CASE("what a newer server says is passed over, what is no line of it is refused") {
  CHECK(std::holds_alternative<DeployAlive>(*DecodeDeployLine(R"({"percent": 40})")));
  CHECK(std::get<DeployNote>(*DecodeDeployLine(R"({"note": 7})")).text.empty());
  const auto bare = DecodeDeployLine(R"({"error": "no room"})");
  REQUIRE(bare);
  CHECK(std::get<DeployError>(*bare).error.message == "no room");
  const auto empty = DecodeDeployLine(R"({"error": {}})");
  REQUIRE(empty);
  CHECK(std::get<DeployError>(*empty).error.message != "");
  CHECK(std::holds_alternative<DeployDone>(*DecodeDeployLine(R"({"done": true})")));
  CHECK_FALSE(DecodeDeployLine("Application received"));
  CHECK_FALSE(DecodeDeployLine("[]"));
  DeployLines lines;
  lines.Append(std::string(DeployLines::kMostLine + 1, 'x'));
  CHECK_FALSE(lines.Next());
}

}  // namespace slc::http
