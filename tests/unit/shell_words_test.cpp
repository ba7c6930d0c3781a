#include "common/model/shell_words.h"

#include <doctest/doctest.h>

namespace slc {

using Words = std::vector<std::string>;

TEST_CASE("Words are cut as a shell cuts them") {
  CHECK(SplitWords("node  server.js\t--port 80") == Words{"node", "server.js", "--port", "80"});
  CHECK(SplitWords("a 'b  c' \"d e\" f\\ g") == Words{"a", "b  c", "d e", "f g"});
  CHECK(SplitWords("--x='a b'c \"\" ''") == Words{"--x=a bc", "", ""});
  CHECK(SplitWords("\"a \\\" \\\\ \\n\" a~b") == Words{"a \" \\ \\n", "a~b"});
  CHECK(SplitWords("  ") == Words{});
}

TEST_CASE("A line that needs a shell is not cut") {
  for (const char* line :
       {"a && b", "a | b", "a; b", "a > f", "a $B", "a `b`", "a *.js", "a &", "(a)", "~/x",
        "a \"$B\"", "a 'b", "a \"b", "a\\", "a\nb", "a #b", "{a,b}"}) {
    CAPTURE(std::string(line));
    CHECK_FALSE(SplitWords(line));
  }
  CHECK(SplitWords("a '&& $b | c'"));
}

TEST_CASE("A plain node call is taken apart") {
  const auto call = ParseNodeCall(
      "NODE_ENV=production A='x y' node -r dotenv/config --inspect=0 --import tsx ./src/app.js "
      "--port 80");
  REQUIRE(call);
  CHECK(call->environment == Environment{{"NODE_ENV", "production"}, {"A", "x y"}});
  CHECK(call->node_arguments == Words{"-r", "dotenv/config", "--inspect=0", "--import", "tsx"});
  CHECK(call->script == "./src/app.js");
  CHECK(call->arguments == Words{"--port", "80"});
  CHECK(call->node.empty());
}

TEST_CASE("A value after = belongs to its flag") {
  const auto call = ParseNodeCall("node --require=a.js --max-old-space-size=300 app.js");
  REQUIRE(call);
  CHECK(call->node_arguments == Words{"--require=a.js", "--max-old-space-size=300"});
  CHECK(call->script == "app.js");
}

TEST_CASE("cross-env, env and exec stand in front of a call") {
  for (const char* line :
       {"cross-env A=1 node x.js", "env A=1 node x.js", "exec env A=1 nodejs x.js",
        "cross-env-shell A=1 node x.js", "cross-env-shell A=1 \"node x.js\""}) {
    CAPTURE(std::string(line));
    const auto call = ParseNodeCall(line);
    REQUIRE(call);
    CHECK(call->environment == Environment{{"A", "1"}});
    CHECK(call->script == "x.js");
  }
}

TEST_CASE("A node binary named by its path is kept") {
  const auto call = ParseNodeCall("/opt/node20/bin/node -- -x.js");
  REQUIRE(call);
  CHECK(call->node == "/opt/node20/bin/node");
  CHECK(call->script == "-x.js");
}

TEST_CASE("What is more than a plain node call is none") {
  for (const char* line : {"npm run build", "nodemon app.js", "node", "node -e 1", "node --eval=1",
                           "node --watch app.js", "node --test", "node -", "node --require a.js",
                           "ts-node app.ts", "cross-env A=1 npm start", "node a.js && node b.js",
                           "node $MAIN", "cross-env-shell \"node a.js | tee log\"", "A=1", "",
                           "node inspect app.js", "node --run start"}) {
    CAPTURE(std::string(line));
    CHECK_FALSE(ParseNodeCall(line));
  }
}

TEST_CASE("Nested cross-env-shell ends somewhere") {
  std::string line = "node x.js";
  for (int i = 0; i < 1000; ++i) line.insert(0, "cross-env-shell ");
  CHECK_FALSE(ParseNodeCall(line));
}

}  // namespace slc
