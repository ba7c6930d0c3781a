#include "common/model/json_fields.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace slc {
namespace {

using nlohmann::json;

// What reading one field of `text` complains about; empty if nothing.
template <typename T>
std::string Complaint(const char* text, T& target) {
  const json value = json::parse(text);
  JsonFields fields(value, "place");
  fields.Read("x", target);
  const Status status = fields.status();
  return status ? "" : status.error().message;
}

}  // namespace

TEST_CASE("Fields are read strictly by type and range") {
  bool flag = false;
  CHECK(Complaint(R"({"x":true})", flag).empty());
  CHECK(flag);
  for (const char* text : {R"({"x":1})", R"({"x":"true"})", R"({"x":[]})"}) {
    CHECK(Complaint(text, flag) == "place.x: expected true or false");
  }
  int number = 0;
  CHECK(Complaint(R"({"x":-2147483648})", number).empty());
  CHECK(number == -2147483647 - 1);
  for (const char* text :
       {R"({"x":2147483648})", R"({"x":-2147483649})", R"({"x":1.0})", R"({"x":"1"})",
        R"({"x":18446744073709551615})", R"({"x":1e3})", R"({"x":true})", R"({"x":{}})"}) {
    CAPTURE(text);
    CHECK(Complaint(text, number) == "place.x: expected a number from -2147483648 to 2147483647");
  }
  unsigned size = 0;
  CHECK(Complaint(R"({"x":4294967295})", size).empty());
  CHECK_FALSE(Complaint(R"({"x":4294967296})", size).empty());
  CHECK_FALSE(Complaint(R"({"x":-1})", size).empty());
  std::int64_t wide = 0;
  CHECK(Complaint(R"({"x":9223372036854775807})", wide).empty());
  CHECK_FALSE(Complaint(R"({"x":9223372036854775808})", wide).empty());
  std::uint64_t order = 0;
  CHECK(Complaint(R"({"x":18446744073709551615})", order).empty());
  CHECK_FALSE(Complaint(R"({"x":-1})", order).empty());
  CHECK_FALSE(Complaint(R"({"x":18446744073709551616})", order).empty());
  std::optional<std::uint16_t> port;
  CHECK(Complaint(R"({"x":null})", port).empty());
  CHECK_FALSE(port);
  CHECK(Complaint(R"({"x":65535})", port).empty());
  CHECK(port == 65535);
  CHECK(Complaint(R"({"x":65536})", port) == "place.x: expected a number from 0 to 65535");
  std::string text;
  CHECK(Complaint(R"({"x":"a"})", text).empty());
  CHECK(Complaint(R"({"x":1})", text) == "place.x: expected a text");
  std::vector<std::string> texts;
  CHECK(Complaint(R"({"x":["a",""]})", texts).empty());
  CHECK(texts == std::vector<std::string>{"a", ""});
  CHECK(Complaint(R"({"x":"a"})", texts) == "place.x: expected a list");
  CHECK(Complaint(R"({"x":["a",1]})", texts) == "place.x: expected texts");
  std::vector<std::uint32_t> numbers;
  CHECK(Complaint(R"({"x":[1,4294967295]})", numbers).empty());
  CHECK_FALSE(Complaint(R"({"x":[4294967296]})", numbers).empty());
  CHECK_FALSE(Complaint(R"({"x":[-1]})", numbers).empty());
  std::map<std::string, std::string> map;
  CHECK(Complaint(R"({"x":{"A":"1"}})", map).empty());
  CHECK(map.at("A") == "1");
  CHECK(Complaint(R"({"x":{"A":1}})", map) == "place.x: expected an object of texts");
  CHECK(Complaint(R"({"x":[]})", map) == "place.x: expected an object of texts");
}

TEST_CASE("What is absent or null stays as it was, what is unknown is passed over") {
  int number = 7;
  CHECK(Complaint(R"({"y":1})", number).empty());
  CHECK(Complaint(R"({"x":null,"y":{"z":[]}})", number).empty());
  CHECK(number == 7);
  CHECK(Complaint("[]", number) == "place: expected an object");
  CHECK(Complaint("1", number) == "place: expected an object");
}

TEST_CASE("An empty list empties what was there") {
  std::vector<std::string> texts = {"before"};
  CHECK(Complaint(R"({"x":[]})", texts).empty());
  CHECK(texts.empty());
  std::vector<std::uint32_t> numbers = {1};
  CHECK(Complaint(R"({"x":[]})", numbers).empty());
  CHECK(numbers.empty());
}

TEST_CASE("The first error wins, and nothing is read after it") {
  const json value = json::parse(R"({"a":"x","b":5})");
  JsonFields fields(value, "place");
  int a = 0;
  int b = 0;
  fields.Read("a", a);
  fields.Read("b", b);
  fields.Require("c");
  CHECK(b == 0);
  CHECK(fields.status().error().message ==
        "place.a: expected a number from -2147483648 to 2147483647");
}

TEST_CASE("Only JSON is parsed, and nothing deeper than 64") {
  CHECK(ParseJson("{}"));
  for (const char* text : {"", " ", "{", "{}{}", "{'a':1}", "[1,]", "nul", "\"\xff\"", "\"\xc3\"",
                           "\"\n\"", "01", "+1", "NaN", "{\"a\"}", "\xef\xbb"}) {
    CAPTURE(text);
    CHECK(ParseJson(text).error().message == "this is not JSON");
  }
  CHECK_FALSE(ParseJson(std::string("{}\0", 3)));
  CHECK_FALSE(ParseJson(std::string("1\0{", 3)));
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(ParseJson(nested(64)));
  CHECK_FALSE(ParseJson(nested(66)));
  CHECK_FALSE(ParseJson(nested(1'000'000)));
  CHECK_FALSE(ParseJson(std::string(1'000'000, '[')));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  CHECK_FALSE(ParseJson(objects));
}

TEST_CASE("A text is written as JSON that can always be read") {
  const auto written = [](std::string_view text) {
    std::string out;
    AppendJsonString(out, text);
    return out;
  };
  CHECK(written("") == "\"\"");
  CHECK(written("a\"b\\c/d") == "\"a\\\"b\\\\c/d\"");
  CHECK(written("a\nb\x01\x7f") == "\"a\\u000ab\\u0001\x7f\"");
  CHECK(written("h\xc3\xb6her \xe2\x82\xac \xf0\x9f\x90\x9f") ==
        "\"h\xc3\xb6her \xe2\x82\xac \xf0\x9f\x90\x9f\"");
  // What workers print need not be UTF-8, or is cut in the middle of a character.
  for (const char* bad :
       {"\xff", "\xc3", "\xc3(", "\xe2\x82", "\xe2\x82x", "\xf0\x9f\x90", "\x80", "\xc0\x80",
        "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "a\xe4o"}) {
    CAPTURE(bad);
    const auto parsed = ParseJson(written(bad));
    REQUIRE(parsed.ok());
    CHECK(parsed->get<std::string>().find("\xef\xbf\xbd") != std::string::npos);
  }
  CHECK(written("a\xe4o") == "\"a\xef\xbf\xbdo\"");
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      const auto parsed = ParseJson(written(text));
      if (!parsed) FAIL(first << " " << second);
      const bool ascii = first < 128 && second < 128;
      if (ascii && parsed->get<std::string>() != text) FAIL(first << " " << second);
    }
  }
}

TEST_CASE("JSON is dumped whatever bytes are in it") {
  CHECK(DumpJson(json{{"a", "\xff"}}) == "{\"a\":\"\xef\xbf\xbd\"}");
  CHECK(DumpJsonPretty(json{{"a", 1}}) == "{\n  \"a\": 1\n}\n");
}

}  // namespace slc
