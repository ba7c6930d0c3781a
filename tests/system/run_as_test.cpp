// slc start --run-as USER[:GROUP]: what is left of root in the workers, and that all else goes on
// as ever. Only root can do this.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/base/unique_fd.h"
#include "tests/system/harness.h"
#include "tests/system/served.h"

using namespace slc;
using namespace slc::test;

namespace {

bool IsRoot() { return Possible(::geteuid() == 0, "--run-as needs root"); }

// Answers what it is and what it may do, and says a line on both of its outputs.
constexpr const char* kApp = R"(
const fs = require('fs'), http = require('http'), net = require('net');
let other;
console.log(`out of ${process.pid}`);
console.error(`err of ${process.pid}`);
const attempts = {
  read: (path, done) => fs.readFile(path, done),
  write: (path, done) => fs.writeFile(path, 'x', done),
  connect: (path, done) => { const s = net.connect(path, () => done()).on('error', done); },
  listen: (path, done) => { other = net.createServer().on('error', done).listen(path, () => done()); },
  close: (path, done) => other.close(done),
  kill: (pid, done) => { try { process.kill(+pid, 0); done(); } catch (error) { done(error); } },
};
http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://x');
  const attempt = attempts[pathname.slice(1)];
  const { pid, env } = process;
  if (!attempt) return response.end(JSON.stringify({ pid, env }));
  attempt(searchParams.get('it'), (error) => response.end(error ? error.code : 'done'));
}).listen(process.env.PORT);
)";

// A folder with the app that everybody can read, although the world around it is private.
std::string PublicFolder(World& world) {
  std::string folder = world.MakeFolder("web", {{"server.js", kApp}});
  for (const std::string& path : {world.folder(), world.folder() + "/apps", folder}) {
    REQUIRE(::chmod(path.c_str(), 0755) == 0);
  }
  REQUIRE(::chmod((folder + "/server.js").c_str(), 0644) == 0);
  return folder;
}

// Of /proc/PID/status, words separated by one blank each.
std::string StatusField(pid_t pid, const std::string& name) {
  for (const std::string& line : LinesOf(ReadText("/proc/" + std::to_string(pid) + "/status"))) {
    if (!StartsWith(line, name + ":")) continue;
    std::string words;
    for (const std::string& tabbed : Split(line.substr(name.size() + 1), '\t')) {
      for (const std::string& word : Split(tabbed, ' ')) {
        if (!word.empty()) words += (words.empty() ? "" : " ") + word;
      }
    }
    return words;
  }
  FAIL("no ", name, " in the status of pid ", pid);
  return {};
}

// `id OPTION nobody`, or the number of a group.
std::string IdOf(World& world, const std::string& option) {
  return std::string(Trim(world.BeginProgram({"id", option, "nobody"}).Wait().out));
}
std::string GroupId(World& world, const std::string& group) {
  const auto fields = Split(world.BeginProgram({"getent", "group", group}).Wait().out, ':');
  REQUIRE(fields.size() > 2);
  return fields[2];
}

// All workers of the service are the user and nothing more.
void CheckIdentity(World& world, const std::string& service, const std::string& uid,
                   const std::string& gid, const std::string& groups) {
  const auto pids = world.ReadyPids(service);
  CHECK(pids.size() == 2);
  const auto four = [](const std::string& id) { return id + " " + id + " " + id + " " + id; };
  for (const pid_t pid : pids) {
    CHECK(StatusField(pid, "Uid") == four(uid));
    CHECK(StatusField(pid, "Gid") == four(gid));
    CHECK(StatusField(pid, "Groups") == groups);
    for (const std::string set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
      CAPTURE(set);
      CHECK(StatusField(pid, set) == "0000000000000000");
    }
    CHECK(StatusField(pid, "NoNewPrivs") == "1");
  }
}

// A file of root's that nobody else can read.
void CheckPrivate(const std::string& path) {
  CAPTURE(path);
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK(info.st_uid == 0);
  CHECK((info.st_mode & 077) == 0);
}

// An answer of a worker, and the answer's text of what it attempted.
nlohmann::json Ask(const App& app) { return Get(app.url()).json(); }
std::string Attempt(const App& app, const std::string& what, const std::string& it) {
  return Get(app.url("/" + what + "?it=" + it)).body;
}

// `slc start` by a root that has more than the worker may keep: groups and inheritable capabilities
// of its own, as in some containers.
App StartAs(World& world, const std::string& folder, const std::string& user) {
  App app;
  app.name = "web";
  app.folder = folder;
  app.port = FreePort();
  app.started = world
                    .BeginProgram({"setpriv", "--groups", "4,27", "--inh-caps", "+chown,+kill",
                                   BinaryPath("slc"), "start", folder, "--name", app.name, "--port",
                                   std::to_string(app.port), "--size", "2", "--run-as", user})
                    .Wait();
  REQUIRE_MESSAGE(app.started.code == 0, app.started.out, app.started.err);
  return app;
}

// Of those that only root may bind.
std::uint16_t FreeLowPort() {
  for (std::uint16_t port = 1023; port > 600; --port) {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      return port;
    }
  }
  FAIL("no port below 1024 is free");
  return 0;
}

}  // namespace

TEST_SUITE("run-as") {
  TEST_CASE("a port below 1024 is bound by the master, for workers that could not") {
    if (!IsRoot()) return;
    World world;
    const std::string folder = PublicFolder(world);
    const App node = world.StartPath(
        folder, {"--port", std::to_string(FreeLowPort()), "--size", "2", "--run-as", "nobody"});
    CHECK(Get(node.url()).status == 200);
    CheckIdentity(world, node.name, IdOf(world, "-u"), IdOf(world, "-g"), IdOf(world, "-G"));
    world.Must({"ctl", "soft-restart", node.name});
    CHECK(Get(node.url()).status == 200);

    // The same app outside of a cluster may not.
    const App alone = [&] {
      App app;
      app.name = "alone";
      app.port = FreeLowPort();
      app.started =
          world.Slc({"start", folder + "/server.js", "--name", app.name, "--interpreter",
                     world.NodePath(20), "--run-as", "nobody", "--port", std::to_string(app.port)});
      return app;
    }();
    const std::string start = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    if (Possible(std::atoi(ReadText(start).c_str()) >= 1024, "everybody may bind low ports here")) {
      CHECK(alone.started.code == 1);
      CHECK_MESSAGE(Contains(alone.started.err, "EACCES"), alone.started.err);
    }
    world.Must({"ctl", "remove", alone.name});

    const std::string server = folder + "/small-server";
    std::filesystem::copy_file(BinaryPath("slc-small-server"), server);
    REQUIRE(::chmod(server.c_str(), 0755) == 0);
    const Served small = {"small", FreeLowPort()};
    world.Must({"start", server, "--name", small.name, "--listen", small.address(), "--size", "2",
                "--run-as", "nobody", "--ready", "message"});
    CheckIdentity(world, small.name, IdOf(world, "-u"), IdOf(world, "-g"), IdOf(world, "-G"));
    RollUnderLoad(world, small);
  }

  TEST_CASE(
      "the master makes and removes a worker's unix socket with no more rights than its own") {
    if (!IsRoot()) return;
    World world;
    const std::string folder = PublicFolder(world);
    const App app = world.StartPath(folder, {"--size", "1", "--run-as", "nobody"});
    const auto uid = static_cast<uid_t>(std::stoul(IdOf(world, "-u")));
    const std::string own = folder + "/own";
    const std::string roots = folder + "/roots";
    REQUIRE(::mkdir(own.c_str(), 0755) == 0);
    REQUIRE(::chown(own.c_str(), uid, static_cast<gid_t>(-1)) == 0);
    REQUIRE(::mkdir(roots.c_str(), 0755) == 0);
    CHECK(Attempt(app, "listen", roots + "/new") == "EACCES");
    CHECK_FALSE(Exists(roots + "/new"));
    // What it listens on is its own, and taken away when it closes.
    REQUIRE(Attempt(app, "listen", own + "/first") == "done");
    struct stat info {};
    REQUIRE(::lstat((own + "/first").c_str(), &info) == 0);
    CHECK(info.st_uid == uid);
    CHECK(Attempt(app, "close", "") == "done");
    WaitUntil([&] { return !Exists(own + "/first"); }, 5'000, "the end of the socket file");
    // The path leads elsewhere by the time it closes: a socket of root's has that name there.
    REQUIRE(Attempt(app, "listen", own + "/victim") == "done");
    REQUIRE(::mknod((roots + "/victim").c_str(), S_IFSOCK | 0600, 0) == 0);
    REQUIRE(::rename(own.c_str(), (folder + "/away").c_str()) == 0);
    REQUIRE(::symlink(roots.c_str(), own.c_str()) == 0);
    CHECK(Attempt(app, "close", "") == "done");
    // Asked after it on the same channel, so answered when the socket has been closed.
    CHECK(Attempt(app, "listen", folder + "/away/last") == "done");
    CHECK(Exists(roots + "/victim"));
  }

  TEST_CASE("the workers are nobody and nothing more, all their lives long") {
    if (!IsRoot()) return;
    World world;
    const App app = StartAs(world, PublicFolder(world), "nobody");
    const std::string uid = IdOf(world, "-u");
    const std::string gid = IdOf(world, "-g");
    const std::string groups = IdOf(world, "-G");
    CHECK(world.View(app.name).run_as == "nobody");
    CheckIdentity(world, app.name, uid, gid, groups);

    const auto entry = Split(world.BeginProgram({"getent", "passwd", "nobody"}).Wait().out, ':');
    REQUIRE(entry.size() > 5);
    const auto env = Ask(app).at("env");
    CHECK(env.at("HOME") == entry[5]);
    CHECK(env.at("USER") == "nobody");
    CHECK(env.at("LOGNAME") == "nobody");

    // The one who comes after a killed master can serve, signal and replace them.
    const auto before = world.ReadyPids(app.name);
    world.KillMaster(app.name);
    world.WaitForState(app.name, "running");
    CHECK(world.ReadyPids(app.name) == before);
    CHECK(Get(app.url()).status == 200);
    Kill(*IdentifyProcess(before[0]));
    WaitUntil(
        [&] {
          const auto now = world.ReadyPids(app.name);
          return now.size() == 2 && now != before;
        },
        20'000, "a successor of the killed worker");
    CheckIdentity(world, app.name, uid, gid, groups);

    const auto old = world.ReadyPids(app.name);
    world.Must({"ctl", "soft-restart", app.name});
    const auto fresh = world.ReadyPids(app.name);
    for (const pid_t pid : old) CHECK_FALSE(IsAlive(pid));
    CheckIdentity(world, app.name, uid, gid, groups);
    CHECK(Get(app.url()).status == 200);

    world.Must({"ctl", "stop", app.name});
    for (const pid_t pid : fresh) CHECK_FALSE(IsAlive(pid));
    CHECK(world.Workers().empty());
  }

  TEST_CASE("the logs are written as ever; home, logs and supervisors are out of reach") {
    if (!IsRoot()) return;
    World world;
    const App app = StartAs(world, PublicFolder(world), "nobody");
    const pid_t pid = Ask(app).at("pid");
    const std::string logs = world.log_folder(app.name);
    for (const char* name : {"out", "err"}) {
      const std::string path = logs + "/" + name + ".log";
      const std::string line = std::string(name) + " of " + std::to_string(pid);
      WaitUntil([&] { return Contains(ReadText(path), line); }, 5'000, "the line: " + line);
      CheckPrivate(path);
      CHECK(Attempt(app, "read", path) == "EACCES");
      CHECK(Attempt(app, "write", path) == "EACCES");
    }
    // Some programs open their outputs by these names.
    for (const char* path : {"/dev/stdout", "/dev/stderr"}) {
      CHECK(Attempt(app, "write", path) == "done");
    }
    CheckPrivate(world.home());
    CHECK(Attempt(app, "connect", world.socket()) == "EACCES");
    CHECK(Attempt(app, "write", world.home() + "/services/1.json") == "EACCES");
    CHECK(Attempt(app, "kill", std::to_string(world.MasterPid(app.name))) == "EPERM");
    CHECK(Attempt(app, "kill", std::to_string(world.Daemon()->pid)) == "EPERM");
    CHECK(Attempt(app, "read", "/proc/" + std::to_string(world.MasterPid(app.name)) + "/environ") ==
          "EACCES");
  }

  TEST_CASE("USER:GROUP takes the group instead of the user's own") {
    if (!IsRoot()) return;
    World world;
    const App app = StartAs(world, PublicFolder(world), "nobody:daemon");
    const std::string group = GroupId(world, "daemon");
    CheckIdentity(world, app.name, IdOf(world, "-u"), group, group);
    CHECK(Get(app.url()).status == 200);
    // As all that is changed by another start: the workers are replaced.
    world.Must({"start", app.folder, "--name", app.name, "--run-as", "nobody"});
    CheckIdentity(world, app.name, IdOf(world, "-u"), IdOf(world, "-g"), IdOf(world, "-G"));
  }

  TEST_CASE("whoever cannot be, or may not read the folder, is refused in one line") {
    if (!IsRoot()) return;
    World world;
    const std::string folder = PublicFolder(world);
    const auto refused = [&](const Ran& ran, const std::string& part) {
      CAPTURE(ran.out);
      CAPTURE(ran.err);
      CHECK(ran.code == 1);
      CHECK(Contains(ran.err, part));
      CHECK(LinesOf(ran.err).size() == 1);
    };
    const auto start = [&](const std::string& user) {
      return world.Slc({"start", folder, "--name", "web", "--run-as", user});
    };
    refused(start("no-such-user"), "--run-as: there is no user 'no-such-user'");
    refused(start("nobody:no-such-group"), "--run-as: there is no group 'no-such-group'");
    refused(start("nobody:"), "--run-as: there is no group ''");
    refused(start(":daemon"), "--run-as: there is no user ''");

    // Somebody else, in a home of their own.
    const std::string home = world.folder() + "/theirs";
    REQUIRE(::mkdir(home.c_str(), 0700) == 0);
    REQUIRE(::chown(home.c_str(), 65534, 65534) == 0);
    const Ran theirs =
        world
            .BeginProgram({"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                           BinaryPath("slc"), "start", folder, "--run-as", "nobody"},
                          {.env = {{"SLC_HOME", home}}})
            .Wait();
    refused(theirs, "--run-as needs root: sudo slc start ...");
    CHECK_FALSE(Exists(home + "/run"));

    REQUIRE(::chmod(folder.c_str(), 0700) == 0);
    const Ran ran = start("nobody");
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "enter directory " + folder + ": Permission denied"), ran.out,
                  ran.err);
    world.ExpectInLog("Permission denied");
  }
}
