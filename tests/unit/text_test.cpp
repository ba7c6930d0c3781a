#include "common/base/text.h"

#include <csignal>
#include <limits>

#include <doctest/doctest.h>

namespace slc {

using Parts = std::vector<std::string>;

TEST_CASE("Only a whole decimal number within its bounds is a number") {
  CHECK(ParseInteger("0", 0, 9) == 0);
  CHECK(ParseInteger("-3", -5, 9) == -3);
  CHECK(ParseInteger("007", 0, 9) == 7);
  CHECK(ParseInteger("9223372036854775807", 0, std::numeric_limits<std::int64_t>::max()));
  for (const char* text : {"", "-", "+1", " 1", "1 ", "1a", "0x1", "1.0", "10", "-1",
                           "9223372036854775808", "99999999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseInteger(text, 0, 9));
  }
}

TEST_CASE("Texts are split, joined and trimmed") {
  CHECK(Split("a:b::c", ':') == Parts{"a", "b", "", "c"});
  CHECK(Split("", ':') == Parts{""});
  CHECK(Split(":", ':') == Parts{"", ""});
  CHECK(Join({"a", "", "c"}, ", ") == "a, , c");
  CHECK(Join({"", "b"}, ",") == ",b");
  CHECK(Join({}, ",").empty());
  CHECK(Trim(" \t a b\r\n") == "a b");
  CHECK(Trim(" \n").empty());
  CHECK(StartsWith("abc", "ab"));
  CHECK_FALSE(StartsWith("a", "ab"));
  CHECK(EndsWith("abc", "bc"));
  CHECK_FALSE(EndsWith("c", "bc"));
}

TEST_CASE("Nothing that is printed moves the cursor or hides text") {
  CHECK(Printable("plain \t text") == "plain \t text");
  CHECK(Printable("\x1b[2J\x07") == "\\x1b[2J\\x07");
  CHECK(Printable("a\nb\r\x7f") == "a\\x0ab\\x0d\\x7f");
  CHECK(Printable(std::string("a\0b", 3)) == "a\\x00b");
  CHECK(Printable("h\xc3\xb6her \xe2\x82\xac \xf0\x9f\x90\x9f") ==
        "h\xc3\xb6her \xe2\x82\xac \xf0\x9f\x90\x9f");
  // CSI as one byte, and as the code point it is in Unicode.
  CHECK(Printable("\x9b"
                  "2J") ==
        "\\x9b"
        "2J");
  CHECK(Printable("\xc2\x9b"
                  "2J") ==
        "\\xc2\\x9b"
        "2J");
}

TEST_CASE("A slip of the finger finds what was meant, anything else nothing") {
  const Parts verbs = {"start", "stop", "status", "soft-stop", "soft-restart", "restart"};
  CHECK(DidYouMean("strat", verbs) == "start");
  CHECK(DidYouMean("softrestart", verbs) == "soft-restart");
  CHECK(DidYouMean("statsu", verbs) == "status");
  CHECK(DidYouMean("frobnicate", verbs).empty());
  // Half of it wrong is no slip.
  CHECK(DidYouMean("reload", {"remove"}).empty());
  CHECK(DidYouMean("", verbs).empty());
  CHECK(DidYouMean("x", {}).empty());
}

TEST_CASE("Signals have names") {
  CHECK(SignalName(SIGTERM) == "SIGTERM");
  CHECK(SignalName(77) == "signal 77");
  for (const char* name : {"TERM", "term", "SIGTERM", "sigterm", "SigTerm", "15"}) {
    CHECK(SignalFromName(name) == SIGTERM);
  }
  for (const char* name : {"", "SIG", "SIGFOO", "0", "65", "-15", "15x", " TERM", "SIGSIGTERM"}) {
    CAPTURE(name);
    CHECK_FALSE(SignalFromName(name));
  }
}

TEST_CASE("How a process ended, in words") {
  CHECK(DescribeWaitStatus(0) == "exit code 0");
  CHECK(DescribeWaitStatus(3 << 8) == "exit code 3");
  CHECK(DescribeWaitStatus(SIGKILL) == "killed by SIGKILL (signal 9)");
  CHECK(DescribeWaitStatus(SIGSEGV | 0x80) == "killed by SIGSEGV (signal 11), core dumped");
  CHECK(DescribeWaitStatus(35) == "killed by signal 35 (signal 35)");
}

}  // namespace slc
