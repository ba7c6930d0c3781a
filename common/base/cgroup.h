// Cgroups: processes that may use so much of the CPUs together (cgroup v2, cpu.max).
//
// A group is made below the cgroup in which this process is itself, and is a threaded one: only so
// may that have processes and limited groups side by side. Nothing has to move then, and systemd
// can start the next slcd where the one before has left its groups.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace slc {

// The folder of our own cgroup in the hierarchy of cgroup v2. kPermission if groups cannot be made
// in it: why, and what to do about it.
Result<std::string> FindCpuSite();
// May a group with such a limit be made? Tried, and taken back.
Status MayLimitCpus(std::uint32_t cpu_millis);

// `site`/`name`, made if it is not there, with that limit. Returns its cgroup.procs, into which a
// process writes "0" to enter it.
Result<UniqueFd> OpenCpuGroup(const std::string& site, const std::string& name,
                              std::uint32_t cpu_millis);
// The name of the group of one generation of an instance, which has this cookie.
std::string CpuGroupName(const std::string& cookie, std::uint64_t generation);
// Removes the groups of that instance in our own cgroup, but for those in `kept` and what has
// processes.
void RemoveCpuGroupsOf(const std::string& cookie, const std::set<std::string>& kept = {});

// Pure: the folder of a process whose /proc/PID/cgroup holds `cgroups`, where the hierarchies are
// mounted as in `mountinfo` (of /proc/PID). kNotFound, with the reason.
Result<std::string> CgroupFolder(std::string_view cgroups, std::string_view mountinfo);
// "150000 100000"
std::string CpuMaxText(std::uint32_t cpu_millis);

}  // namespace slc
