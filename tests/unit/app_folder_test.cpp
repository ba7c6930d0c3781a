#include "common/model/app_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/model/service.h"
#include "tests/unit/ctl_scratch.h"

namespace slc {

using ctl::Scratch;

namespace {

Result<App> Find(const Scratch& scratch, const std::string& target = "",
                 const std::string& interpreter = "") {
  return FindApp(AppRequest{target, scratch.path(), interpreter});
}

bool Mentions(const Result<App>& app, const std::string& text) {
  return !app && app.error().message.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("scripts.start wins, with its flags, variables and arguments") {
  const Scratch scratch;
  scratch.Write("package.json",
                R"({"name":"@acme/api","main":"other.js",
                    "scripts":{"start":"A=1 node --inspect=0 src/main x"}})");
  scratch.Write("src/main.js", "");
  scratch.Write("server.js", "");
  const auto app = Find(scratch);
  REQUIRE(app);
  CHECK(app->name == "acme-api");
  CHECK(app->directory == scratch.path());
  CHECK(app->script == "src/main.js");
  CHECK(app->reason == "from scripts.start");
  CHECK(app->node_arguments == std::vector<std::string>{"--inspect=0"});
  CHECK(app->arguments == std::vector<std::string>{"x"});
  CHECK(app->script_environment == Environment{{"A", "1"}});
}

TEST_CASE("`node .` and `node folder` mean their main or index.js") {
  const Scratch scratch;
  scratch.Write("package.json", R"({"main":"lib/x","scripts":{"start":"node ."}})");
  scratch.Write("lib/x.js", "");
  REQUIRE(Find(scratch));
  CHECK(Find(scratch)->script == "lib/x.js");
  scratch.Write("package.json", R"({"scripts":{"start":"node lib"}})");
  scratch.Write("lib/index.js", "");
  REQUIRE(Find(scratch));
  CHECK(Find(scratch)->script == "lib/index.js");
  scratch.Write("lib/package.json", R"({"main":"./x.js"})");
  REQUIRE(Find(scratch));
  CHECK(Find(scratch)->script == "lib/x.js");
}

TEST_CASE("Without a plain start script it is server.js, app.js, main, index.js, in this order") {
  const Scratch scratch;
  scratch.Write("package.json",
                R"({"main":"./lib/start.js","scripts":{"start":"npm run x && y"}})");
  scratch.Write("index.js", "");
  const auto script = [&] {
    const auto app = Find(scratch);
    return app ? app->script : app.error().message;
  };
  CHECK(script() == "index.js");
  scratch.Write("lib/start.js", "");
  CHECK(script() == "lib/start.js");
  CHECK(Find(scratch)->reason ==
        "main of package.json; scripts.start 'npm run x && y' is more than a plain node call");
  scratch.Write("app.js", "");
  CHECK(script() == "app.js");
  scratch.Write("server.js", "");
  CHECK(script() == "server.js");
}

TEST_CASE("A folder without package.json gives its own name") {
  const Scratch scratch;
  scratch.Write("my app!/server.js", "");
  const auto app = Find(scratch, "my app!");
  REQUIRE(app);
  CHECK(app->name == "my-app");
  CHECK(app->reason == "found in the folder");
}

TEST_CASE("When nothing is found it says where it looked") {
  const Scratch scratch;
  scratch.Folder("server.js");
  scratch.Write("package.json", R"({"main":"gone.js","scripts":{"start":"next start"}})");
  const auto app = Find(scratch);
  REQUIRE_FALSE(app);
  CHECK(app.error().code == ErrorCode::kNotFound);
  for (const char* part : {"no script found in", "'next start' is more than a plain node call",
                           "server.js (is a folder)", "app.js", "'gone.js' is not there",
                           "index.js", "slc start FILE"}) {
    CAPTURE(std::string(part));
    CHECK(Mentions(app, part));
  }
}

TEST_CASE("A start script whose file is missing is an error, not a reason to run something else") {
  const Scratch scratch;
  scratch.Write("package.json", R"({"scripts":{"start":"node dist/main.js"}})");
  scratch.Write("server.js", "");
  CHECK(Mentions(Find(scratch), "dist/main.js does not exist; if it is made by a build"));
  scratch.Folder("dist/main.js");
  CHECK(Mentions(Find(scratch), "is a folder without a main script"));
}

TEST_CASE("A broken package.json is reported with its line") {
  const Scratch scratch;
  scratch.Write("package.json", "{\n  \"name\": \"x\",\n  oops\n}\n");
  scratch.Write("server.js", "");
  CHECK(Mentions(Find(scratch), "package.json: broken at line 3"));
  scratch.Write("package.json", "[]");
  CHECK(Mentions(Find(scratch), "is no JSON object"));
  scratch.Write("package.json", std::string(100000, '['));
  CHECK(Mentions(Find(scratch), "package.json: "));
}

TEST_CASE("A byte order mark and fields of the wrong type do no harm") {
  const Scratch scratch;
  scratch.Write("app/package.json", "\xef\xbb\xbf{\"name\":7,\"main\":[],\"scripts\":\"x\"}");
  scratch.Write("app/server.js", "");
  REQUIRE(Find(scratch, "app"));
  CHECK(Find(scratch, "app")->name == "app");
}

TEST_CASE("A file is run in its own folder under its own name") {
  const Scratch scratch;
  scratch.Write("package.json", R"({"name":"whole"})");
  scratch.Write("tools/job.mjs", "");
  const auto app = Find(scratch, "tools/job.mjs");
  REQUIRE(app);
  CHECK(app->name == "job");
  CHECK(app->directory == scratch / "tools");
  CHECK(app->script == "job.mjs");
}

TEST_CASE("A file that its package would run is that package") {
  const Scratch scratch;
  scratch.Write("package.json", R"({"name":"whole","main":"dist/main.js"})");
  scratch.Write("dist/main.js", "");
  const auto app = Find(scratch, "dist/main.js");
  REQUIRE(app);
  CHECK(app->name == "whole");
  CHECK(app->directory == scratch.path());
  CHECK(app->script == "dist/main.js");
}

TEST_CASE("TypeScript and the module endings are scripts for Node") {
  for (const char* name : {"a.js", "a.mjs", "a.cjs", "a.ts", "a.mts", "a.cts"}) {
    CHECK(IsNodeScript(name));
  }
  CHECK_FALSE(IsNodeScript("a.py"));
  CHECK_FALSE(IsNodeScript("js"));
}

TEST_CASE("Any executable runs; what is none is refused with a way out") {
  const Scratch scratch;
  scratch.Write("app.py", "#!/usr/bin/python3\n");
  CHECK(Mentions(Find(scratch, "app.py"), "slc start --interpreter python3 app.py"));
  REQUIRE(Find(scratch, "app.py", "python3"));
  CHECK(Find(scratch, "app.py", "python3")->reason == "run by python3");
  ::chmod((scratch / "app.py").c_str(), 0755);
  REQUIRE(Find(scratch, "app.py"));
  CHECK(Find(scratch, "app.py")->name == "app");
}

TEST_CASE("An interpreter needs a file, and a target must be there") {
  const Scratch scratch;
  scratch.Write("server.js", "");
  CHECK(Mentions(Find(scratch, "", "python3"), "--interpreter needs a file"));
  CHECK(Mentions(Find(scratch, "gone"), "gone: No such file or directory"));
  ::mkfifo((scratch / "pipe").c_str(), 0600);
  CHECK(Mentions(Find(scratch, "pipe"), "is neither a folder nor a file"));
}

TEST_CASE("A path through a symbolic link stays as it was typed") {
  const Scratch scratch;
  scratch.Write("releases/5/server.js", "");
  REQUIRE(::symlink("releases/5", (scratch / "current").c_str()) == 0);
  const auto app = Find(scratch, "./current/");
  REQUIRE(app);
  CHECK(app->directory == scratch / "current");
  CHECK(app->name == "current");
}

TEST_CASE("Absolute paths lose dots where that leads to the same place") {
  const Scratch scratch;
  scratch.Folder("a/b");
  CHECK(AbsolutePath("", "/x/y") == "/x/y");
  CHECK(AbsolutePath("./z//w/.", "/x") == "/x/z/w");
  CHECK(AbsolutePath("..", scratch / "a/b") == scratch / "a");
  CHECK(AbsolutePath("/", "/x") == "/");
  REQUIRE(::symlink("a/b", (scratch / "link").c_str()) == 0);
  CHECK(AbsolutePath("link/..", scratch.path()) == scratch / "link/..");
}

}  // namespace slc
