#include "common/base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>

#include "common/base/own_limits.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

struct Pipe {
  Pipe() {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  std::string ReadAll() {
    write.reset();
    std::string text;
    char buffer[4096];
    while (true) {
      pollfd entry{read.get(), POLLIN, 0};
      if (::poll(&entry, 1, 20'000) <= 0) return text + "(nothing for 20 s)";
      const ssize_t got = ::read(read.get(), buffer, sizeof(buffer));
      if (got <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(got));
    }
  }
  UniqueFd read;
  UniqueFd write;
};

SpawnOptions Shell(const std::string& script) {
  SpawnOptions options;
  options.program = "/bin/sh";
  options.arguments = {"sh", "-c", script};
  options.environment = {"PATH=/usr/bin:/bin"};
  return options;
}

struct Outcome {
  std::string output;
  std::string end;
};

// With `closed`, our own standard input is closed meanwhile, as a careless parent may leave it.
Outcome Run(SpawnOptions options, bool closed = false) {
  Pipe pipe;
  options.descriptors.emplace_back(pipe.write.get(), 1);
  const UniqueFd kept(::fcntl(0, F_DUPFD_CLOEXEC, 100));
  if (closed) ::close(0);
  auto spawned = Spawn(options);
  if (closed) ::dup2(kept.get(), 0);
  if (!spawned) return {"", spawned.error().message};
  Outcome outcome;
  outcome.output = pipe.ReadAll();
  CHECK(HasEnded(spawned->pidfd, 20'000));
  const auto status = Reap(spawned->pidfd);
  outcome.end = status ? DescribeWaitStatus(*status) : "not reaped";
  return outcome;
}

// The numbers of the descriptors a child sees; the one it lists them with is among them.
std::vector<std::string> DescriptorsSeen(const SpawnOptions& options) {
  Outcome outcome = Run(options);
  std::vector<std::string> seen;
  for (const std::string& line : Split(outcome.output, '\n')) {
    if (!line.empty()) seen.push_back(line);
  }
  std::sort(seen.begin(), seen.end());
  return seen;
}

}  // namespace

TEST_CASE("A child sees the descriptors that were named for it, and no others") {
  // Leaks on purpose: without close-on-exec, low and high.
  const int low = ::dup(2);
  const int high = ::fcntl(2, F_DUPFD, 900);
  SpawnOptions options;
  options.program = "/bin/ls";
  options.arguments = {"ls", "-1", "/proc/self/fd"};
  // ls opens the folder as the lowest free number.
  CHECK(DescriptorsSeen(options) == std::vector<std::string>{"0", "1", "2", "3"});
  const UniqueFd null_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  options.descriptors = {{null_fd.get(), 5}, {null_fd.get(), 40}};
  CHECK(DescriptorsSeen(options) == std::vector<std::string>{"0", "1", "2", "3", "40", "5"});
  ::close(low);
  ::close(high);
}

TEST_CASE("Descriptors are exchanged rightly, also when the numbers overlap") {
  TempFolder folder;
  folder.Write("a", "from a");
  folder.Write("b", "from b");
  const UniqueFd a(::open((folder / "a").c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd b(::open((folder / "b").c_str(), O_RDONLY | O_CLOEXEC));
  const int one = a.get();
  const int two = b.get();
  // Not "<&": the shell takes one digit there, and whoever started us may have left more open.
  const std::string folder_of = "/proc/self/fd/";
  SpawnOptions options =
      Shell("cat " + folder_of + std::to_string(two) + " " + folder_of + std::to_string(one));
  options.descriptors = {{one, two}, {two, one}};
  CHECK(Run(options).output == "from afrom b");
}

TEST_CASE("Standard streams that were not named are /dev/null, even if ours are closed") {
  for (const bool closed : {false, true}) {
    const Outcome outcome = Run(Shell("readlink /proc/self/fd/0 /proc/self/fd/2"), closed);
    CAPTURE(closed);
    CHECK(outcome.output == "/dev/null\n/dev/null\n");
  }
}

TEST_CASE("What cannot be started says at which step and why, and leaves no child") {
  // What other tests left dead must not be taken for ours.
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  const bool childless = ::waitpid(-1, nullptr, WNOHANG) == -1;
  const auto why = [](const SpawnOptions& options) {
    auto spawned = Spawn(options);
    return spawned ? std::string("started") : spawned.error().message;
  };
  SpawnOptions missing;
  missing.program = "/no/such/program";
  missing.arguments = {"x"};
  CHECK(why(missing) == "start /no/such/program: execute: No such file or directory");
  CHECK(Spawn(missing).error().code == ErrorCode::kNotFound);
  SpawnOptions folder = Shell("true");
  folder.working_directory = "/no/such/folder";
  CHECK(why(folder) == "start /bin/sh: enter directory /no/such/folder: No such file or directory");
  SpawnOptions denied;
  denied.program = "/etc/passwd";
  denied.arguments = {"x"};
  CHECK(why(denied) == "start /etc/passwd: execute: Permission denied");
  SpawnOptions bad_fd = Shell("true");
  bad_fd.descriptors = {{987, 3}};
  CHECK(why(bad_fd) == "start /bin/sh: hand over descriptors: Bad file descriptor");
  CHECK((::waitpid(-1, nullptr, WNOHANG) == -1) == childless);
}

TEST_CASE("A child gets the limit of core dumps it is given, and we make none") {
  const auto soft_limit = [](const std::optional<rlimit>& given) {
    SpawnOptions options = Shell("ulimit -S -c");
    options.core = given;
    return std::string(Trim(Run(options).output));
  };
  rlimit own{};
  REQUIRE(::getrlimit(RLIMIT_CORE, &own) == 0);
  const std::string before = soft_limit({});
  const rlimit as_it_was = ForbidCoreDumps();
  CHECK(as_it_was.rlim_cur == own.rlim_cur);
  // In blocks of 512 bytes: no byte at all.
  CHECK(soft_limit({}) == "0");
  CHECK(soft_limit(as_it_was) == before);
  REQUIRE(::setrlimit(RLIMIT_CORE, &own) == 0);
}

TEST_CASE("A child can be made to go first when memory runs out, but never later than it would") {
  const auto score = [](const std::string& own, std::optional<int> wanted) {
    SpawnOptions options = Shell("cat /proc/self/oom_score_adj");
    options.oom_score = wanted;
    const UniqueFd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    REQUIRE(WriteAll(file.get(), own).ok());
    return std::string(Trim(Run(options).output));
  };
  std::string before = *ReadFile("/proc/self/oom_score_adj");
  const std::string own(Trim(before));
  CHECK(score(own, std::nullopt) == own);
  CHECK(score(own, 300) == "300");
  CHECK(score("500", 300) == "500");
  // Ours is what it was, although a child shares our memory until it is another program.
  score(own, 300);
  CHECK(Trim(*ReadFile("/proc/self/oom_score_adj")) == own);
}

TEST_CASE("A child is told that its listening sockets are its own") {
  SpawnOptions options = Shell("echo $$ $LISTEN_PID $LISTEN_FDS");
  options.listen_fds = 2;
  const auto words = Split(Trim(Run(options).output), ' ');
  REQUIRE(words.size() == 3);
  CHECK(words[0] == words[1]);
  CHECK(words[2] == "2");
  CHECK(Trim(Run(Shell("echo x$LISTEN_PID$LISTEN_FDS")).output) == "x");
}

TEST_CASE(
    "A child has the environment, folder, limit and session it was given, and default signals") {
  TempFolder folder;
  SpawnOptions options = Shell(
      "env | sort; pwd; ulimit -n; ps -o sid= -p $$ | tr -d ' '; echo $$; "
      "grep -E 'Sig(Blk|Ign)' /proc/self/status");
  options.environment = {"PATH=/usr/bin:/bin", "A=b c"};
  options.working_directory = folder.path();
  options.nofile = rlimit{77, 88};
  // What we ignore or block is none of the child's business.
  const auto ignored = ::signal(SIGUSR1, SIG_IGN);
  sigset_t block;
  sigset_t before;
  ::sigemptyset(&block);
  ::sigaddset(&block, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &block, &before);
  const Outcome outcome = Run(options);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGUSR1, ignored);
  const auto lines = Split(outcome.output, '\n');
  REQUIRE(lines.size() >= 7);
  CHECK(lines[0] == "A=b c");
  CHECK(lines[1] == "PATH=/usr/bin:/bin");
  CHECK(outcome.output.find("PWD=" + folder.path()) != std::string::npos);
  CHECK(outcome.output.find("\n77\n") != std::string::npos);
  CHECK(outcome.output.find("SigBlk:\t0000000000000000") != std::string::npos);
  CHECK(outcome.output.find("SigIgn:\t0000000000000000") != std::string::npos);
  CHECK(outcome.end == "exit code 0");
}

TEST_CASE("A child's end is seen through its pidfd, with its status") {
  CHECK(Run(Shell("exit 3")).end == "exit code 3");
  CHECK(Run(Shell("kill -9 $$")).end == "killed by SIGKILL (signal 9)");
  auto spawned = Spawn(Shell("sleep 100"));
  REQUIRE(spawned);
  CHECK_FALSE(HasEnded(spawned->pidfd, 0));
  CHECK_FALSE(Reap(spawned->pidfd));
  CHECK((::fcntl(spawned->pidfd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(IdentifyProcess(spawned->identity.pid) == spawned->identity);
  CHECK(SignalProcess(spawned->pidfd, SIGTERM));
  CHECK(HasEnded(spawned->pidfd, 20'000));
  CHECK(DescribeWaitStatus(Reap(spawned->pidfd).value_or(0)) == "killed by SIGTERM (signal 15)");
  CHECK_FALSE(Reap(spawned->pidfd));
  CHECK_FALSE(SignalProcess(spawned->pidfd, SIGTERM));
}

TEST_CASE("A child that runs as nobody has nobody's groups, no privileges, and cannot get any" *
          doctest::skip(::geteuid() != 0)) {
  auto nobody = ResolveRunAs("nobody");
  REQUIRE(nobody);
  SpawnOptions options = Shell(
      "id -u; id -g; id -G; grep -E 'CapEff|CapBnd|CapPrm|NoNewPrivs' "
      "/proc/self/status; cat /etc/shadow 2>&1");
  options.run_as = *nobody;
  const Outcome outcome = Run(options);
  const auto lines = Split(outcome.output, '\n');
  REQUIRE(lines.size() > 6);
  CHECK(lines[0] == std::to_string(nobody->uid));
  CHECK(lines[1] == std::to_string(nobody->gid));
  CHECK(lines[2] == std::to_string(nobody->gid));
  CHECK(outcome.output.find("CapPrm:\t0000000000000000") != std::string::npos);
  CHECK(outcome.output.find("CapEff:\t0000000000000000") != std::string::npos);
  CHECK(outcome.output.find("CapBnd:\t0000000000000000") != std::string::npos);
  CHECK(outcome.output.find("NoNewPrivs:\t1") != std::string::npos);
  CHECK(outcome.output.find("Permission denied") != std::string::npos);
  // A folder that nobody may not enter is entered as nobody.
  TempFolder folder;
  REQUIRE(::chmod(folder.path().c_str(), 0700) == 0);
  options.working_directory = folder.path();
  CHECK(Run(options).end ==
        "start /bin/sh: enter directory " + folder.path() + ": Permission denied");
}

TEST_CASE("Users and groups are names or numbers") {
  auto root = ResolveRunAs("root");
  REQUIRE(root);
  CHECK(root->uid == 0);
  CHECK(root->gid == 0);
  CHECK(std::find(root->groups.begin(), root->groups.end(), 0U) != root->groups.end());
  auto numbers = ResolveRunAs("12345:54321");
  REQUIRE(numbers);
  CHECK(numbers->uid == 12345);
  CHECK(numbers->gid == 54321);
  CHECK(numbers->groups == std::vector<gid_t>{54321});
  auto mixed = ResolveRunAs("nobody:0");
  REQUIRE(mixed);
  CHECK(mixed->gid == 0);
  CHECK(ResolveRunAs("no-such-user").error().code == ErrorCode::kNotFound);
  CHECK(ResolveRunAs("root:no-such-group").error().code == ErrorCode::kNotFound);
  CHECK_FALSE(ResolveRunAs(""));
  CHECK_FALSE(ResolveRunAs("-1"));
  CHECK_FALSE(ResolveRunAs("4294967295"));
  CHECK(LookUpUser(0).name == "root");
  CHECK(LookUpUser(0).home == "/root");
  CHECK(LookUpUser(3'999'999'999).name.empty());
}

TEST_CASE("A child has the niceness and the limit of files that it is given") {
  SpawnOptions options = Shell("nice; ulimit -Sn; ulimit -Hn");
  options.nice = 9;
  options.nofile = rlimit{77, 99};
  const Outcome outcome = Run(options);
  CHECK(outcome.output == "9\n77\n99\n");
}

TEST_CASE("What a process may give to its children is tried, and told with what to do") {
  rlimit own{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &own) == 0);
  CHECK(MayGiveFileLimit(own.rlim_max));
  const Status most = MayGiveFileLimit(RLIM_INFINITY - 1);
  REQUIRE_FALSE(most);
  CHECK(most.error().message.find("at most") != std::string::npos);
  rlimit after{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &after) == 0);
  CHECK(after.rlim_max == own.rlim_max);
  const int nice = ::getpriority(PRIO_PROCESS, 0);
  CHECK(MayGiveNice(19));
  static_cast<void>(MayGiveNice(-20).ok());
  CHECK(::getpriority(PRIO_PROCESS, 0) == nice);
}

TEST_CASE("A child enters a cgroup by writing to what it is given, and a refusal is told") {
  Pipe pipe;
  SpawnOptions options = Shell("echo in");
  options.cgroup = pipe.write.get();
  CHECK(Run(options).output == "in\n");
  CHECK(pipe.ReadAll() == "0");
  options.cgroup = 1 << 20;
  CHECK(Run(options).end == "start /bin/sh: enter its cgroup: Bad file descriptor");
}

}  // namespace slc
