// The doctor's checks. Each looks at one part of the patient or of the machine and says what it
// finds; none changes anything. What is judged by numbers alone is pure and tested by itself.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/time.h"
#include "ctl/doctor/finding.h"
#include "ctl/doctor/patient.h"

namespace slc::ctl {

// place_checks.cpp: whose the folders and files are, and who else reaches them.
Findings CheckPlace(const Patient& patient);
// A slcd could be started in this home: nothing above is wrong, and it can be written in.
bool TakesSlcd(const Patient& patient);

// home_checks.cpp: all of the home.
Findings CheckHome(const Patient& patient);
struct Room {
  std::uint64_t bytes = 0;  // free, for us
  std::uint64_t files = 0;  // inodes; of file systems that count them
  bool counts_files = false;
};
Finding JudgeRoom(const std::string& home, const Room& room);
// `type`: statfs.f_type.
Finding JudgeFileSystem(const std::string& home, std::int64_t type);

// daemon_checks.cpp: slcd, its masters, what systemd has to do with it.
Findings CheckDaemon(const Patient& patient);
Findings CheckMasters(const Patient& patient);
Findings CheckBoot(const Patient& patient);

// stray_checks.cpp: a slcd or masters that no slcd knows, leftovers of workers.
Findings CheckStrays(const Patient& patient);
Findings CheckOrphans(const Patient& patient);

// machine_checks.cpp: the kernel and its limits.
Findings CheckMachine(const Patient& patient);
Finding JudgeKernel(const std::string& release);
struct FileLimit {
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};
// `workers`: of all services.
Finding JudgeFileLimit(const FileLimit& limit, std::uint64_t workers, bool of_daemon);
Finding JudgeQueue(std::uint64_t somaxconn);
Finding JudgeProcesses(std::uint64_t processes, std::uint64_t most);
// `boot_id`: as the kernel gives it.
Finding JudgeClock(Millis wall, const std::string& boot_id);

// service_checks.cpp: of each service whether it could be started now and at boot.
Findings CheckServices(const Patient& patient);

// app_checks.cpp: what a service is started from: its folder, its script, its program.
Findings CheckApp(const Wish& wish, const ServiceView* view);

}  // namespace slc::ctl
