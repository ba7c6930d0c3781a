// Programs that are not Node, and addresses that the master binds for them (--listen): one socket
// is handed from worker to worker, and from service to nobody else.
//
// SLC_LONG=1: 20 rolls each.
#include <sys/stat.h>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/system/harness.h"
#include "tests/system/served.h"

using namespace slc;
using namespace slc::test;

namespace {

// Not in a cluster: it is told by its environment what it has, and ends by SIGTERM when it is done.
const char* const kNodeServer =
    "const server = require('http').createServer((request, response) => {\n"
    "  const own = Number(process.env.LISTEN_PID) === process.pid;\n"
    "  response.setHeader('connection', 'close');\n"
    "  response.end([process.env.LISTEN_FDS, own, process.env.LISTEN_FDNAMES].join(' '));\n"
    "});\n"
    "server.listen({ fd: 3 });\n"
    "process.on('SIGTERM', () => server.close(() => process.exit(0)));\n";

const char* const kWsgi =
    "def app(environ, start_response):\n"
    "    start_response('200 OK', [('Content-Length', '6'), ('Connection', 'close')])\n"
    "    return [b'hello\\n']\n";

const char* const kAsgi =
    "async def app(scope, receive, send):\n"
    "    if scope['type'] != 'http':\n"
    "        return\n"
    "    await send({'type': 'http.response.start', 'status': 200,\n"
    "                'headers': [(b'content-length', b'6'), (b'connection', b'close')]})\n"
    "    await send({'type': 'http.response.body', 'body': b'hello\\n'})\n";

}  // namespace

TEST_SUITE("listen") {
  TEST_CASE("a program gets its sockets as from systemd, and is rolled without a failed request") {
    World world;
    const std::string folder = world.MakeFolder("plain", {{"server.js", kNodeServer}});
    for (const std::string balance : {"shared", "slots"}) {
      CAPTURE(balance);
      const Served served = Serve(world, "node-" + balance,
                                  {folder + "/server.js", "--interpreter", world.NodePath(20),
                                   "--size", "2", "--balance", balance});
      if (balance == "slots") world.ExpectMoreSockets(served.name, 1);
      CHECK(Get(served.url()).body == "1 true " + served.name);
      RollUnderLoad(world, served);
      // It is not bound by the workers: none of them is there, and connections wait.
      world.KillMaster(served.name);
      world.WaitForState(served.name, "running");
      CHECK(Get(served.url()).status == 200);
      world.Must({"ctl", "set-size", served.name, "1"});
      CHECK(Get(served.url()).status == 200);
      world.Must({"ctl", "stop", served.name});
      CHECK(Get(served.url()).status == 0);
      world.Must({"ctl", "remove", served.name});
    }
  }

  TEST_CASE("gunicorn and uvicorn are rolled without a failed request") {
    World world;
    const std::string folder = world.MakeFolder("python", {{"wsgi.py", kWsgi}, {"asgi.py", kAsgi}});
    const Served gunicorn =
        Serve(world, "gunicorn", {"/usr/bin/gunicorn", "--cwd", folder}, {"-w", "2", "wsgi:app"});
    RollUnderLoad(world, gunicorn);
    const Served uvicorn =
        Serve(world, "uvicorn", {"/usr/bin/uvicorn", "--cwd", folder}, {"--fd", "3", "asgi:app"});
    RollUnderLoad(world, uvicorn);
  }

  TEST_CASE("a Node app in its cluster gets the same by listen({fd})") {
    World world;
    const std::string folder = world.MakeFolder(
        "fds",
        {{"server.js",
          "const http = require('http');\n"
          "http.createServer((request, response) => response.end('three')).listen({ fd: 3 });\n"
          "http.createServer((request, response) => response.end('four')).listen({ fd: 4 });\n"}});
    const std::uint16_t port = FreePort();
    const std::string path = world.folder() + "/four.sock";
    world.Must({"start", folder, "--size", "2", "--listen", "127.0.0.1:" + std::to_string(port),
                "--listen", "four=" + path});
    CHECK(Get("http://127.0.0.1:" + std::to_string(port) + "/").body == "three");
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK(S_ISSOCK(info.st_mode));
    world.Must({"ctl", "soft-restart", "fds"});
    CHECK(Get("http://127.0.0.1:" + std::to_string(port) + "/").body == "three");
    // A number that was not named is none.
    const Ran none = world.Slc({"start", folder, "--listen", "none"});
    CHECK(none.code == 1);
    CHECK_MESSAGE(Contains(none.err, ": name it with --listen"), none.err);
    CHECK(Get("http://127.0.0.1:" + std::to_string(port) + "/").body == "three");
  }

  TEST_CASE("an address that cannot be had is said, and by whom it is taken") {
    World world;
    const std::string folder = world.MakeFolder("plain", {{"server.js", kNodeServer}});
    const Words app{folder + "/server.js", "--interpreter", world.NodePath(20)};
    const Served first = Serve(world, "first", app);
    const Ran taken = world.Slc({"start", app[0], app[1], app[2], "--name", "second", "--listen",
                                 "127.0.0.1:" + std::to_string(first.port)});
    CHECK(taken.code == 1);
    CHECK_MESSAGE(Contains(taken.err, "port " + std::to_string(first.port) + " is in use by pid"),
                  taken.err);
    const Ran wrong =
        world.Slc({"start", app[0], app[1], app[2], "--name", "third", "--listen", "localhost:80"});
    CHECK(wrong.code == 2);
    CHECK_MESSAGE(Contains(wrong.err, "no numeric address"), wrong.err);
    world.Must({"ctl", "remove", "second"});
  }

  TEST_CASE("another address by a soft restart: the old one is let go of at its end") {
    World world;
    const std::string folder = world.MakeFolder("plain", {{"server.js", kNodeServer}});
    const Served served =
        Serve(world, "moves",
              {folder + "/server.js", "--interpreter", world.NodePath(20), "--size", "2"});
    const std::uint16_t port = FreePort();
    world.Must({"start", folder + "/server.js", "--name", "moves", "--interpreter",
                world.NodePath(20), "--listen", "127.0.0.1:" + std::to_string(port)});
    CHECK(Get("http://127.0.0.1:" + std::to_string(port) + "/").status == 200);
    CHECK(Get(served.url()).status == 0);
  }
}
