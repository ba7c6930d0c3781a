// Unit: the systemd unit that starts slcd at boot and starts it again whenever it ends. Pure.
#pragma once

#include <string>
#include <vector>

namespace slc::ctl {

struct Unit {
  std::string name = "slc";  // without ".service"
  bool user = false;         // of the caller's own systemd, else the machine's
  std::string home;          // SLC_HOME
  std::string slc;           // absolute paths of the programs
  std::string slcd;
  std::string path;  // PATH for slcd: what a service without a PATH of its own is started with
};

// The whole file, with the reason of each setting beside it.
std::string UnitText(const Unit& unit);
// True if `text` is a unit that UnitText has written, of whatever version.
bool IsOurUnit(const std::string& text);
// What `variable` is set to by the Environment= lines of a unit that UnitText has written; empty if
// it is not.
std::string UnitVariable(const std::string& text, const std::string& variable);

// "/etc/systemd/system/slc.service", or below `user_config` (~/.config) for a user's.
std::string UnitFile(const Unit& unit, const std::string& user_config);

using Words = std::vector<std::string>;
// What is run, in this order, after the file was written.
std::vector<Words> InstallCommands(const Unit& unit);
// The same before and after it is removed.
std::vector<Words> CommandsBeforeRemoval(const Unit& unit);
std::vector<Words> CommandsAfterRemoval(const Unit& unit);
// Ends when slcd answers.
Words StartCommand(const Unit& unit);

// The line of a crontab that starts at boot what ran, where there is no systemd.
std::string CrontabLine(const Unit& unit);

// A name for a unit: letters, digits and . _ - only, and not too long for systemd.
bool IsUnitName(const std::string& name);

}  // namespace slc::ctl
