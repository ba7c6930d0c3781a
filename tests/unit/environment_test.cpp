#include "common/base/environment.h"

#include <doctest/doctest.h>

namespace slc {
namespace {

Environment Read(const std::string& text) {
  auto parsed = ParseDotEnv(text);
  CAPTURE(text);
  REQUIRE(parsed.ok());
  return *parsed;
}

std::string Reason(const std::string& text) {
  auto parsed = ParseDotEnv(text);
  return parsed ? "accepted" : parsed.error().message;
}

}  // namespace

TEST_CASE("A .env file is read as dotenv reads it") {
  struct Row {
    const char* text;
    Environment variables;
  };
  const Row rows[] = {
      {"", {}},
      {"\n\n # comment\n\t\n", {}},
      {"A=1", {{"A", "1"}}},
      {"A=1\r\nB=2\r\n", {{"A", "1"}, {"B", "2"}}},
      {"  A = 1 2  \n", {{"A", "1 2"}}},
      {"export A=1\nexport  B=2", {{"A", "1"}, {"B", "2"}}},
      {"A=", {{"A", ""}}},
      {"A=\nB=2", {{"A", ""}, {"B", "2"}}},
      {"A=''\nB=\"\"", {{"A", ""}, {"B", ""}}},
      {"A=1 # one\nB='x # y' # z\nC=\"x#y\"", {{"A", "1"}, {"B", "x # y"}, {"C", "x#y"}}},
      {"A=abc#def\nB=#fff", {{"A", "abc"}, {"B", ""}}},
      {"A=a=b=c", {{"A", "a=b=c"}}},
      {"A=$HOME/x\nB=\"$HOME\"", {{"A", "$HOME/x"}, {"B", "$HOME"}}},
      {"A=\"a\\nb\\tc\\\"d\\\\e\\x\"", {{"A", "a\nb\tc\"d\\e\\x"}}},
      {"A='a\\nb'", {{"A", "a\\nb"}}},
      {"A=a\\nb", {{"A", "a\\nb"}}},
      {"A=\"line one\nline two\"\nB=2", {{"A", "line one\nline two"}, {"B", "2"}}},
      {"A='x\ny'\n\nB=2", {{"A", "x\ny"}, {"B", "2"}}},
      {"A=`it's \"so\"`", {{"A", "it's \"so\""}}},
      {"A=it's", {{"A", "it's"}}},
      {"A=1\nA=2", {{"A", "2"}}},
      {"A.b-c=1", {{"A.b-c", "1"}}},
      {"A=h\xc3\xb6her", {{"A", "h\xc3\xb6her"}}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(Read(row.text) == row.variables);
  }
}

TEST_CASE("What is wrong in a .env file is told with its line") {
  CHECK(Reason("A=1\nnonsense\n") == "line 2 is not of the form NAME=VALUE");
  CHECK(Reason("A=1\n\n\nB") == "line 4 is not of the form NAME=VALUE");
  CHECK(Reason("A=\"x\ny\"\n=3") == "line 3: a variable's name must not be empty");
  CHECK(Reason("A='x\nB=2") == "line 1: a quote is not closed");
  CHECK(Reason("A=\"x\\\"") == "line 1: a quote is not closed");
  CHECK(Reason(std::string("A=\0", 3)).find("NUL") != std::string::npos);
}

TEST_CASE("A variable has a name without = and NUL, and a value without NUL") {
  CHECK(CheckVariable("A", ""));
  CHECK(CheckVariable("npm_config_x.y", "a=b\n"));
  CHECK_FALSE(CheckVariable("", "x"));
  CHECK_FALSE(CheckVariable("A=B", "x"));
  CHECK_FALSE(CheckVariable(std::string("A\0", 2), "x"));
  CHECK_FALSE(CheckVariable("A", std::string("\0", 1)));
}

TEST_CASE("K=V is cut at the first =") {
  CHECK(*ParseAssignment("A=b=c") == std::pair<std::string, std::string>("A", "b=c"));
  CHECK(*ParseAssignment("A=") == std::pair<std::string, std::string>("A", ""));
  CHECK_FALSE(ParseAssignment("A"));
  CHECK_FALSE(ParseAssignment("=b"));
  CHECK_FALSE(ParseAssignment(""));
  CHECK(ToBlock({{"A", "1"}, {"B", "a b"}}) == std::vector<std::string>{"A=1", "B=a b"});
}

}  // namespace slc
