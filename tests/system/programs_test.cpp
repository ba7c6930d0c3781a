// Servers as they are out there, under slc: nginx, a small one in C, Deno, Bun.
//
// SLC_LONG=1: 20 rolls each.
#include <unistd.h>

#include <algorithm>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/system/harness.h"
#include "tests/system/load_checks.h"
#include "tests/system/served.h"

using namespace slc;
using namespace slc::test;

namespace {

// Everything it writes is below its own folder.
std::string NginxConfig(const std::string& address) {
  return "daemon off;\n"
         "worker_processes 2;\n"
         "pid nginx.pid;\n"
         "error_log stderr notice;\n"
         "events { worker_connections 64; }\n"
         "http {\n"
         "  access_log off;\n"
         "  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n"
         "  uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n"
         "  keepalive_timeout 0;\n"
         "  server { listen " +
         address + "; location / { return 200 \"hello\\n\"; } }\n}\n";
}

// Debian's, unpacked beside the build by packaging/check, or installed; "" if it is neither.
std::string FindNginx() {
  for (const std::string& path :
       {SourcePath("build/nginx/usr/sbin/nginx"), std::string("/usr/sbin/nginx")}) {
    if (Exists(path)) return path;
  }
  return {};
}

// A binary of tests/runtimes that runs here; "" if there is none for this machine.
std::string FindRuntime(World& world, const std::string& name, const std::string& below) {
  const std::string path = SourcePath("tests/runtimes/node_modules/" + name + "/" + below);
  if (!Possible(Exists(path), "no " + name + "; `npm ci` in tests/runtimes has it for x64")) {
    return {};
  }
  const Ran ran = world.BeginProgram({path, "--version"}).Wait();
  return Possible(ran.code == 0, name + " does not run on this processor") ? path : "";
}

// It answers with its pid.
const char* const kNodeServer =
    "const server = require('http').createServer((request, response) => {\n"
    "  response.setHeader('connection', 'close');\n"
    "  response.end(`${process.pid}\\n`);\n"
    "});\n"
    "server.listen(process.env.LISTEN_FDS ? { fd: 3 } : { port: process.env.PORT,\n"
    "  host: '127.0.0.1' });\n"
    "if (process.env.LISTEN_FDS) process.on('SIGTERM', () =>\n"
    "  server.close(() => process.exit(0)));\n";

const char* const kDenoServer =
    "const server = Deno.serve({ port: Number(Deno.env.get('PORT')), hostname: '127.0.0.1',\n"
    "  reusePort: true }, () => new Response(`${Deno.pid}\\n`, { headers: { connection: 'close' "
    "} }));\n"
    "Deno.addSignalListener('SIGTERM', async () => { await server.shutdown(); Deno.exit(0); });\n";

const char* const kBunServer =
    "const server = Bun.serve({ port: Number(process.env.PORT), hostname: '127.0.0.1',\n"
    "  reusePort: true, fetch: () => new Response(`${process.pid}\\n`, { headers: {\n"
    "  connection: 'close' } }) });\n"
    "process.on('SIGTERM', async () => { await server.stop(); process.exit(0); });\n";

// The kernel resets what waits in the queue of a socket that is closed, although others of the port
// are there; what arrives between a server's last look and its close cannot be saved by it. With
// the sysctl the kernel gives it to the others.
void RollOwnSockets(World& world, const Served& served, std::size_t workers) {
  const LoadReport report = Roll(world, served);
  const bool migrates =
      Trim(ReadText("/proc/sys/net/ipv4/tcp_migrate_req")) == std::string_view("1");
  const auto closed = static_cast<std::int64_t>(workers) * Rolls();
  CHECK(report.failed() <= (migrates ? 0 : closed));
  for (const auto& [kind, count] : report.lane("close").failures) {
    if (kind != "reset") CHECK_MESSAGE(count == 0, kind);
  }
}

}  // namespace

TEST_SUITE("programs") {
  TEST_CASE("nginx takes its sockets, and is rolled without a failed request") {
    const std::string nginx = FindNginx();
    if (!Possible(!nginx.empty(), "no nginx; packaging/check fetches it")) return;
    World world;
    for (const std::string balance : {"shared", "slots"}) {
      CAPTURE(balance);
      Served served{"nginx-" + balance, FreePort()};
      const std::string folder =
          world.MakeFolder(served.name, {{"nginx.conf", NginxConfig(served.address())}});
      const Ran ran =
          world.Must({"start",         nginx,   "--name",     served.name,
                      "--cwd",         folder,  "--size",     balance == "slots" ? "2" : "1",
                      "--balance",     balance, "--listen",   served.address(),
                      "--stop-signal", "QUIT",  "--",         "-p",
                      folder,          "-c",    "nginx.conf", "-e",
                      "stderr"});
      if (balance == "slots") world.ExpectMoreSockets(served.name, 1);
      CHECK_MESSAGE(Contains(ran.out, served.address()), ran.out);
      CHECK(Get(served.url()).body == "hello\n");
      RollUnderLoad(world, served);
      // It has bound nothing itself.
      const Ran log = world.Must({"logs", served.name, "-n", "1000"});
      CHECK(Contains(log.out, "using inherited sockets from \"3;\""));
      world.Must({"ctl", "remove", served.name});
    }
  }

  TEST_CASE("a small server in C is rolled without a failed request, and says itself how it does") {
    World world;
    for (const std::string balance : {"shared", "slots"}) {
      CAPTURE(balance);
      const Served served = Serve(world, "small-" + balance,
                                  {BinaryPath("slc-small-server"), "--size", "2", "--balance",
                                   balance, "--ready", "message"});
      if (balance == "slots") world.ExpectMoreSockets(served.name, 1);
      RollUnderLoad(world, served);
      world.Must({"ctl", "remove", served.name});
    }
  }

  TEST_CASE("who waits for a slot that goes is answered by its last worker") {
    World world;
    const Served served =
        Serve(world, "slow", {BinaryPath("slc-small-server"), "--size", "2", "--balance", "slots"},
              {"--slow", "100"});
    world.ExpectMoreSockets(served.name, 1);
    // Each takes a tenth of a second, so that some ten wait at either socket.
    LoadClient load(world,
                    {"name=close,mode=close,connections=24,requests=48,url=" + served.url()});
    const auto await = [&](std::int64_t answers) {
      WaitUntil([&] { return load.SoFar().ok() >= answers; }, 20'000, "answers");
    };
    await(2);
    world.Must({"ctl", "set-size", served.name, "1"});
    await(48);
    CheckNoneFailed(load.Stop());
    CHECK(world.ReadyPids(served.name).size() == 1);
  }

  TEST_CASE("servers that share their port by SO_REUSEPORT are rolled") {
    World world;
    const Served small =
        ServeByItself(world, "small", {BinaryPath("slc-small-server"), "--size", "2"});
    RollOwnSockets(world, small, 2);
    const Served abrupt = ServeByItself(
        world, "abrupt", {BinaryPath("slc-small-server"), "--size", "2"}, {"--abrupt"});
    RollOwnSockets(world, abrupt, 2);
  }

  TEST_CASE("Deno works as Node's cluster does, and with sockets that it is given or binds") {
    World world;
    const std::string deno = FindRuntime(world, "deno", "deno");
    if (deno.empty()) return;
    const std::string folder =
        world.MakeFolder("deno", {{"server.cjs", kNodeServer}, {"serve.ts", kDenoServer}});
    const Served cluster = ServeByItself(world, "deno-rr",
                                         {folder + "/server.cjs", "--node", deno, "--no-agent",
                                          "--node-args", "run -A", "--size", "2"});
    // The master hands connections round exactly.
    std::map<std::string, int> answers;
    for (int i = 0; i < 10; ++i) ++answers[Get(cluster.url()).body];
    CHECK(answers.size() == 2);
    for (const auto& [pid, count] : answers) CHECK(count == 5);
    RollUnderLoad(world, cluster);
    world.Must({"ctl", "remove", cluster.name});

    const Served given = Serve(
        world, "deno-fd", {folder + "/server.cjs", "--interpreter", deno, "--node-args", "run -A"});
    RollUnderLoad(world, given);
    world.Must({"ctl", "remove", given.name});

    const Served own = ServeByItself(
        world, "deno-own",
        {folder + "/serve.ts", "--interpreter", deno, "--node-args", "run -A --unstable-net"});
    RollOwnSockets(world, own, 1);
  }

  TEST_CASE("Bun shares its port by reusePort") {
    World world;
    const std::string bun = FindRuntime(world, "bun", "bin/bun");
    if (bun.empty()) return;
    const std::string folder = world.MakeFolder("bun", {{"serve.ts", kBunServer}});
    const Served own =
        ServeByItself(world, "bun", {folder + "/serve.ts", "--interpreter", bun, "--size", "2"});
    RollOwnSockets(world, own, 2);
  }
}
