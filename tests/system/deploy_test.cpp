// slc deploy, end to end, against a process manager that only speaks (remote/mesh_server.cjs).
#include <sys/stat.h>

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json_fields.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

// The server, and an app beside whose folder an archive lies.
class Site {
 private:
  World& world_;
  const std::string folder_ = world_.folder() + "/site";
  const std::string log_ = world_.folder() + "/asked";
  std::optional<Running> server_;

 public:
  explicit Site(World& world, json play = json::object()) : world_(world) {
    WriteText(app + "/package.json", R"({"name":"shop","version":"1.0.0"})");
    WriteText(archive, "no archive, but bytes\n");
    play["log"] = log_;
    if (!play.contains("listen")) play["listen"] = "127.0.0.1";
    if (!play.contains("deploy")) play["deploy"] = "ndjson";
    server_.emplace(world.BeginProgram(
        {"node", SourcePath("tests/system/remote/mesh_server.cjs"), play.dump()}));
    WaitUntil([&] { return EndsWith(server_->out(), "\n"); }, 20'000, "the server to listen");
    address = std::string(Trim(server_->out()));
  }

  std::string Url(const std::string& scheme = "http", const std::string& who = "") const {
    return scheme + "://" + who + "127.0.0.1:" + address;
  }
  Ran Deploy(const Words& words, const Options& more = {}) {
    Words all{"deploy"};
    all.insert(all.end(), words.begin(), words.end());
    Options options = more;
    options.cwd = app;
    return world_.Slc(all, options);
  }
  json DeployJson(const Words& words) {
    Words all{"deploy"};
    all.insert(all.end(), words.begin(), words.end());
    return world_.Json(all, Options{.cwd = app});
  }
  // What the server was asked, "METHOD /path".
  Words Asked() const {
    Words asked;
    for (const json& each : Log()) {
      const std::string url = each["url"];
      asked.push_back(each["method"].get<std::string>() + " " + url.substr(0, url.find('?')));
    }
    return asked;
  }
  std::vector<json> Log() const {
    std::vector<json> lines;
    for (const std::string& line : LinesOf(ReadText(log_))) {
      auto value = ParseJson(line);
      REQUIRE(value);
      lines.push_back(*value);
    }
    return lines;
  }

  std::string address;  // its port or path
  const std::string app = folder_ + "/app";
  const std::string archive = folder_ + "/shop-1.0.0.tgz";
};

}  // namespace

TEST_SUITE("deploy") {
  TEST_CASE("an archive goes up, and what the server says comes as it happens") {
    World world;
    Site site(world);
    const Ran ran = site.Deploy({site.Url()});
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK(ran.err == "");
    CHECK(LinesOf(ran.out) ==
          Words{"Deploying `../shop-1.0.0.tgz` as `shop` to `" + site.Url() + "`",
                "created the service shop", "unpacked 3 files", "  added 1 \\x1b[31mpackage",
                "2 workers run release 9f2c",
                "Deployed `../shop-1.0.0.tgz` as `shop` to `" + site.Url() + "`"});
    CHECK(site.Asked() == Words{"GET /api/Api", "GET /api/Services/findOne", "POST /api/Services",
                                "PUT /api/services/1/deploy/default"});
    const json put = site.Log().back();
    CHECK(put["bytes"] == 22);
    CHECK(put["headers"]["transfer-encoding"] == "chunked");
    // It is known now.
    const json value = site.DeployJson({site.Url(), "-z", "3"});
    CHECK_MESSAGE(value["ok"] == true, value.dump());
    CHECK(value["release"] == "9f2c");
    CHECK(value["service"]["name"] == "shop");
    CHECK(site.Asked()[6] == "POST /api/Services/1/setClusterSize");
  }

  TEST_CASE("the original's answer is enough") {
    World world;
    Site site(world, {{"deploy", "original"}, {"after", 2}});
    const Ran ran = site.Deploy({site.Url()});
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK_MESSAGE(Contains(ran.out, "Application received\n"), ran.out);
  }

  TEST_CASE("what goes wrong at the server makes slc exit 1 with the reason") {
    struct Case {
      const char* deploy;
      const char* said;
      bool unknown;  // whether it was deployed
    };
    const auto check = [](const Case& each) {
      World world;
      Site site(world, {{"deploy", each.deploy}});
      const Ran ran = site.Deploy({site.Url()});
      INFO(ran.err);
      CHECK(ran.code == 1);
      CHECK(Contains(ran.err, each.said));
      CHECK(Contains(ran.err, "is not known") == each.unknown);
      CHECK_FALSE(Contains(ran.out, "Deployed"));
    };
    SUBCASE("refused") { check({"status:500", "no, for a reason (500 ", false}); }
    SUBCASE("locked") { check({"status:403", "no, for a reason (403 ", false}); }
    SUBCASE("refused early") { check({"early:413", "too much of it (413 ", false}); }
    SUBCASE("failed") { check({"fails", "worker 3 did not get ready\n  boom\\x07", false}); }
    SUBCASE("cut off") { check({"cut", "in the midst of its answer", true}); }
    SUBCASE("ended too early") { check({"silent-end", "its answer ended too early", true}); }
    SUBCASE("lost") { check({"reset", "closed the connection without an answer", true}); }
  }

  TEST_CASE("who has no credentials, or wrong ones, is told so; none are ever printed") {
    World world;
    Site site(world, {{"auth", "Basic dXNlcjpwYTU1"}, {"services", {"shop"}}});
    Ran ran = site.Deploy({site.Url()});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "401 Unauthorized; it wants credentials"), ran.err);
    ran = site.Deploy({site.Url("http", "user:sesame@")});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "these credentials are not accepted"), ran.err);
    CHECK_FALSE(Contains(ran.out + ran.err, "sesame"));
    ran = site.Deploy({site.Url("http", "user:pa55@")});
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK_FALSE(Contains(ran.out + ran.err, "pa55"));
    ran = site.Deploy({}, Options{.env = {{"STRONGLOOP_PM", site.Url("http", "user:pa55@")}}});
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK_FALSE(Contains(ran.out + ran.err, "pa55"));
  }

  TEST_CASE("a token is shown to who asks for one") {
    World world;
    Site site(world, {{"auth", "Bearer t0ken"}});
    CHECK(site.Deploy({site.Url()}, Options{.env = {{"SLC_TOKEN", "t0ken"}}}).code == 0);
  }

  TEST_CASE("a service of another name, an id, and names that none can have") {
    World world;
    Site site(world, {{"services", {"shop", "other"}}});
    CHECK(site.Deploy({"-s", "2", site.Url()}).code == 0);
    CHECK(site.Asked().back() == "PUT /api/services/2/deploy/default");
    Ran ran = site.Deploy({"-s", "7", site.Url()});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "has no service 7"), ran.err);
    ran = site.Deploy({"-s", "a b", site.Url()});
    CHECK(ran.code == 1);
    CHECK(site.Asked().back() == "GET /api/Services/findOne");
    ran = site.Deploy({site.Url(), "-z", "13"});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "set the size of shop to 13: " + site.Url() + ": unlucky"),
                  ran.err);
    CHECK(site.Deploy({site.Url(), "-z", "many"}).code == 2);
  }

  TEST_CASE("nothing to deploy, or nothing that can be found, is refused before anybody is asked") {
    World world;
    Site site(world);
    Ran ran = site.Deploy({site.Url(), "nix"});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "neither a file nor a branch 'nix'"), ran.err);
    ran = site.Deploy({site.Url(), "."});
    CHECK_MESSAGE(Contains(ran.err, ". is a folder; `slc build`"), ran.err);
    WriteText(site.app + "/package.json", R"({"name":"shop","version":"2.0.0"})");
    ran = site.Deploy({site.Url()});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(
        Contains(ran.err, "neither ../shop-2.0.0.tgz nor a branch 'deploy'; make one: slc build"),
        ran.err);
    ran = world.Slc({"deploy", site.Url()});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "there is no package.json in"), ran.err);
    ran = world.Slc({"deploy", site.Url(), site.archive});
    CHECK(ran.code == 2);
    CHECK_MESSAGE(Contains(ran.err, "say which: -s NAME"), ran.err);
    CHECK(site.Asked().empty());
    CHECK(world.Slc({"deploy", "-s", "x", site.Url(), site.archive}).code == 0);
  }

  TEST_CASE("where nobody is, or who is no process manager, is told apart") {
    World world;
    Site site(world, {{"version", "5.0.0"}});
    Ran ran = site.Deploy({site.Url()});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "speaks version 5.0.0 of the API"), ran.err);
    ran = site.Deploy({"http://127.0.0.1:1"});
    CHECK(ran.code == 3);
    CHECK_MESSAGE(Contains(ran.err,
                           "Connection refused; is slcd's gateway started there? slc "
                           "gateway start"),
                  ran.err);
    ran = site.Deploy({"unix:" + world.folder() + "/none"});
    CHECK(ran.code == 3);
    CHECK(site.Deploy({"ftp://x"}).code == 2);
  }

  TEST_CASE("a unix socket does as well") {
    World world;
    Site site(world, {{"listen", "unix:" + world.folder() + "/s"}});
    const Ran ran = site.Deploy({"unix:" + world.folder() + "/s"});
    CHECK_MESSAGE(ran.code == 0, ran.err);
  }

  TEST_CASE("https is spoken to whom an authority has named, with a certificate if he wants one") {
    World world;
    const auto made = world.MakeCertificate();
    json tls{{"key", made.key}, {"cert", made.certificate}};
    SUBCASE("without") {}
    SUBCASE("with") { tls["ca"] = made.certificate; }
    const bool mutual = tls.contains("ca");
    Site site(world, {{"tls", tls}});
    const std::string url = "https://localhost:" + site.address;
    Words words{url, "--cacert", made.certificate};
    if (mutual) words.insert(words.end(), {"--cert", made.certificate, "--key", made.key});
    Ran ran = site.Deploy(words);
    CHECK_MESSAGE(ran.code == 0, ran.err);
    ran = site.Deploy({url});
    CHECK(ran.code != 0);
    CHECK_MESSAGE(Contains(ran.err, "is not trusted: self"), ran.err);
    ran = site.Deploy({"https://127.0.0.1:" + site.address, "--cacert", made.certificate});
    CHECK(ran.code != 0);
    CHECK_MESSAGE(Contains(ran.err, "IP address mismatch"), ran.err);
    if (mutual) CHECK(site.Deploy({url, "--cacert", made.certificate}).code != 0);
    ran = site.Deploy({url, "--cacert", world.folder() + "/none"});
    CHECK_MESSAGE(Contains(ran.err, "No such file"), ran.err);
  }

  TEST_CASE("https to who speaks none ends with a reason") {
    World world;
    Site site(world);
    const Ran ran = site.Deploy({"https://localhost:" + site.address});
    CHECK(ran.code != 0);
    CHECK_MESSAGE(Contains(ran.err, "TLS"), ran.err);
  }

  TEST_CASE("a large archive comes through whole, over TLS too") {
    World world;
    json play{{"services", {"shop"}}};
    std::string scheme = "http://localhost:";
    const auto made = world.MakeCertificate();
    SUBCASE("plain") {}
    SUBCASE("sealed") {
      play["tls"] = {{"key", made.key}, {"cert", made.certificate}};
      scheme = "https://localhost:";
    }
    Site site(world, play);
    std::string bytes;
    std::uint32_t state = 1;
    while (bytes.size() < (20U << 20)) {
      state = state * 1664525 + 1013904223;
      bytes += static_cast<char>(state >> 24U);
    }
    WriteText(site.archive, bytes);
    const Ran sum = world.BeginProgram({"sha256sum", site.archive}).Wait();
    const Ran ran = site.Deploy({scheme + site.address, "--cacert", made.certificate});
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK(site.Log().back()["sha256"] == sum.out.substr(0, 64));
    CHECK(site.Log().back()["bytes"] == bytes.size());
  }

  TEST_CASE("a branch is pushed by git, and what the server refuses is a failure") {
    World world;
    world.env()["GIT_CONFIG_GLOBAL"] = "/dev/null";
    const std::string repository = world.folder() + "/there.git";
    Site site(world, {{"auth", "Basic dXNlcjpwYTU1"}, {"repository", repository}});
    const auto git = [&](Words words) {
      words.insert(words.begin(), "git");
      const Ran ran = world.BeginProgram(words, Options{.cwd = site.app}).Wait();
      if (ran.code != 0) FAIL(Join(words, " "), ": ", ran.err);
      return ran.out;
    };
    git({"init", "-q", "--bare", repository});
    git({"-C", repository, "config", "http.receivepack", "true"});
    git({"init", "-q", "-b", "deploy"});
    git({"add", "."});
    git({"-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-q", "-m", "one"});
    const std::string url = site.Url("http", "user:pa55@");
    // The archive goes first, so this names the branch.
    json value = site.DeployJson({url, "deploy"});
    CHECK_MESSAGE(value["ok"] == true, value.dump());
    CHECK(value["unchanged"] == false);
    CHECK(git({"-C", repository, "rev-parse", "deploy"}) == git({"rev-parse", "deploy"}));
    value = site.DeployJson({url, "deploy"});
    CHECK(value["unchanged"] == true);
    CHECK(site.Deploy({url, "deploy"}).out.find("Unchanged: ") != std::string::npos);

    const std::string hook = repository + "/hooks/pre-receive";
    WriteText(hook, "#!/bin/sh\necho worker 3 did not get ready\nexit 1\n");
    ::chmod(hook.c_str(), 0755);
    git({"branch", "other"});
    Ran ran = site.Deploy({url, "other"});
    CHECK(ran.code == 1);
    CHECK_MESSAGE(Contains(ran.err, "remote: worker 3 did not get ready"), ran.err);
    CHECK_MESSAGE(Contains(ran.err, "pre-receive hook declined"), ran.err);
    CHECK_FALSE(Contains(ran.out + ran.err, "pa55"));
    value = site.DeployJson({url, "other"});
    CHECK(value["ok"] == false);
    CHECK_MESSAGE(Contains(value["log_tail"].dump(), "worker 3 did not get ready"), value.dump());
  }

  TEST_CASE("over ssh a connection is carried by the system's ssh, a branch as an archive") {
    World world;
    world.env()["GIT_CONFIG_GLOBAL"] = "/dev/null";
    const std::string kept = world.folder() + "/kept.tgz";
    Site site(world, {{"keep", kept}});
    // An ssh that goes no further than this machine.
    const std::string ssh = world.folder() + "/bin/ssh";
    WriteText(ssh,
              "#!/usr/bin/env node\n"
              "const words = process.argv.slice(2);\n"
              "require('fs').writeFileSync(process.env.HOME + '/ssh.words', words.join(' '));\n"
              "const [host, port] = words[words.indexOf('-W') + 1].split(':');\n"
              "const there = require('net').connect(port, host);\n"
              "process.stdin.pipe(there);\nthere.pipe(process.stdout);\n");
    ::chmod(ssh.c_str(), 0755);
    world.env()["PATH"] = world.folder() + "/bin:" + world.env()["PATH"];
    world.env()["SSH_PORT"] = "2222";
    const auto git = [&](Words words) {
      words.insert(words.begin(), "git");
      REQUIRE(world.BeginProgram(words, Options{.cwd = site.app}).Wait().code == 0);
    };
    git({"init", "-q", "-b", "deploy"});
    git({"add", "."});
    git({"-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-q", "-m", "one"});
    const std::string url = "http+ssh://joe@box.example.org:" + site.address;
    const Ran ran = site.Deploy({url, "deploy"});
    CHECK_MESSAGE(ran.code == 0, ran.err);
    CHECK(ReadText(world.folder() + "/ssh.words") ==
          "-W 127.0.0.1:" + site.address + " -l joe -p 2222 -- box.example.org");
    const Ran list = world.BeginProgram({"tar", "-tzf", kept}).Wait();
    CHECK(list.out == "package/\npackage/package.json\n");
    world.env()["PATH"] = "/nowhere";
    CHECK_MESSAGE(Contains(site.Deploy({url, site.archive}).err, "http+ssh:// needs ssh"), "");
  }
}
