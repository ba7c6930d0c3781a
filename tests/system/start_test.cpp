// slc start, end to end: what runs, under which name, with which arguments and environment.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

// The first line of `slc start`: what was chosen, and why. No worker is started.
std::string Chosen(World& world, const std::string& path) {
  const auto lines = LinesOf(world.Must({"start", path, "--size", "0"}).out);
  return lines.empty() ? "" : lines[0];
}

json AskMirror(const App& app) { return Get(app.url()).json(); }

std::string Package(const std::string& name, const std::string& start) {
  return json{{"name", name}, {"scripts", {{"start", start}}}}.dump();
}

bool Holds(const json& list, const std::string& word) {
  for (const json& each : list) {
    if (each == word) return true;
  }
  return false;
}

}  // namespace

TEST_SUITE("start") {
  TEST_CASE("what had ended before slcd listened for it is reaped") {
    World world;
    // A child of slcd that has ended when that begins, as a worker does while one image of slcd
    // gives way to the next.
    const std::string script =
        "import os, sys\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0)\n"
        "os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)\n"
        "os.execv(sys.argv[1], ['slcd'])\n";
    Running slcd = world.BeginProgram({"python3", "-c", script, BinaryPath("slcd")});
    WaitUntil(
        [&] {
          return world.Daemon() && world.Slc({"ctl", "-C", world.socket(), "ls"}).code == 0;
        },
        10'000, "slcd to answer");
    const std::string pid = std::to_string(slcd.pid());
    WaitUntil([&] { return Trim(ReadText("/proc/" + pid + "/task/" + pid + "/children")).empty(); },
              5'000, "its child to be reaped");
    slcd.Signal(SIGTERM);
    CHECK(slcd.Wait().code == 0);
  }

  TEST_CASE("an Express app of a folder runs as a cluster and answers") {
    World world;
    const App app = world.StartApp("express4", {"--size", "2"});
    CHECK(Get(app.url("/")).body == "hello\n");
    std::set<std::string> workers;
    for (int i = 0; i < 4; ++i) workers.insert(Get(app.url("/")).headers["x-worker"]);
    CHECK(workers == std::set<std::string>{"1", "2"});
  }

  TEST_CASE("Express 5 runs as well") {
    World world;
    const App app = world.StartApp("express5", {"--size", "2"});
    CHECK(Get(app.url("/")).body == "hello\n");
  }

  TEST_CASE("it prints the choice, a line per worker with its time, and how to go on") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "2", "--name", "web"});
    const auto lines = LinesOf(app.started.out);
    REQUIRE(lines.size() == 7);
    CHECK(lines[0] == "web: server.js (named on the command line)");
    const ServiceView view = world.View("web");
    std::set<std::string> starts;
    for (const auto& process : view.processes) {
      if (process.worker == 0) continue;
      starts.insert("  worker " + std::to_string(process.worker) + "  pid " +
                    std::to_string(process.pid) + "  0.0.0.0:" + std::to_string(app.port) +
                    "  ready after ");
    }
    for (std::size_t i = 1; i <= 2; ++i) {
      const std::size_t end = lines[i].find("ready after ");
      INFO(lines[i]);
      REQUIRE(end != std::string::npos);
      CHECK(starts.erase(lines[i].substr(0, end + 12)) == 1);
    }
    CHECK(lines[3] == "web runs: 2 workers on 0.0.0.0:" + std::to_string(app.port));
    CHECK(lines[4] == "  look:           slc ctl status web");
    CHECK(lines[5] == "  logs:           slc logs web -f");
    CHECK(StartsWith(lines[6], "  start at boot:  "));
    CHECK(app.started.err == "");
  }

  TEST_CASE(
      "scripts.start that is a plain node call gives script, node flags, variables, arguments") {
    World world;
    const std::string folder = world.MakeFolder(
        "shop", {{"package.json", Package("my-app",
                                          "NODE_ENV=production cross-env MODE=fast node "
                                          "--stack-trace-limit=7 srv.js --flag 'a b'")},
                 {"srv.js", kMirror},
                 {"server.js", "throw new Error('not me')"}});
    const App app = world.StartPath(folder, {"--size", "1"});
    CHECK(app.name == "my-app");
    CHECK(LinesOf(app.started.out)[0] == "my-app: srv.js (from scripts.start)");
    const json mirror = AskMirror(app);
    CHECK(mirror["argv"] == json{"--flag", "a b"});
    CHECK(Holds(mirror["execArgv"], "--stack-trace-limit=7"));
    CHECK(mirror["env"]["NODE_ENV"] == "production");
    CHECK(mirror["env"]["MODE"] == "fast");
    CHECK(mirror["cwd"] == folder);
  }

  TEST_CASE("without a plain scripts.start: server.js, then app.js, then main, then index.js") {
    World world;
    const std::string empty = "setInterval(() => {}, 1e9)";
    const std::string main = R"({"name": "three", "main": "lib/run.js"})";
    const auto chosen = [&](const std::string& name,
                            const std::map<std::string, std::string>& files) {
      return Chosen(world, world.MakeFolder(name, files));
    };
    CHECK(StartsWith(chosen("one", {{"server.js", empty}, {"app.js", empty}, {"index.js", empty}}),
                     "one: server.js ("));
    CHECK(StartsWith(chosen("two", {{"app.js", empty}, {"index.js", empty}}), "two: app.js ("));
    CHECK(StartsWith(
        chosen("3", {{"package.json", main}, {"lib/run.js", empty}, {"index.js", empty}}),
        "three: lib/run.js ("));
    CHECK(StartsWith(chosen("four", {{"index.js", empty}}), "four: index.js ("));
    // More than a call of node: it says why that is not followed.
    const std::string piped = chosen(
        "five",
        {{"package.json", Package("five", "node build.js && node x.js")}, {"app.js", empty}});
    CHECK(StartsWith(piped, "five: app.js ("));
    CHECK(Contains(piped, "scripts.start"));
  }

  TEST_CASE("the name is --name, else that of package.json, else the folder's") {
    World world;
    const std::string script = "setInterval(() => {}, 1e9)";
    const std::string folder = world.MakeFolder(
        "folder", {{"package.json", R"({"name": "@acme/api"})"}, {"server.js", script}});
    CHECK(StartsWith(Chosen(world, folder), "acme-api: "));
    CHECK(StartsWith(Chosen(world, world.MakeFolder("my.app_2", {{"server.js", script}})),
                     "my.app_2: "));
    const Ran named = world.Must({"start", folder, "--size", "0", "--name", "other"});
    CHECK(StartsWith(named.out, "other: "));
    std::set<std::string> names;
    for (const ServiceView& view : world.Views()) names.insert(view.name);
    CHECK(names == std::set<std::string>{"acme-api", "my.app_2", "other"});
  }

  TEST_CASE("without an operand the app of the current folder is meant") {
    World world;
    const std::string folder = world.MakeFolder("here", {{"app.js", kMirror}});
    const std::string port = std::to_string(FreePort());
    const Ran ran = world.Must({"start", "--size", "1", "--port", port}, {.cwd = folder});
    CHECK(StartsWith(ran.out, "here: app.js ("));
    CHECK(Get("http://127.0.0.1:" + port).json()["cwd"] == folder);
  }

  TEST_CASE("an ES module runs, and a CommonJS-hostile folder") {
    World world;
    const App module = world.StartApp("plain/esm.mjs", {"--size", "1"});
    CHECK(Get(module.url()).status == 200);
    const App hostile = world.StartApp("plain/type-module", {"--size", "1"});
    CHECK(Get(hostile.url()).status == 200);
  }

  TEST_CASE("TypeScript runs on Node 22 and 24, and Node 20 says that it cannot") {
    World world;
    for (const int major : {22, 24}) {
      const App app = world.StartApp(
          "plain/typescript.ts", {"--size", "1", "--name", "node" + std::to_string(major), "--node",
                                  world.NodePath(major)});
      CHECK(Get(app.url()).status == 200);
    }
    const Ran refused = world.Slc({"start", SourcePath("tests/apps/plain/typescript.ts"), "--name",
                                   "node20", "--node", world.NodePath(20)});
    CHECK(refused.code == 1);
    CHECK(Contains(refused.err, "cannot run TypeScript"));
    // Something that can, loaded before it; here the annotations are simply cut out.
    const std::string folder = world.MakeFolder("loads", {{"hook.cjs", R"(
      require.extensions['.ts'] = (module, file) => module._compile(
        require('fs').readFileSync(file, 'utf8').replace(/: (string|number)/g, ''), file);
    )"},
                                                          {"app.ts", R"(
      const port: string = process.env.PORT;
      require('http').createServer((request, response) => response.end('hello')).listen(port);
    )"}});
    const App loads =
        world.StartPath(folder + "/app.ts", {"--size", "1", "--node", world.NodePath(20),
                                             "--node-args", "--require " + folder + "/hook.cjs"});
    CHECK(Get(loads.url()).status == 200);
  }

  TEST_CASE("another program runs with --interpreter and is told its PORT") {
    World world;
    const App app = world.StartApp("py/app.py", {"--size", "1", "--interpreter", "python3"});
    CHECK(LinesOf(app.started.out)[0] == "app: app.py (run by python3)");
    const std::string answer = Get(app.url()).body;
    CHECK(std::to_string(world.ReadyPids("app").at(0)) == std::string(Trim(answer)));
  }

  TEST_CASE("an executable file runs by itself") {
    World world;
    const std::string folder =
        world.MakeFolder("tool", {{"serve", "#!/usr/bin/env node\n" + std::string(kMirror)}});
    REQUIRE(::chmod((folder + "/serve").c_str(), 0755) == 0);
    const App app = world.StartPath(folder + "/serve", {"--size", "1", "--", "one", "two"});
    CHECK(AskMirror(app)["argv"] == json{"one", "two"});
  }

  TEST_CASE("arguments behind -- belong to the app, options of slc among them too") {
    World world;
    const std::string folder = world.MakeFolder("args", {{"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "1", "--", "--port", "9", "", "a b", "--"});
    CHECK(AskMirror(app)["argv"] == json{"--port", "9", "", "a b", "--"});
  }

  TEST_CASE("variables: .env, then scripts.start, then --env; the caller's others stay out") {
    World world;
    const std::string folder = world.MakeFolder(
        "vars", {{"package.json", Package("vars", "B=script C=script node app.js")},
                 {".env", "A=file\nB=file\nC=file\nD=\"with # and\\nline\"\n"},
                 {"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "1", "--env", "C=option", "--env", "E=x=y"},
                                    {.env = {{"SECRET", "1"}, {"NODE_ENV", "staging"}}});
    const json seen = AskMirror(app)["env"];
    CHECK(seen["A"] == "file");
    CHECK(seen["B"] == "script");
    CHECK(seen["C"] == "option");
    CHECK(seen["D"] == "with # and\nline");
    CHECK(seen["E"] == "x=y");
    CHECK(seen["NODE_ENV"] == "staging");
    CHECK(seen["PORT"] == std::to_string(app.port));
    CHECK_FALSE(seen.contains("SECRET"));
    CHECK_FALSE(seen.contains("SLC_HOME"));
  }

  TEST_CASE("PORT is 3000 + id unless it is set, and shown") {
    World world;
    // It listens elsewhere: other copies of this test have a service 1, too.
    const std::string script =
        "process.env.PORT_SEEN = process.env.PORT;\n"
        "process.env.PORT = process.env.REAL_PORT;\n" +
        std::string(kMirror);
    const auto start = [&](const std::string& name, const Words& options) {
      const std::string folder = world.MakeFolder(name, {{"app.js", script}});
      const std::string port = std::to_string(FreePort());
      Words words{"start", folder, "--size", "1", "--env", "REAL_PORT=" + port};
      words.insert(words.end(), options.begin(), options.end());
      world.Must(words);
      return Get("http://127.0.0.1:" + port).json()["env"]["PORT_SEEN"].get<std::string>();
    };
    CHECK(start("first", {}) == "3001");
    CHECK(start("second", {}) == "3002");
    CHECK(start("third", {"--port", "4567"}) == "4567");
    CHECK(start("fourth", {"--env", "PORT=4568"}) == "4568");
    CHECK(world.View("second").port == 3002);
    CHECK(world.View("third").port == 4567);
    CHECK(world.View("fourth").port == 4568);
  }

  TEST_CASE("--node-args, --node and --cwd are followed") {
    World world;
    const std::string folder = world.MakeFolder("flags", {{"app.js", kMirror}});
    const std::string elsewhere = world.MakeFolder("elsewhere", {});
    const App app =
        world.StartPath(folder, {"--size", "1", "--node", world.NodePath(18), "--cwd", elsewhere,
                                 "--node-args", "--stack-trace-limit=5 --title='a b'"});
    const json mirror = AskMirror(app);
    CHECK(StartsWith(mirror["version"].get<std::string>(), "v18."));
    CHECK(mirror["cwd"] == elsewhere);
    CHECK(Holds(mirror["execArgv"], "--stack-trace-limit=5"));
    CHECK(Holds(mirror["execArgv"], "--title=a b"));
  }

  TEST_CASE("the default size is the number of CPUs that may be used") {
    World world;
    const std::string app = SourcePath("tests/apps/plain/server.js");
    world.Must({"start", app, "--port", std::to_string(FreePort())});
    CHECK(world.ReadyPids("server").size() == UsableCpus());
    World narrow;
    const Ran ran = narrow
                        .BeginProgram({"taskset", "--cpu-list", "0", BinaryPath("slc"), "start",
                                       app, "--port", std::to_string(FreePort())})
                        .Wait();
    CHECK(ran.code == 0);
    CHECK(narrow.ReadyPids("server").size() == 1);
  }

  TEST_CASE("--ready message waits for process.send('ready')") {
    World world;
    const App app = world.StartApp("plain/message-ready.js", {"--size", "1", "--wait-ready"});
    // It says so 300 ms after it listens.
    CHECK(app.started.took >= 300);
    CHECK(Get(app.url()).status == 200);
  }

  TEST_CASE("--no-wait returns while the app still boots") {
    World world;
    const App app =
        world.StartApp("express4", {"--size", "1", "--no-wait", "--env", "APP_BOOT_MS=1500"});
    CHECK(Contains(app.started.out, " is starting\n"));
    CHECK(app.started.took < 1500);
    CHECK(world.View(app.name).state == "starting");
    CHECK(world.ReadyPids(app.name).empty());
    world.WaitForState(app.name, "running");
    CHECK(Get(app.url("/")).status == 200);
  }

  TEST_CASE("Ctrl-C detaches and says that the start goes on, which it does") {
    World world;
    const std::string port = std::to_string(FreePort());
    Running start = world.Begin({"start", SourcePath("tests/apps/express4"), "--size", "1",
                                 "--port", port, "--name", "web", "--env", "APP_BOOT_MS=1500"});
    WaitUntil([&] { return world.TryView("web").has_value(); }, 10'000, "slcd to know the service");
    start.Signal(SIGINT);
    const Ran ran = start.Wait(1400);
    CHECK(ran.code == 130);
    CHECK(Contains(ran.err, "detached; slcd goes on to start web, look with: slc ctl status web"));
    world.WaitForState("web", "running");
    CHECK(Get("http://127.0.0.1:" + port + "/").status == 200);
  }

  TEST_CASE("nothing that it leaves behind holds on to its output") {
    World world;
    int ends[2] = {-1, -1};
    REQUIRE(::pipe(ends) == 0);
    UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const std::string program = BinaryPath("slc");
    const std::string script = SourcePath("tests/apps/plain/server.js");
    const std::string port = std::to_string(FreePort());
    // As a shell does for $(slc start).
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("SLC_HOME", world.home().c_str(), 1);
      ::dup2(write_end.get(), STDOUT_FILENO);
      ::dup2(write_end.get(), STDERR_FILENO);
      ::execl(program.c_str(), "slc", "start", script.c_str(), "--size", "1", "--port",
              port.c_str(), nullptr);
      ::_exit(127);
    }
    write_end.reset();
    std::string text;
    char buffer[4096];
    ssize_t got = 0;
    while ((got = ::read(read_end.get(), buffer, sizeof buffer)) > 0) {
      text.append(buffer, static_cast<std::size_t>(got));
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    INFO(text);
    CHECK(status == 0);
    CHECK(world.ReadyPids("server").size() == 1);
  }
}

TEST_SUITE("start-again") {
  TEST_CASE("without --name the folder says which service is meant") {
    World world;
    const std::string one =
        world.MakeFolder("one", {{"package.json", R"({"name":"shop"})"}, {"app.js", kMirror}});
    const std::string two =
        world.MakeFolder("two", {{"package.json", R"({"name":"shop"})"}, {"app.js", kMirror}});
    const App first = world.StartPath(one, {"--size", "1"});
    const App second = world.StartPath(two, {"--size", "1", "--name", "other"});
    world.Must({"start", two, "--env", "A=1"});
    CHECK(AskMirror(second)["env"]["A"] == "1");
    CHECK_FALSE(AskMirror(first)["env"].contains("A"));
    WriteText(two + "/app.js", "throw new Error('on the rocks');");
    const Ran broken = world.Slc({"start", two, "--env", "A=2"});
    CHECK(broken.code == 1);
    CHECK_MESSAGE(Contains(broken.err, "cannot start other: "), broken.err);
    CHECK_MESSAGE(Contains(broken.err, "The workers of before go on serving."), broken.err);
    CHECK_MESSAGE(Contains(broken.err, "the changes are recorded all the same"), broken.err);
    CHECK_MESSAGE(Contains(broken.err, "Try again: slc ctl soft-restart other"), broken.err);
    CHECK_FALSE(Contains(broken.err, "slc ctl stop"));
  }

  TEST_CASE("arguments behind -- stay until others are given") {
    World world;
    const std::string folder = world.MakeFolder("words", {{"app.js", kMirror}});
    const int port = FreePort();
    const App app{"words", static_cast<std::uint16_t>(port), folder, {}};
    const std::string number = std::to_string(port);
    world.Must({"start", folder, "--size", "1", "--port", number, "--", "a", "b"});
    world.Must({"start", folder, "--env", "A=1"});
    const auto arguments = AskMirror(app)["argv"];
    CHECK(arguments.size() >= 2);
    CHECK(arguments[arguments.size() - 2] == "a");
    CHECK(arguments[arguments.size() - 1] == "b");
    world.Must({"start", folder, "--", "c"});
    CHECK(AskMirror(app)["argv"].back() == "c");
  }

  TEST_CASE("workers have the limit of open files that slc had, not the raised one of slcd") {
    World world;
    // Not Node, which raises its own.
    const std::string folder = world.MakeFolder("limits", {{"app.sh", "exec sleep 1000\n"}});
    Running start = world.BeginProgram({"sh", "-c", "ulimit -Sn 500; exec \"$@\"", "sh",
                                        BinaryPath("slc"), "start", folder + "/app.sh", "--name",
                                        "limits", "--interpreter", "sh"});
    REQUIRE(start.Wait().code == 0);
    const auto soft_limit = [](pid_t pid) {
      for (const std::string& line :
           LinesOf(ReadText("/proc/" + std::to_string(pid) + "/limits"))) {
        if (StartsWith(line, "Max open files")) return std::atoi(line.c_str() + 26);
      }
      return 0;
    };
    CHECK(soft_limit(world.MasterPid("limits")) > 500);
    CHECK(soft_limit(world.ReadyPids("limits").at(0)) == 500);
  }

  TEST_CASE("files of an app get the modes they would have without slc") {
    World world;
    world.UseNode(24);
    const std::string folder = world.MakeFolder(
        "modes",
        {{"app.js",
          "const fs = require('fs');"
          "fs.writeFileSync(__dirname + '/written', 'x');"
          "require('net').createServer(() => {}).listen(__dirname + '/sock', () =>"
          "  require('http').createServer((q, s) => s.end()).listen(process.env.PORT));"
          "require('net').createServer(() => {})"
          "  .listen({path: __dirname + '/open', readableAll: true, writableAll: true});"}});
    Running start =
        world.BeginProgram({"sh", "-c", "umask 002; exec \"$@\"", "sh", BinaryPath("slc"), "start",
                            folder, "--size", "1", "--port", std::to_string(FreePort())});
    CHECK(start.Wait().code == 0);
    struct stat info {};
    REQUIRE(::stat((folder + "/written").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0664);
    REQUIRE(::stat((folder + "/sock").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0775);
    const auto opened = [&] { return ::stat((folder + "/open").c_str(), &info) == 0; };
    WaitUntil(opened, 5'000, "the second socket");
    WaitUntil([&] { return opened() && (info.st_mode & 0777) == 0777; }, 5'000, "its mode");
  }

  TEST_CASE("the same folder again changes nothing and says so") {
    World world;
    const std::string folder = world.MakeFolder("again", {{"app.js", kMirror}});
    const App app = world.StartPath(
        folder, {"--size", "2", "--env", "A=1", "--node-args", "--max-http-header-size=20000"});
    const auto pids = world.ReadyPids("again");
    const Ran again = world.Must({"start", folder});
    INFO(again.out);
    CHECK(Contains(again.out, "nothing has changed"));
    CHECK(world.ReadyPids("again") == pids);
    CHECK(world.View("again").generation == 1);
  }

  TEST_CASE("the same folder again keeps the --node-args beside the flags of scripts.start") {
    World world;
    const std::string folder = world.MakeFolder(
        "again", {{"package.json", Package("again", "node --stack-trace-limit=7 app.js")},
                  {"app.js", kMirror}});
    const App app =
        world.StartPath(folder, {"--size", "1", "--node-args", "--max-http-header-size=20000"});
    const Ran again = world.Must({"start", folder});
    INFO(again.out);
    CHECK(Contains(again.out, "nothing has changed"));
    CHECK(Holds(AskMirror(app)["execArgv"], "--stack-trace-limit=7"));
    CHECK(Holds(AskMirror(app)["execArgv"], "--max-http-header-size=20000"));
  }

  TEST_CASE("a changed variable is named, and all workers get it") {
    World world;
    const std::string folder = world.MakeFolder("again", {{"app.js", kMirror}});
    const App app = world.StartPath(folder, {"--size", "2", "--env", "A=1", "--env", "KEPT=yes"});
    const auto before = world.ReadyPids("again");
    const Ran again = world.Must({"start", folder, "--env", "A=secret", "--env", "B=2"});
    INFO(again.out);
    CHECK(Contains(again.out, "env A changed"));
    CHECK(Contains(again.out, "env B added"));
    CHECK_FALSE(Contains(again.out, "secret"));
    const auto after = world.ReadyPids("again");
    REQUIRE(after.size() == 2);
    for (const int pid : before) CHECK_FALSE(IsAlive(pid));
    for (int i = 0; i < 2; ++i) {
      const json seen = AskMirror(app)["env"];
      CHECK(seen["A"] == "secret");
      CHECK(seen["B"] == "2");
      CHECK(seen["KEPT"] == "yes");
    }
  }

  TEST_CASE("changed arguments, port and size converge, each named") {
    World world;
    const std::string folder = world.MakeFolder("again", {{"app.js", kMirror}});
    App app = world.StartPath(folder, {"--size", "1"});
    const std::string old_port = std::to_string(app.port);
    app.port = FreePort();
    const Ran again =
        world.Must({"start", folder, "--size", "2", "--port", std::to_string(app.port), "--", "x"});
    INFO(again.out);
    CHECK(Contains(again.out, "port " + old_port + " -> " + std::to_string(app.port)));
    CHECK(Contains(again.out, "size 1 -> 2"));
    CHECK(Contains(again.out, "arguments"));
    CHECK(AskMirror(app)["argv"] == json{"x"});
    CHECK(world.ReadyPids("again").size() == 2);
    CHECK(Get("http://127.0.0.1:" + old_port).status == 0);
  }

  TEST_CASE("a new .env is nothing changed, and a soft-restart brings it") {
    World world;
    const std::string folder =
        world.MakeFolder("again", {{"app.js", kMirror}, {".env", "A=old\n"}});
    const App app = world.StartPath(folder, {"--size", "1"});
    WriteText(folder + "/.env", "B=new\n");
    world.Must({"ctl", "soft-restart", "again"});
    const json seen = AskMirror(app)["env"];
    CHECK(seen["B"] == "new");
    CHECK_FALSE(seen.contains("A"));
  }

  TEST_CASE("a stopped service is started again by slc start") {
    World world;
    const App app = world.StartApp("plain/server.js", {"--size", "1"});
    world.Must({"ctl", "stop", app.name});
    world.Must({"start", SourcePath("tests/apps/plain/server.js")});
    CHECK(Get(app.url()).status == 200);
    CHECK(world.Views().size() == 1);
  }

  TEST_CASE("a name that another folder has is refused, naming both; --replace takes it over") {
    World world;
    const std::string first = world.MakeFolder("first", {{"app.js", kMirror}});
    const std::string second = world.MakeFolder("second", {{"app.js", kMirror}});
    const App app = world.StartPath(first, {"--size", "1", "--name", "web"});
    const auto pids = world.ReadyPids("web");
    const Ran refused = world.Slc({"start", second, "--name", "web"});
    CHECK(refused.code == 1);
    CHECK(Contains(refused.err, first));
    CHECK(Contains(refused.err, second));
    CHECK(Contains(refused.err, "--replace"));
    CHECK(world.ReadyPids("web") == pids);
    CHECK(AskMirror(app)["cwd"] == first);
    const Ran replaced = world.Must({"start", second, "--name", "web", "--replace"});
    CHECK(Contains(replaced.out, second));
    CHECK(AskMirror(app)["cwd"] == second);
    CHECK(world.Views().size() == 1);
  }

  TEST_CASE("twenty at once give exactly one slcd and one service") {
    World world;
    const std::string folder = world.MakeFolder("one", {{"app.js", kMirror}});
    const std::string port = std::to_string(FreePort());
    std::vector<Running> starts;
    for (int i = 0; i < 20; ++i) {
      starts.push_back(world.Begin({"start", folder, "--size", "2", "--port", port}));
    }
    for (Running& start : starts) {
      const Ran& ran = start.Wait();
      INFO(ran.out << ran.err);
      CHECK(ran.code == 0);
    }
    CHECK(world.Views().size() == 1);
    const ServiceView view = world.View("one");
    CHECK(view.state == "running");
    CHECK(view.generation == 1);
    CHECK(world.ReadyPids("one").size() == 2);
    // One slcd and one master.
    CHECK(world.Supervisors().size() == 2);
    CHECK(world.Workers().size() == 2);
    // No other one has held the lock meanwhile.
    const Words log = LinesOf(world.DaemonLog());
    CHECK(std::count_if(log.begin(), log.end(), [](const std::string& line) {
            return Contains(line, " starts, home ");
          }) == 1);
  }

  TEST_CASE("many different apps started at once all run, each under its own id") {
    World world;
    std::vector<Running> starts;
    for (int i = 0; i < 6; ++i) {
      const std::string folder = world.MakeFolder("app" + std::to_string(i), {{"app.js", kMirror}});
      starts.push_back(
          world.Begin({"start", folder, "--size", "1", "--port", std::to_string(FreePort())}));
    }
    for (Running& start : starts) CHECK(start.Wait().code == 0);
    std::set<unsigned> ids;
    for (const ServiceView& view : world.Views()) {
      CHECK(view.state == "running");
      ids.insert(view.id);
    }
    CHECK(ids == std::set<unsigned>{1, 2, 3, 4, 5, 6});
  }
}
