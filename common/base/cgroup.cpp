#include "common/base/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "common/base/files.h"
#include "common/base/text.h"

namespace slc {
namespace {

constexpr const char* kDelegate =
    "; under systemd slcd needs a unit with Delegate=yes, as `slc service install` writes it; in a "
    "container limit that itself (docker run --cpus)";

bool HasWord(std::string_view text, std::string_view word) {
  const std::vector<std::string> words = Split(Trim(text), ' ');
  return std::find(words.begin(), words.end(), word) != words.end();
}

Status WriteTo(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return SystemError("open " + path, errno);
  if (::write(file.get(), text.data(), text.size()) < 0) {
    return SystemError("write '" + std::string(text) + "' to " + path, errno);
  }
  return Ok();
}

Error Refusal(const std::string& why) { return Error{ErrorCode::kPermission, why}; }

// What systemd has not handed over to its unit it sets back at any time.
bool IsHandedOver(const std::string& site) {
  struct stat info {};
  if (::stat("/run/systemd/system", &info) != 0) return true;
  for (const char* name : {"trusted.delegate", "user.delegate"}) {
    std::array<char, 8> value{};
    const ssize_t got = ::getxattr(site.c_str(), name, value.data(), value.size());
    if (got > 0 && value[0] == '1') return true;
  }
  return false;
}

// Of the cgroup v1 hierarchy that has the controller, if there is one.
bool IsWithV1(std::string_view cgroups) {
  for (const std::string& line : Split(cgroups, '\n')) {
    const std::vector<std::string> parts = Split(line, ':');
    if (parts.size() < 3) continue;
    const std::vector<std::string> controllers = Split(parts[1], ',');
    if (std::find(controllers.begin(), controllers.end(), "cpu") != controllers.end()) return true;
  }
  return false;
}

// "\040" and the like, as the kernel writes what would not be one word.
std::string Unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain +=
          static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

Status EnableCpu(const std::string& site) {
  const auto enabled = ReadFile(site + "/cgroup.subtree_control", 4096);
  if (enabled && HasWord(*enabled, "cpu")) return Ok();
  return WriteTo(site + "/cgroup.subtree_control", "+cpu");
}

}  // namespace

Result<std::string> CgroupFolder(std::string_view cgroups, std::string_view mountinfo) {
  std::string path;
  for (const std::string& line : Split(cgroups, '\n')) {
    if (StartsWith(line, "0::/")) path = line.substr(3);
  }
  if (path.empty()) return Error{ErrorCode::kNotFound, "this process is in no cgroup v2"};
  for (const std::string& line : Split(mountinfo, '\n')) {
    // 30 23 0:26 ROOT PLACE OPTIONS [...] - cgroup2 SOURCE OPTIONS
    const std::size_t dash = line.find(" - cgroup2 ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> fields = Split(line.substr(0, dash), ' ');
    if (fields.size() < 5) continue;
    const std::string root = fields[3] == "/" ? std::string() : Unescaped(fields[3]);
    const std::string place = Unescaped(fields[4]);
    if (!root.empty() && path != root && !StartsWith(path, root + "/")) continue;
    const std::string below = path.substr(root.size());
    return below == "/" ? place : place + below;
  }
  return Error{ErrorCode::kNotFound,
               "cgroup v2 is mounted nowhere with our own cgroup " + Printable(path) + " in it"};
}

std::string CpuMaxText(std::uint32_t cpu_millis) {
  constexpr std::uint64_t kPeriod = 100'000;
  return std::to_string(cpu_millis * kPeriod / 1000) + " " + std::to_string(kPeriod);
}

Result<std::string> FindCpuSite() {
  const auto cgroups = ReadFile("/proc/self/cgroup", 1U << 16);
  if (!cgroups) return cgroups.error();
  const auto mounts = ReadFile("/proc/self/mountinfo", 4U << 20);
  if (!mounts) return mounts.error();
  if (IsWithV1(*cgroups)) {
    return Refusal(
        "on this machine the CPUs are shared by cgroup v1, and slc needs v2 for it: boot with "
        "systemd.unified_cgroup_hierarchy=1 or cgroup_no_v1=cpu");
  }
  const auto site = CgroupFolder(*cgroups, *mounts);
  if (!site) return Refusal(site.error().message + kDelegate);
  const auto controllers = ReadFile(*site + "/cgroup.controllers", 4096);
  if (!controllers) return Refusal(controllers.error().message + kDelegate);
  if (!HasWord(*controllers, "cpu")) {
    return Refusal("the cgroup of slcd, " + *site + ", may not limit CPUs (no cpu in its " +
                   "cgroup.controllers)" + kDelegate);
  }
  if (!IsHandedOver(*site)) {
    return Refusal("the cgroup of slcd, " + *site + ", is systemd's own" + kDelegate);
  }
  return *site;
}

Result<UniqueFd> OpenCpuGroup(const std::string& site, const std::string& name,
                              std::uint32_t cpu_millis) {
  if (Status enabled = EnableCpu(site); !enabled) return enabled.error();
  const std::string group = site + "/" + name;
  if (::mkdir(group.c_str(), 0755) != 0 && errno != EEXIST) {
    return SystemError("make the cgroup " + group, errno);
  }
  // Beside processes only a threaded one may be used. Below the root it is of use as it is.
  const auto type = ReadFile(group + "/cgroup.type", 64);
  if (type && Trim(*type) == "domain invalid") {
    if (Status made = WriteTo(group + "/cgroup.type", "threaded"); !made) return made.error();
  }
  if (Status set = WriteTo(group + "/cpu.max", CpuMaxText(cpu_millis)); !set) return set.error();
  UniqueFd procs(::open((group + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (!procs) return SystemError("open " + group + "/cgroup.procs", errno);
  return procs;
}

Status MayLimitCpus(std::uint32_t cpu_millis) {
  const auto site = FindCpuSite();
  if (!site) return site.error();
  const std::string name = "slc-try-" + std::to_string(::getpid());
  const auto group = OpenCpuGroup(*site, name, cpu_millis);
  ::rmdir((*site + "/" + name).c_str());
  if (!group) return Refusal(group.error().message + kDelegate);
  return Ok();
}

std::string CpuGroupName(const std::string& cookie, std::uint64_t generation) {
  return "slc-" + cookie + "." + std::to_string(generation);
}

void RemoveCpuGroupsOf(const std::string& cookie, const std::set<std::string>& kept) {
  const auto cgroups = ReadFile("/proc/self/cgroup", 1U << 16);
  const auto mounts = ReadFile("/proc/self/mountinfo", 4U << 20);
  if (!cgroups || !mounts) return;
  const auto site = CgroupFolder(*cgroups, *mounts);
  if (!site) return;
  const UniqueFd folder(::open(site->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return;
  const auto names = ListDirectory(folder.get());
  if (!names) return;
  for (const std::string& name : *names) {
    const bool ours = StartsWith(name, "slc-" + cookie + ".");
    if (ours && kept.count(name) == 0) ::unlinkat(folder.get(), name.c_str(), AT_REMOVEDIR);
  }
}

}  // namespace slc
