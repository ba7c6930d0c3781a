// slc build, end to end: real npm, with packages from folders only, and real git.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/text.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

// An app in the folder "work/app" that needs the package in "work/lib", and "work/tool" for
// development.
struct Workshop {
  explicit Workshop(World& of, json package = json::object()) : world(of) {
    const auto write = [&](const std::string& name, const std::string& text) {
      WriteText(folder + "/" + name, text);
    };
    write("lib/package.json", R"({"name":"lib","version":"1.0.0","bin":{"lib":"cli.js"}})");
    write("lib/cli.js", "#!/usr/bin/env node\n");
    write("tool/package.json",
          R"({"name":"tool","version":"1.0.0","scripts":{"install":"touch ../../installed"}})");
    package["name"] = "@acme/shop";
    package["version"] = "1.2.3";
    package["dependencies"] = {{"lib", "file:../lib"}};
    package["devDependencies"] = {{"tool", "file:../tool"}};
    write("app/package.json", package.dump());
    write("app/server.js", "require('http')\n");
    ::chmod((app + "/server.js").c_str(), 0755);
    write("app/.npmrc", "//registry.example.org/:_authToken=secret\n");
    write("app/node_modules/mine/index.js", "// as it was\n");
  }

  Ran Build(const Words& words = {}, const Options& more = {}) const {
    Words all{"build"};
    all.insert(all.end(), words.begin(), words.end());
    Options options = more;
    options.cwd = app;
    return world.Slc(all, options);
  }
  std::string Git(const Words& words) const {
    Words all{"git"};
    all.insert(all.end(), words.begin(), words.end());
    Options options;
    options.cwd = app;
    const Ran ran = world.BeginProgram(all, options).Wait();
    if (ran.code != 0) FAIL("git ", words[0], ": ", ran.err);
    return ran.out;
  }
  // With the app committed; its products are ignored.
  void MakeRepository() const {
    world.env()["GIT_CONFIG_GLOBAL"] = "/dev/null";
    Git({"init", "-q", "-b", "main"});
    Git({"config", "user.name", "Tester"});
    Git({"config", "user.email", "tester@example.org"});
    WriteText(app + "/.gitignore", "node_modules\ndist\n.npmrc\n");
    Git({"add", "."});
    Git({"commit", "-q", "-m", "one"});
  }
  // Members of an archive with their modes: "-rwxr-xr-x package/server.js".
  std::vector<std::string> Members(const std::string& archive) const {
    const Ran ran = world.BeginProgram({"tar", "-tvzf", archive}).Wait();
    if (ran.code != 0) FAIL("tar: ", ran.err);
    std::vector<std::string> members;
    for (const std::string& line : LinesOf(ran.out)) {
      members.push_back(line.substr(0, 10) + line.substr(line.find(" package/")));
    }
    return members;
  }
  // Nothing that a build works in is left, and the app's own packages are as they were.
  void CheckUntouched() const {
    CHECK(ReadText(app + "/node_modules/mine/index.js") == "// as it was\n");
    CHECK_FALSE(Exists(app + "/node_modules/lib"));
    CHECK_FALSE(Exists(app + "/package-lock.json"));
    const Ran ran = world.BeginProgram({"find", folder, "-name", ".slc-*"}).Wait();
    CHECK(ran.out == "");
  }

  World& world;
  const std::string folder = world.folder() + "/work";
  const std::string app = folder + "/app";
};

json WithBuildScript() {
  // It needs what is there for development only.
  return {{"scripts",
           {{"build",
             "node -e \"require('fs').accessSync('node_modules/tool/package.json');"
             "require('fs').mkdirSync('dist');"
             "require('fs').writeFileSync('dist/made.js','1')\""}}}};
}

}  // namespace

TEST_SUITE("build") {
  TEST_CASE("outside of a repository the app is packed, with what it needs and nothing else") {
    World world;
    const Workshop shop(world, WithBuildScript());
    const Ran ran = shop.Build();
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK_MESSAGE(Contains(ran.out, "Running `npm install "), ran.out);
    CHECK_MESSAGE(Contains(ran.out, "Running `npm run build`\n"), ran.out);
    CHECK_MESSAGE(Contains(ran.out, "Running `npm prune --omit=dev "), ran.out);
    CHECK_MESSAGE(Contains(ran.out, "files into ../acme-shop-1.2.3.tgz ("), ran.out);
    CHECK(shop.Members(shop.folder + "/acme-shop-1.2.3.tgz") ==
          std::vector<std::string>{
              "drwxr-xr-x package/", "drwxr-xr-x package/dist/", "-rw-r--r-- package/dist/made.js",
              "drwxr-xr-x package/node_modules/", "drwxr-xr-x package/node_modules/.bin/",
              "lrwxrwxrwx package/node_modules/.bin/lib -> ../lib/cli.js",
              "-rw-r--r-- package/node_modules/.package-lock.json",
              "drwxr-xr-x package/node_modules/lib/", "-rwxr-xr-x package/node_modules/lib/cli.js",
              "-rw-r--r-- package/node_modules/lib/package.json", "-rw-r--r-- package/package.json",
              "-rwxr-xr-x package/server.js"});
    shop.CheckUntouched();
    // Install scripts are left to the machine that it is deployed to.
    CHECK_FALSE(Exists(shop.folder + "/installed"));
  }

  TEST_CASE("the same tree makes the same archive, byte by byte") {
    World world;
    const Workshop shop(world);
    const std::string archive = shop.folder + "/acme-shop-1.2.3.tgz";
    REQUIRE(shop.Build({"--npm"}).code == 0);
    const std::string first = ReadText(archive);
    REQUIRE(shop.Build({"--npm"}).code == 0);
    CHECK(first == ReadText(archive));
    CHECK(!first.empty());
  }

  TEST_CASE("with a lock file its versions are installed, and scripts are run when asked for") {
    World world;
    const Workshop shop(world);
    Options options;
    options.cwd = shop.app;
    REQUIRE(
        world.BeginProgram({"npm", "install", "--package-lock-only", "--ignore-scripts"}, options)
            .Wait()
            .code == 0);
    const std::string lock = ReadText(shop.app + "/package-lock.json");
    const Ran ran = shop.Build({"--scripts"});
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK_MESSAGE(Contains(ran.out, "Running `npm ci --include=dev --install-links`\n"), ran.out);
    CHECK(ReadText(shop.app + "/package-lock.json") == lock);
  }

  TEST_CASE("a step that fails ends the build with its reason, and leaves nothing behind") {
    World world;
    SUBCASE("the build script") {
      const Workshop shop(world, {{"scripts", {{"build", "echo about to fail && exit 7"}}}});
      const Ran ran = shop.Build();
      CHECK(ran.code == 1);
      CHECK_MESSAGE(Contains(ran.err, "`npm run build`: exit code 7"), ran.err);
      CHECK_MESSAGE(Contains(ran.err, "about to fail"), ran.err);
      shop.CheckUntouched();
      CHECK_FALSE(Exists(shop.folder + "/acme-shop-1.2.3.tgz"));
      const json value = world.Json({"build"}, Options{.cwd = shop.app});
      CHECK(value["ok"] == false);
      CHECK(Contains(value["log_tail"].dump(), "about to fail"));
    }
    SUBCASE("a package that is not there") {
      const Workshop shop(world);
      WriteText(shop.app + "/package.json",
                R"({"name":"x","version":"1.0.0","dependencies":{"gone":"file:../gone"}})");
      const Ran ran = shop.Build();
      CHECK(ran.code == 1);
      CHECK_MESSAGE(Contains(ran.err, "`npm install "), ran.err);
      CHECK_MESSAGE(Contains(ran.err, "ENOENT"), ran.err);
      shop.CheckUntouched();
    }
    SUBCASE("a link out of the folder") {
      const Workshop shop(world);
      REQUIRE(::symlink("../../lib", (shop.app + "/node_modules/lib").c_str()) == 0);
      const Ran ran = shop.Build({"--pack"});
      CHECK(ran.code == 1);
      CHECK_MESSAGE(
          Contains(ran.err, "node_modules/lib is a symbolic link out of the app's folder"),
          ran.err);
      CHECK_FALSE(Exists(shop.folder + "/acme-shop-1.2.3.tgz"));
    }
    SUBCASE("no app") {
      WriteText(world.folder() + "/work/x", "");
      const Ran ran = world.Slc({"build"}, Options{.cwd = world.folder() + "/work"});
      CHECK(ran.code == 1);
      CHECK_MESSAGE(Contains(ran.err, "there is no package.json in"), ran.err);
    }
    SUBCASE("no npm") {
      const Workshop shop(world);
      const Ran ran = shop.Build({}, Options{.env = {{"PATH", "/nowhere"}}});
      CHECK(ran.code == 1);
      CHECK_MESSAGE(Contains(ran.err, "npm"), ran.err);
      shop.CheckUntouched();
    }
  }

  TEST_CASE("an archive that is made in the folder does not hold the one before") {
    World world;
    const Workshop shop(world);
    REQUIRE(shop.Build({"--pack", "--output", "out.tgz"}).code == 0);
    const auto first = shop.Members(shop.app + "/out.tgz");
    REQUIRE(shop.Build({"--pack", "--output", "out.tgz"}).code == 0);
    CHECK(shop.Members(shop.app + "/out.tgz") == first);
    CHECK(first.size() == 6);
  }

  TEST_CASE("what was packed is what slcd unpacks, file by file") {
    World world;
    const Workshop shop(world);
    const std::string deep = std::string(90, 'd') + "/" + std::string(90, 'e') + "/";
    WriteText(shop.app + "/" + deep + deep + "umläut.js", "1");
    REQUIRE(::symlink((deep + deep + "umläut.js").c_str(), (shop.app + "/link").c_str()) == 0);
    REQUIRE(::unlink((shop.app + "/.npmrc").c_str()) == 0);
    REQUIRE(shop.Build({"--pack"}).code == 0);
    const std::string out = shop.folder + "/out";
    REQUIRE(MakeDirectories(out).ok());
    const Ran ran =
        world
            .BeginProgram({"sh", "-c", "exec \"$0\" --into 3 <\"$1\" 3<\"$2\"",
                           BinaryPath("slc-unpack"), shop.folder + "/acme-shop-1.2.3.tgz", out})
            .Wait();
    CHECK_MESSAGE(ran.code == 0, ran.out);
    const Ran same = world.BeginProgram({"diff", "-r", "--no-dereference", shop.app, out}).Wait();
    CHECK(same.code == 0);
    CHECK(same.out == "");
    struct stat info {};
    REQUIRE(::stat((out + "/server.js").c_str(), &info) == 0);
    CHECK((info.st_mode & 0111) != 0);
  }

  TEST_CASE("Ctrl-C ends a build, and what it worked in goes") {
    World world;
    const Workshop shop(world, {{"scripts", {{"build", "touch ../begun && sleep 60"}}}});
    Running slc = world.Begin({"build"}, Options{.cwd = shop.app});
    WaitUntil([&] { return Exists(shop.folder + "/begun"); }, 30'000, "the build script to begin");
    slc.Signal(SIGINT);
    CHECK(slc.Wait(20'000).code == 128 + SIGINT);
    shop.CheckUntouched();
  }

  TEST_CASE("in a repository products are committed, and work tree and index stay as they are") {
    World world;
    const Workshop shop(world, WithBuildScript());
    shop.MakeRepository();
    // Something staged, something changed, something new.
    WriteText(shop.app + "/staged.js", "1");
    shop.Git({"add", "staged.js"});
    WriteText(shop.app + "/server.js", "changed");
    WriteText(shop.app + "/new.js", "1");
    const std::string status = shop.Git({"status", "--porcelain"});
    const std::string index = ReadText(shop.app + "/.git/index");
    const Ran ran = shop.Build();
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK_MESSAGE(Contains(ran.out, "Committed build products onto `deploy`\n"), ran.out);
    CHECK_MESSAGE(Contains(ran.err, "changes are not committed"), ran.err);
    CHECK(ReadText(shop.app + "/.git/index") == index);
    CHECK(shop.Git({"status", "--porcelain"}) == status);
    CHECK(LinesOf(shop.Git({"worktree", "list"})).size() == 1);
    CHECK(LinesOf(shop.Git({"ls-tree", "-r", "--name-only", "deploy"})) ==
          Words{".gitignore", "dist/made.js", "node_modules/.bin/lib",
                "node_modules/.package-lock.json", "node_modules/lib/cli.js",
                "node_modules/lib/package.json", "package.json", "server.js"});
    CHECK(shop.Git({"show", "deploy:server.js"}) == "require('http')\n");
    CHECK(Contains(shop.Git({"ls-tree", "deploy", "node_modules/.bin/lib"}), "120000 blob"));
    CHECK(Contains(shop.Git({"ls-tree", "deploy", "server.js"}), "100755 blob"));
    // On top of the sources they were made of.
    CHECK(shop.Git({"rev-parse", "deploy^"}) == shop.Git({"rev-parse", "main"}));
    shop.CheckUntouched();

    // Again: nothing changes.
    const std::string before = shop.Git({"rev-parse", "deploy"});
    const Ran again = shop.Build();
    CHECK_MESSAGE(Contains(again.out, "already up to date on `deploy`"), again.out);
    CHECK(shop.Git({"rev-parse", "deploy"}) == before);

    // New sources: a commit that joins both, and one with the products.
    shop.Git({"commit", "-q", "-a", "-m", "two"});
    REQUIRE(shop.Build().code == 0);
    CHECK(shop.Git({"rev-parse", "deploy~2"}) == before);
    CHECK(shop.Git({"rev-parse", "deploy^^2"}) == shop.Git({"rev-parse", "main"}));
    CHECK(shop.Git({"rev-parse", "deploy^^{tree}"}) == shop.Git({"rev-parse", "main^{tree}"}));
    CHECK(shop.Git({"show", "deploy:server.js"}) == "changed");
    CHECK(shop.Git({"fsck", "--strict", "--no-dangling"}) == "");
    CHECK(LinesOf(shop.Git({"show-ref", "--heads"})).size() == 2);
  }

  TEST_CASE("a build in a repository that fails moves no branch") {
    World world;
    const Workshop shop(world, {{"scripts", {{"build", "exit 7"}}}});
    shop.MakeRepository();
    CHECK(shop.Build().code == 1);
    CHECK(LinesOf(shop.Git({"show-ref", "--heads"})).size() == 1);
    CHECK(LinesOf(shop.Git({"worktree", "list"})).size() == 1);
    shop.CheckUntouched();
  }

  TEST_CASE("an app below the top of its repository is committed by itself") {
    World world;
    const Workshop shop(world);
    shop.MakeRepository();
    WriteText(shop.app + "/apps/api/package.json", R"({"name":"api","version":"2.0.0"})");
    WriteText(shop.app + "/apps/api/index.js", "1");
    shop.Git({"add", "apps"});
    shop.Git({"commit", "-q", "-m", "api"});
    const json value =
        world.Json({"build", "--onto", "deploy-api"}, Options{.cwd = shop.app + "/apps/api"});
    CHECK_MESSAGE(value["ok"] == true, value.dump());
    CHECK(value["branch"] == "deploy-api");
    CHECK(value["name"] == "api");
    CHECK(value["commit"].get<std::string>() + "\n" == shop.Git({"rev-parse", "deploy-api"}));
    const Words files = LinesOf(shop.Git({"ls-tree", "-r", "--name-only", "deploy-api"}));
    CHECK(Contains(Join(files, " "), "index.js"));
    CHECK_FALSE(Contains(Join(files, " "), "server.js"));
    // A folder that the repository ignores has no part in it.
    WriteText(shop.app + "/dist/package.json", R"({"name":"made","version":"3.0.0"})");
    const Ran ran = world.Slc({"build"}, Options{.cwd = shop.app + "/dist"});
    CHECK_MESSAGE(Contains(ran.out, "../made-3.0.0.tgz"), ran.out);
  }

  TEST_CASE("a branch that is checked out, or no commit at all, is refused") {
    World world;
    const Workshop shop(world);
    shop.MakeRepository();
    CHECK_MESSAGE(Contains(shop.Build({"--onto", "main"}).err, "is checked out in"), "");
    CHECK(shop.Build({"--onto", "a b"}).code == 2);
    CHECK(shop.Build({"--onto", "x", "--npm"}).code == 2);
    CHECK(shop.Build({"--npm", "--git"}).code == 2);
    shop.Git({"rm", "-q", "--cached", "package.json"});
    shop.Git({"commit", "-q", "-m", "without"});
    CHECK_MESSAGE(Contains(shop.Build().err, "package.json is not in the last commit"), "");
    shop.Git({"update-ref", "-d", "HEAD"});
    CHECK_MESSAGE(Contains(shop.Build().err, "nothing is committed"), "");
  }

  TEST_CASE("single steps happen in the folder itself") {
    World world;
    const Workshop shop(world);
    shop.MakeRepository();
    Ran ran = shop.Build({"--install"});
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK(Exists(shop.app + "/node_modules/lib/package.json"));
    // npm links packages of other folders: nothing that could be deployed.
    CHECK(shop.Build({"--commit"}).code == 1);
    WriteText(shop.app + "/package.json", R"({"name":"x","version":"1.0.0"})");
    REQUIRE(shop.Build({"--install"}).code == 0);
    WriteText(shop.app + "/dist/x.js", "1");
    ran = shop.Build({"--commit"});
    CHECK_MESSAGE(ran.code == 0, ran.err);
    const std::string files = shop.Git({"ls-tree", "-r", "--name-only", "deploy"});
    CHECK_MESSAGE(Contains(files, "dist/x.js"), files);
  }
}
