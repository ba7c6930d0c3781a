// --watch: a changed file restarts the service, and nothing else does.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr const char* kApp =
    "require('http').createServer((_, res) => res.end(String(process.pid)))"
    ".listen(process.env.PORT);";

// What --watch has done to the service by now, as "soft-restart ok: app.js".
Words Restarts(World& world) {
  Words done;
  for (const std::string& line : LinesOf(world.Must({"events", "--json", "-n", "1000"}).out)) {
    const json event = json::parse(line);
    if (event["kind"] != "change" || event["who"].value("cause", "") != "watch") continue;
    if (event["result"] == "accepted") continue;
    done.push_back(event["verb"].get<std::string>() + " " + event["result"].get<std::string>() +
                   ": " + event["text"].get<std::string>());
  }
  return done;
}

Words WaitForRestarts(World& world, std::size_t count) {
  Words done;
  WaitUntil(
      [&] {
        done = Restarts(world);
        return done.size() >= count;
      },
      20'000, std::to_string(count) + " restarts by --watch");
  return done;
}

void WaitUntilWatched(World& world, const std::string& folders) {
  WaitUntil([&] { return StartsWith(world.View("web").watch, folders + " folder"); }, 20'000,
            "that " + folders + " folders are watched");
}

struct Watched {
  std::string folder;
  // Changes nothing that counts before this: that is what the one restart names.
  void Save(const std::string& file, const std::string& text = "// changed\n") const {
    WriteText(folder + "/" + file, text);
  }
};

Watched Start(World& world, const std::map<std::string, std::string>& files,
              const Words& options = {}) {
  std::map<std::string, std::string> all{{"app.js", kApp}};
  all.insert(files.begin(), files.end());
  Watched watched{world.MakeFolder("web", all)};
  Words words{"start", watched.folder, "--name", "web", "--size", "1", "--watch"};
  words.insert(words.end(), options.begin(), options.end());
  world.Must(words);
  return watched;
}

// What the process has computed, in nanoseconds.
std::uint64_t Computed(pid_t pid) {
  std::istringstream text(ReadText("/proc/" + std::to_string(pid) + "/schedstat"));
  std::uint64_t nanoseconds = 0;
  text >> nanoseconds;
  return nanoseconds;
}

}  // namespace

TEST_SUITE("watch") {
  TEST_CASE("a changed file soft-restarts the service, what is ignored does not") {
    World world;
    const Watched app = Start(world, {{".gitignore", "dist/\n*.gen.js\n"},
                                      {"dist/bundle.js", ""},
                                      {"node_modules/dep/index.js", ""},
                                      {"src/lib/util.js", ""},
                                      {"src/.gitignore", "!keep.gen.js\n"}});
    WaitUntilWatched(world, "3");
    CHECK(Contains(world.Must({"ctl", "status", "web"}).out, "Watch: 3 folders of " + app.folder));
    const int before = world.ReadyPids("web").at(0);
    for (const char* file : {"dist/bundle.js", "node_modules/dep/index.js", "a.gen.js", "out.log",
                             ".hidden", "4913", "src/app.js~", "src/.app.js.swp", "src/a.gen.js"}) {
      app.Save(file);
    }
    app.Save("src/lib/util.js");
    CHECK(WaitForRestarts(world, 1) == Words{"soft-restart ok: src/lib/util.js"});
    CHECK(world.ReadyPids("web").at(0) != before);
    CHECK(Contains(world.Must({"events"}).out, "by watch"));
    // Taken back by a file further down.
    app.Save("src/keep.gen.js");
    CHECK(WaitForRestarts(world, 2).back() == "soft-restart ok: src/keep.gen.js");
    // .env is slc's own matter.
    app.Save(".env", "A=1\n");
    CHECK(WaitForRestarts(world, 3).back() == "soft-restart ok: .env");
  }

  TEST_CASE("files that are moved, removed, or come with their folder are noticed") {
    World world;
    const Watched app = Start(world, {{"old.js", ""}});
    WaitUntilWatched(world, "1");
    // As editors save.
    app.Save(".app.js.new", kApp);
    fs::rename(app.folder + "/.app.js.new", app.folder + "/app.js");
    CHECK(WaitForRestarts(world, 1).back() == "soft-restart ok: app.js");
    fs::remove(app.folder + "/old.js");
    CHECK(WaitForRestarts(world, 2).back() == "soft-restart ok: old.js");
    const std::string beside = world.MakeFolder("beside", {{"deep/down/x.js", ""}});
    fs::rename(beside, app.folder + "/lib");
    CHECK(WaitForRestarts(world, 3).back() == "soft-restart ok: lib/deep/down/x.js");
    WaitUntilWatched(world, "4");
    app.Save("lib/deep/down/y.js");
    CHECK(WaitForRestarts(world, 4).back() == "soft-restart ok: lib/deep/down/y.js");
    fs::rename(app.folder + "/lib", app.folder + "/lob");
    CHECK(Contains(WaitForRestarts(world, 5).back(), "lib and 1 more"));
    app.Save("lob/deep/z.js");
    CHECK(WaitForRestarts(world, 6).back() == "soft-restart ok: lob/deep/z.js");
    fs::remove_all(app.folder + "/lob");
    CHECK(Contains(WaitForRestarts(world, 7).back(), "soft-restart ok: lob"));
    WaitUntilWatched(world, "1");
    fs::create_directories(app.folder + "/new/er");
    WaitUntilWatched(world, "3");
    app.Save("new/er/a.js");
    CHECK(WaitForRestarts(world, 8).back() == "soft-restart ok: new/er/a.js");
    // An empty folder that goes is nothing.
    fs::create_directories(app.folder + "/new/er/scratch");
    WaitUntilWatched(world, "4");
    fs::remove(app.folder + "/new/er/scratch");
    WaitUntilWatched(world, "3");
    app.Save("new/er/b.js");
    CHECK(WaitForRestarts(world, 9).back() == "soft-restart ok: new/er/b.js");
  }

  TEST_CASE("a .gitignore that changes counts from then on") {
    World world;
    const Watched app = Start(world, {{"data/a.txt", ""}, {"src/a.js", ""}});
    WaitUntilWatched(world, "3");
    app.Save(".gitignore", "data/\n");
    WaitUntilWatched(world, "2");
    app.Save("data/a.txt");
    app.Save("src/a.js");
    CHECK(WaitForRestarts(world, 1) == Words{"soft-restart ok: src/a.js"});
    fs::remove(app.folder + "/.gitignore");
    WaitUntilWatched(world, "3");
    app.Save("data/a.txt");
    CHECK(WaitForRestarts(world, 2).back() == "soft-restart ok: data/a.txt");
  }

  TEST_CASE("rules of the repository above count, and a symbolic link is not followed") {
    World world;
    const std::string top = world.MakeFolder("mono", {{".git/info/exclude", "*.private\n"},
                                                      {".gitignore", "packages/web/tmp\n"},
                                                      {"packages/.gitignore", "*.out\n"},
                                                      {"packages/web/app.js", kApp},
                                                      {"packages/web/tmp/x", ""},
                                                      {"elsewhere/y.js", ""}});
    const Watched app{top + "/packages/web"};
    fs::create_directory_symlink("../../elsewhere", app.folder + "/link");
    world.Must({"start", app.folder, "--name", "web", "--size", "1", "--watch"});
    WaitUntilWatched(world, "1");
    app.Save("tmp/x");
    app.Save("a.private");
    app.Save("a.out");
    app.Save("link/y.js");
    app.Save("b.js");
    CHECK(WaitForRestarts(world, 1) == Words{"soft-restart ok: b.js"});
  }

  TEST_CASE("--watch-only narrows it, --watch-restart restarts, --no-watch ends it") {
    World world;
    const Watched app =
        Start(world, {{"src/a.js", ""}}, {"--watch-only", "src/*.js", "--watch-restart"});
    WaitUntilWatched(world, "2");
    app.Save("app.css");
    app.Save("src/a.txt");
    app.Save("src/a.js");
    CHECK(WaitForRestarts(world, 1) == Words{"restart ok: src/a.js"});
    const Ran refused = world.Slc({"start", app.folder, "--name", "web", "--watch-only", "!x"});
    CHECK(refused.code == 1);
    CHECK(Contains(refused.err, "--watch-only: '!x' is no pattern"));
    // Nobody watches what is stopped.
    world.Must({"ctl", "stop", "web"});
    CHECK(world.View("web").watch.empty());
    world.Must({"ctl", "start", "web"});
    WaitUntilWatched(world, "2");
    world.Must({"start", app.folder, "--name", "web", "--no-watch"});
    CHECK(world.View("web").watch.empty());
  }

  TEST_CASE("what changes during a soft restart makes another one, and a broken version heals") {
    World world;
    const Watched app = Start(world, {}, {"--ready-timeout", "20s"});
    WaitUntilWatched(world, "1");
    const auto pids = world.ReadyPids("web");
    app.Save("app.js", "throw new Error('broken');");
    CHECK(StartsWith(WaitForRestarts(world, 1).back(), "soft-restart not_ready: app.js"));
    CHECK(world.ReadyPids("web") == pids);
    // Ready after a while.
    app.Save("app.js", std::string("setTimeout(() => {") + kApp + "}, 1500);");
    WaitUntil([&] { return world.View("web").state == "rolling"; }, 10'000, "the soft restart");
    app.Save("app.js", kApp);
    const Words done = WaitForRestarts(world, 3);
    CHECK(done[1] == "soft-restart ok: app.js");
    CHECK(done[2] == "soft-restart ok: app.js");
  }

  TEST_CASE("an app that writes into its own folder is paused") {
    World world;
    const Watched app{world.MakeFolder(
        "web",
        {{"app.js", std::string("require('fs').writeFileSync('state.json', '{}');") + kApp}})};
    world.Must({"start", app.folder, "--name", "web", "--size", "1", "--watch"});
    WaitUntilWatched(world, "1");
    app.Save("a.js");
    WaitUntil([&] { return Contains(world.View("web").watch_trouble, "paused until"); }, 50'000,
              "the pause");
    const std::string events = world.Must({"events"}).out;
    CHECK(Contains(events, "--watch pauses: restarted 10 times within a minute"));
    CHECK(Contains(events, "state.json"));
    CHECK(Contains(world.Must({"ctl", "status", "web"}).out, "paused until nothing has changed"));
    CHECK(Restarts(world).size() <= 10);
  }

  TEST_CASE("the next slcd watches, too; and a folder that is gone is looked for") {
    World world;
    const Watched app = Start(world, {{"src/a.js", ""}});
    WaitUntilWatched(world, "2");
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    WaitUntilWatched(world, "2");
    app.Save("src/a.js");
    CHECK(WaitForRestarts(world, 1) == Words{"soft-restart ok: src/a.js"});
    fs::rename(app.folder, app.folder + ".away");
    WaitUntil([&] { return !world.View("web").watch_trouble.empty(); }, 10'000, "the trouble");
    CHECK(Contains(world.Must({"events"}).out, "--watch sees less than all"));
    CHECK(Contains(world.Slc({"doctor"}).out, "--watch of web"));
    fs::rename(app.folder + ".away", app.folder);
    WaitUntil([&] { return world.View("web").watch_trouble.empty(); }, 10'000, "its end");
    CHECK(Contains(WaitForRestarts(world, 2).back(), "soft-restart ok: " + app.folder));
    app.Save("src/a.js");
    CHECK(WaitForRestarts(world, 3).back() == "soft-restart ok: src/a.js");
  }

  TEST_CASE("a limit of the system is told") {
    World world;
    std::map<std::string, std::string> files{{"app.js", kApp}};
    for (int i = 0; i < 40; ++i) files["f" + std::to_string(i) + "/a.js"] = "";
    const std::string folder = world.MakeFolder("web", files);
    // In a user namespace the limit is our own.
    const Words inside{
        "unshare", "--user", "--map-root-user",
        "sh",      "-c",     "echo 20 > /proc/sys/user/max_inotify_watches && exec \"$@\"",
        "sh"};
    Words probe = inside;
    probe.emplace_back("true");
    if (world.BeginProgram(probe).Wait(10'000).code != 0) {
      MESSAGE("skipped: there are no user namespaces here");
      return;
    }
    Words start = inside;
    for (const std::string& word :
         {world.ProgramPath("slc"), std::string("start"), folder, std::string("--name"),
          std::string("web"), std::string("--size"), std::string("1"), std::string("--watch")}) {
      start.push_back(word);
    }
    const Ran started = world.BeginProgram(start).Wait(30'000);
    CHECK_MESSAGE(started.code == 0, started.out, started.err);
    WaitUntil([&] { return Contains(world.View("web").watch_trouble, "max_user_watches"); }, 10'000,
              "the trouble");
    CHECK(Contains(world.Must({"ctl", "status", "web"}).out, "the limit of watched folders"));
    CHECK(Contains(world.Slc({"doctor"}).out, "sysctl fs.inotify.max_user_watches"));
  }

  TEST_CASE("10,000 files cost nothing while nothing relevant changes") {
    World world;
    std::map<std::string, std::string> files;
    for (int folder = 0; folder < 500; ++folder) {
      for (int file = 0; file < 20; ++file) {
        files["src/f" + std::to_string(folder) + "/" + std::to_string(file) + ".js"] = "";
      }
    }
    files["node_modules/dep/index.js"] = "";
    const Watched app = Start(world, files);
    WaitUntilWatched(world, "502");
    const pid_t daemon = world.Daemon()->pid;
    // All that has to do with the start is over.
    world.Must({"ctl", "ls"});
    const auto share = [&](const std::function<void()>& meanwhile) {
      constexpr Millis kSpan = 5'000;
      const std::uint64_t before = Computed(daemon);
      const Millis begin = BootNow();
      WaitUntil(
          [&] {
            meanwhile();
            return BootNow() - begin >= kSpan;
          },
          2 * kSpan, "some time to pass");
      return static_cast<double>(Computed(daemon) - before) / 1e6 /
             static_cast<double>(BootNow() - begin) * 100;
    };
    const double idle = share([] {});
    std::ofstream log(app.folder + "/app.log", std::ios::app);
    const double churn = share([&] {
      log << "a line of the app\n" << std::flush;
      app.Save("node_modules/dep/index.js");
    });
    MESSAGE("slcd with 10,000 watched files: ", idle, " % CPU idle, ", churn,
            " % beside a log and node_modules that are written all the time");
    // The bound.
    CHECK(idle < 0.1);
    CHECK(churn < 0.1);
    CHECK(Restarts(world).empty());
    app.Save("src/f499/19.js");
    CHECK(WaitForRestarts(world, 1) == Words{"soft-restart ok: src/f499/19.js"});
  }
}
