#include "tests/faults/machine.h"

#include <unistd.h>

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>

#include "common/base/text.h"

namespace slc::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSystemd = "/lib/systemd/systemd";
constexpr const char* kUnits = "/etc/systemd/system";

// Where the unified cgroup tree is mounted.
std::string UnifiedTree() {
  for (const std::string& line : LinesOf(ReadText("/proc/self/mountinfo"))) {
    const auto words = Split(line, ' ');
    if (Contains(line, " - cgroup2 ") && words.size() > 4) return words[4];
  }
  return {};
}

// Of what a default installation has, as far as our units name it; nothing is behind them.
void WriteTargets(const std::string& folder) {
  for (const char* name : {"sysinit", "basic", "shutdown", "multi-user", "network-online"}) {
    WriteText(folder + "/" + name + ".target",
              std::string("[Unit]\nDescription=") + name + "\nDefaultDependencies=no\n");
  }
}

void RemoveCgroup(const std::string& path) {
  if (path.empty() || !fs::exists(path)) return;
  std::vector<std::string> folders{path};
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  // Those within others come behind them.
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    // What was killed may not have left it yet.
    WaitUntil([&] { return ::rmdir(folder->c_str()) == 0 || !fs::exists(*folder); }, 10'000,
              "the end of cgroup " + *folder);
  }
}

}  // namespace

std::string Machine::WhyNot() {
  if (::geteuid() != 0) return "only root can make namespaces with a systemd";
  if (!Exists(kSystemd)) return std::string(kSystemd) + " is missing: apt-get install systemd";
  const std::string tree = UnifiedTree();
  if (tree.empty()) return "no unified cgroup tree is mounted";
  const std::string probe = tree + "/slc-probe-" + std::to_string(::getpid());
  std::error_code failed;
  if (!fs::create_directory(probe, failed)) return "cannot make " + probe + ": " + failed.message();
  fs::remove(probe, failed);
  if (std::system("unshare -p -m -C --fork true 2>/dev/null") != 0) {
    return "pid, mount and cgroup namespaces are not allowed here";
  }
  return {};
}

Machine::Machine(World& world) : world_(world), folder_(world.folder() + "/machine") {
  WriteTargets(units());
  WriteText(
      folder_ + "/boot",
      "set -e\n"
      "mount --make-rprivate /\n"
      "mount -t proc proc /proc\n"
      "mount -t tmpfs -o mode=755 tmpfs /run\n"
      "mount -t tmpfs tmpfs /var/log\n"
      "umount -R /sys/fs/cgroup\n"
      "mount -t cgroup2 cgroup2 /sys/fs/cgroup\n"
      "mkdir -p " +
          std::string(kUnits) + "\nmount --bind '" + units() + "' " + kUnits +
          "\n"
          "exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=slc-test SYSTEMD_UNIT_PATH=" +
          kUnits + " SYSTEMD_LOG_TARGET=console " + kSystemd +
          " --system --unit=multi-user.target --show-status=no </dev/null\n");
}

Machine::~Machine() { PullThePlug(); }

void Machine::Boot() {
  static int count = 0;
  cgroup_ =
      UnifiedTree() + "/slc-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
  fs::create_directory(cgroup_);
  // It dies with this program, and all that runs there with it.
  const std::string script = std::string("echo $$ > \"$1/cgroup.procs\" && ") +
                             "exec setpriv --pdeathsig KILL unshare -p -m -C --fork " +
                             "--kill-child=KILL sh \"$2\"";
  unshare_.emplace(world_.BeginProgram({"sh", "-c", script, "sh", cgroup_, folder_ + "/boot"}));
  const std::string children = "/proc/" + std::to_string(unshare_->pid()) + "/task/" +
                               std::to_string(unshare_->pid()) + "/children";
  WaitUntil(
      [&] {
        if (unshare_->HasEnded()) FAIL("systemd did not come up: ", unshare_->Wait().err);
        init_ = static_cast<int>(ParseInteger(Trim(ReadText(children)), 1, INT32_MAX).value_or(0));
        return init_ != 0 &&
               Contains(ReadText("/proc/" + std::to_string(init_) + "/comm"), "systemd");
      },
      10'000, "systemd as pid 1");
  WaitUntil(
      [&] {
        return Run({"systemctl", "is-active", "multi-user.target"}).code == 0;
      },
      20'000, "the machine to be up");
}

void Machine::PullThePlug() {
  if (!unshare_) return;
  unshare_.reset();
  init_ = 0;
  RemoveCgroup(cgroup_);
}

Running Machine::Begin(const Words& command, const Options& options) {
  Words words{"nsenter", "-t", std::to_string(init_), "-p", "-m", "-C", "--"};
  words.insert(words.end(), command.begin(), command.end());
  return world_.BeginProgram(words, options);
}

Ran Machine::Run(const Words& command, const Options& options) {
  return Begin(command, options).Wait(options.deadline);
}

Ran Machine::Must(const Words& command, const Options& options) {
  Ran ran = Run(command, options);
  if (ran.code != 0) {
    FAIL("exit code ", ran.code, " of: ", Join(command, " "), "\nstdout: ", ran.out,
         "\nstderr: ", ran.err);
  }
  return ran;
}

Ran Machine::Slc(const Words& arguments) {
  Words command{BinaryPath("slc")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return Run(command);
}

std::string Machine::Show(const std::string& property) {
  return std::string(
      Trim(Must({"systemctl", "show", "-p", property, "--value", "slc.service"}).out));
}

}  // namespace slc::test
