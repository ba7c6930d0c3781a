// slc-unpack as slcd starts it: what real packs become, what it may do, and how it ends.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/model/unpacked.h"
#include "daemon/deploy/unpack_start.h"
#include "tests/system/harness.h"
#include "tests/unit/tar_maker.h"

using namespace slc;
using namespace slc::test;

namespace {

// slc-unpack at work below a folder of the world.
class Unpacking {
 public:
  Unpacking(World& world, const std::string& name, const deploy::UnpackOrder& like = {})
      : path_(world.folder() + "/" + name) {
    REQUIRE(::mkdir(path_.c_str(), 0700) == 0);
    if (like.user) REQUIRE(::chown(path_.c_str(), like.user->uid, like.user->gid) == 0);
    const UniqueFd folder(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::array<int, 2> archive{};
    std::array<int, 2> report{};
    REQUIRE(::pipe2(archive.data(), O_CLOEXEC) == 0);
    REQUIRE(::pipe2(report.data(), O_CLOEXEC) == 0);
    const UniqueFd theirs(archive[0]);
    const UniqueFd told(report[1]);
    archive_ = UniqueFd(archive[1]);
    report_ = UniqueFd(report[0]);
    deploy::UnpackOrder order = like;
    order.program = BinaryPath("slc-unpack");
    order.archive = theirs.get();
    order.folder = folder.get();
    order.report = told.get();
    order.cookie = "test";
    auto started = deploy::LaunchUnpacker(order);
    REQUIRE_MESSAGE(started.ok(), started.error().message);
    process_ = std::move(*started);
  }
  ~Unpacking() {
    if (status_) return;
    ::kill(process_.identity.pid, SIGKILL);
    static_cast<void>(End());
  }
  Unpacking(const Unpacking&) = delete;
  Unpacking& operator=(const Unpacking&) = delete;

  // False if it has closed its end.
  bool Send(std::string_view bytes) { return WriteAll(archive_.get(), bytes).ok(); }
  // No more comes; what it tells.
  Result<Unpacked> Finish() {
    archive_.reset();
    std::string line = Rest();
    const int status = End();
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return DecodeUnpacked(std::string(Trim(line)));
  }
  int code() const { return code_; }  // after Finish
  pid_t pid() const { return process_.identity.pid; }
  const std::string& path() const { return path_; }

 private:
  std::string Rest() {
    std::string text;
    std::array<char, 4096> buffer{};
    while (true) {
      const ssize_t got = ::read(report_.get(), buffer.data(), buffer.size());
      if (got <= 0) return text;
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  int End() {
    REQUIRE(HasEnded(process_.pidfd, 10'000));
    status_ = Reap(process_.pidfd);
    REQUIRE(status_);
    return *status_;
  }

  std::string path_;
  UniqueFd archive_;
  UniqueFd report_;
  Spawned process_;
  std::optional<int> status_;
  int code_ = -1;
};

// SIGPIPE would end the test.
void IgnorePipes() { ::signal(SIGPIPE, SIG_IGN); }

void Run(World& world, const Words& command, const std::string& cwd) {
  Options options;
  options.cwd = cwd;
  const Ran ran = world.BeginProgram(command, options).Wait();
  REQUIRE_MESSAGE(ran.code == 0, ran.err);
}

// Names, kinds, modes, targets and contents of all below `folder`.
std::string Describe(World& world, const std::string& folder) {
  Options options;
  options.cwd = folder;
  const Ran names =
      world.BeginProgram({"find", ".", "-mindepth", "1", "-printf", "%P %y %m %l\n"}, options)
          .Wait();
  const Ran sums =
      world.BeginProgram({"find", ".", "-type", "f", "-exec", "sha256sum", "{}", "+"}, options)
          .Wait();
  REQUIRE(names.code + sums.code == 0);
  auto lines = LinesOf(names.out + sums.out);
  std::sort(lines.begin(), lines.end());
  return Join(lines, "\n");
}

// The same tree as `tar` makes of it, but for those bits of modes that we take away.
void CheckLikeTar(World& world, const std::string& archive, const std::string& as) {
  Unpacking unpacking(world, as);
  unpacking.Send(*ReadFile(archive, 64U << 20));
  const auto unpacked = unpacking.Finish();
  REQUIRE_MESSAGE(unpacked.ok(), unpacked.error().message);
  CHECK(unpacking.code() == 0);
  const std::string other = world.folder() + "/" + as + "-tar";
  REQUIRE(::mkdir(other.c_str(), 0700) == 0);
  Run(world, {"tar", "--no-same-owner", "--strip-components=1", "-xf", archive}, other);
  Run(world, {"chmod", "-R", "go-w,u-s,g-s,-t", "."}, other);
  CHECK(Describe(world, unpacking.path()) == Describe(world, other));
}

std::string StatusLine(pid_t pid, const std::string& key) {
  for (const std::string& line : LinesOf(ReadText("/proc/" + std::to_string(pid) + "/status"))) {
    if (StartsWith(line, key + ":")) return std::string(Trim(line.substr(key.size() + 1)));
  }
  return {};
}

}  // namespace

TEST_SUITE("unpack") {
  TEST_CASE("a pack of npm's becomes the tree that tar makes of it") {
    IgnorePipes();
    World world;
    const std::string app = world.MakeFolder(
        "app",
        {{"package.json",
          R"({"name": "@acme/app", "version": "1.2.3", "bin": "bin/run.js",
              "bundleDependencies": ["dep"], "dependencies": {"dep": "1"}})"},
         {"bin/run.js", "#!/usr/bin/env node\n"},
         {"lib/deep/er/a.js", std::string(100'000, 'a')},
         {"empty", ""},
         {"lib/" + std::string(120, 'n') + "/" + std::string(120, 'm') + ".js", "long"},
         {"node_modules/dep/package.json", R"({"name": "dep", "version": "1.0.0", "bin": "b.js"})"},
         {"node_modules/dep/b.js", "#!/usr/bin/env node\n"}});
    REQUIRE(::chmod((app + "/bin/run.js").c_str(), 0755) == 0);
    Run(world, {"npm", "pack", "--silent", "--offline"}, app);
    CheckLikeTar(world, app + "/acme-app-1.2.3.tgz", "from-npm");
  }

  TEST_CASE("what tar itself packs, in each of its formats, becomes the same tree") {
    IgnorePipes();
    World world;
    const std::string app =
        world.MakeFolder("my-app", {{"package.json", "{}"},
                                    {"node_modules/.pnpm/a/index.js", "shared"},
                                    {"node_modules/a/cli.js", "#!/usr/bin/env node\n"},
                                    {"with space/\xc3\xbc", "umlaut"},
                                    {"big", std::string(3'000'000, 'b')}});
    REQUIRE(::mkdir((app + "/node_modules/.bin").c_str(), 0755) == 0);
    REQUIRE(::symlink("../a/cli.js", (app + "/node_modules/.bin/a").c_str()) == 0);
    REQUIRE(::symlink("nowhere", (app + "/dangling").c_str()) == 0);
    REQUIRE(::link((app + "/node_modules/.pnpm/a/index.js").c_str(),
                   (app + "/node_modules/a/index.js").c_str()) == 0);
    REQUIRE(::chmod((app + "/node_modules/a/cli.js").c_str(), 06755) == 0);
    const std::string parent = app.substr(0, app.rfind('/'));
    for (const char* format : {"ustar", "gnu", "pax"}) {
      CAPTURE(format);
      if (std::string(format) != "ustar") {
        const std::string deep = "d/" + std::string(150, 'x') + "/" + std::string(150, 'y');
        WriteText(app + "/" + deep, "deep");
      }
      const std::string archive = world.folder() + "/" + format + ".tgz";
      Run(world, {"tar", "-czf", archive, "--format", format, "my-app"}, parent);
      CheckLikeTar(world, archive, std::string("from-") + format);
    }
  }

  TEST_CASE("what git archives becomes the tree of the commit") {
    IgnorePipes();
    World world;
    const std::string app = world.MakeFolder("app", {{"package.json", "{}"}, {"lib/a.js", "a"}});
    REQUIRE(::symlink("lib/a.js", (app + "/link").c_str()) == 0);
    Run(world, {"git", "init", "-q"}, app);
    Run(world, {"git", "add", "."}, app);
    Run(world,
        {"git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "m"},
        app);
    const std::string archive = world.folder() + "/commit.tar";
    Run(world, {"git", "archive", "--prefix=release/", "-o", archive, "HEAD"}, app);
    CheckLikeTar(world, archive, "from-git");
  }

  TEST_CASE("before it reads it has given up all rights that it does not need") {
    IgnorePipes();
    World world;
    deploy::UnpackOrder order;
    const bool root = ::geteuid() == 0;
    if (root) {
      order.user = RunAs{65534, 65534, {65534}};
      REQUIRE(::chmod(world.folder().c_str(), 0711) == 0);
    }
    Unpacking unpacking(world, "out", order);
    WaitUntil(
        [&] {
          return ReadText("/proc/" + std::to_string(unpacking.pid()) + "/wchan") != "" &&
                 StatusLine(unpacking.pid(), "State")[0] == 'S';
        },
        10'000, "slc-unpack waits for its archive");
    CHECK(StatusLine(unpacking.pid(), "NoNewPrivs") == "1");
    CHECK(StatusLine(unpacking.pid(), "CapEff") == "0000000000000000");
    CHECK(StatusLine(unpacking.pid(), "CapPrm") == "0000000000000000");
    if (root) {
      CHECK(StatusLine(unpacking.pid(), "Uid") == "65534\t65534\t65534\t65534");
      CHECK(StatusLine(unpacking.pid(), "Gid") == "65534\t65534\t65534\t65534");
      CHECK(StatusLine(unpacking.pid(), "Groups") == "65534");
    }
    // Its archive, report, folder, and what it was given no name for.
    CHECK(CountOpenFiles(unpacking.pid()) == 5);
    CHECK(unpacking.Send(Gzip(TarMaker().File("package/a", "a").End().bytes())));
    const auto unpacked = unpacking.Finish();
    REQUIRE_MESSAGE(unpacked.ok(), unpacked.error().message);
    struct stat info {};
    REQUIRE(::stat((unpacking.path() + "/a").c_str(), &info) == 0);
    CHECK(info.st_mode == (S_IFREG | 0644));
    CHECK(info.st_uid == (root ? 65534 : ::geteuid()));
  }

  TEST_CASE("an archive that is refused early is not read to its end") {
    IgnorePipes();
    World world;
    Unpacking unpacking(world, "out");
    TarMaker archive;
    archive.File("package/a", "a").File("package/../../out-of-it", "x");
    std::string bytes = archive.bytes();
    int rounds = 0;
    while (unpacking.Send(bytes) && rounds < 1000) {
      bytes.assign(65536, 'x');
      ++rounds;
    }
    CHECK(rounds < 1000);
    const auto unpacked = unpacking.Finish();
    CHECK(unpacking.code() == 1);
    REQUIRE_FALSE(unpacked.ok());
    CHECK(unpacked.error().code == ErrorCode::kInvalid);
    CHECK(Contains(unpacked.error().message, "package/../../out-of-it leads out"));
    CHECK_FALSE(Exists(world.folder() + "/out-of-it"));
  }

  TEST_CASE("an upload that does not end in time is given up") {
    IgnorePipes();
    World world;
    deploy::UnpackOrder order;
    order.seconds = 1;
    Unpacking unpacking(world, "out", order);
    CHECK(unpacking.Send(TarMaker().File("package/a", "a").bytes()));
    // Its end comes by itself, although the pipe stays open.
    WaitUntil([&] { return StatusLine(unpacking.pid(), "State")[0] == 'Z'; }, 10'000,
              "slc-unpack has given up");
    const auto unpacked = unpacking.Finish();
    CHECK(unpacking.code() == 1);
    REQUIRE_FALSE(unpacked.ok());
    CHECK(unpacked.error().code == ErrorCode::kTimeout);
  }

  TEST_CASE("one that is killed has told nothing, and that is known") {
    IgnorePipes();
    World world;
    Unpacking unpacking(world, "out");
    CHECK(unpacking.Send(TarMaker().File("package/a", "a").bytes()));
    REQUIRE(::kill(unpacking.pid(), SIGKILL) == 0);
    const auto unpacked = unpacking.Finish();
    CHECK(unpacking.code() == 128 + SIGKILL);
    REQUIRE_FALSE(unpacked.ok());
    CHECK(unpacked.error().code == ErrorCode::kProtocol);
  }

  TEST_CASE("people who start it are told that it is not for them") {
    World world;
    for (const Words& arguments : {Words{}, Words{"--into"}, Words{"--into", "x"},
                                   Words{"--into", "3", "--uid", "1"}, Words{"--what", "1"}}) {
      Words command{BinaryPath("slc-unpack")};
      command.insert(command.end(), arguments.begin(), arguments.end());
      const Ran ran = world.BeginProgram(command).Wait();
      CHECK(ran.code == 2);
      CHECK(Contains(ran.err, "started by slcd"));
    }
  }
}
