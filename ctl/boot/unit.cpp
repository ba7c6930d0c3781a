#include "ctl/boot/unit.h"

#include <algorithm>
#include <string_view>

#include "common/base/text.h"

namespace slc::ctl {
namespace {

constexpr std::string_view kMark = "# Written by `slc service install`.";
// Descriptors that systemd keeps: three a worker and some a service, so for a thousand workers.
constexpr int kMostKept = 4096;

// A word as systemd reads it: in quotes, with its specifiers and escapes doubled. In the lines of
// commands '$' begins a variable.
std::string Quoted(const std::string& word, bool command) {
  std::string quoted = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '%' || (command && c == '$')) quoted += c;
    quoted += c;
  }
  return quoted + "\"";
}

// The inverse, from behind the opening quote.
std::string Unquoted(std::string_view rest) {
  std::string word;
  for (std::size_t i = 0; i < rest.size() && rest[i] != '"'; ++i) {
    if ((rest[i] == '\\' || rest[i] == '%') && i + 1 < rest.size()) ++i;
    word += rest[i];
  }
  return word;
}

// In a crontab '%' ends the command.
std::string CrontabQuoted(const std::string& word) {
  const bool plain = std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./=:,@+").find(c) != std::string_view::npos;
  });
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') quoted += "'\\'";
    if (c == '%') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string Variable(const std::string& name, const std::string& value) {
  return "Environment=" + Quoted(name + "=" + value, false) + "\n";
}

std::string Head(const Unit& unit) {
  const std::string command =
      std::string("systemctl ") + (unit.user ? "--user " : "") + "edit " + unit.name;
  return std::string(kMark) +
         " It is replaced when that is run again: put settings of your own\n"
         "# into a drop-in (" +
         command + "). `slc service uninstall` removes it.\n";
}

std::string UnitSection(const Unit& unit) {
  std::string text =
      "\n[Unit]\n"
      "Description=slc, process and cluster manager (" +
      unit.home + ")\n";
  if (!unit.user) {
    text +=
        "# What services may need when they start; on the way down the order is the reverse, so\n"
        "# that they drain while there still is a network.\n"
        "Wants=network-online.target\n"
        "After=network-online.target remote-fs.target nss-lookup.target nss-user-lookup.target\n";
  }
  return text +
         "# Tried again for ever: a machine whose slcd was given up needs a visit.\n"
         "StartLimitIntervalSec=0\n";
}

std::string Commands(const Unit& unit) {
  const std::string state =
      std::string("systemctl ") + (unit.user ? "--user " : "") + "is-system-running";
  return "\n[Service]\n"
         "# Started when it answers.\n"
         "Type=notify\n"
         "NotifyAccess=main\n"
         "ExecStart=" +
         Quoted(unit.slcd, true) +
         "\n"
         "# A stop or restart of this unit ends slcd alone: masters and workers go on, and the\n"
         "# next slcd adopts them. Only when " +
         (unit.user ? std::string("this user's systemd") : std::string("the machine")) +
         " goes down are all services drained and\n"
         "# stopped; they are started again at the next boot.\n"
         "ExecStop=/bin/sh -c 'test \"$$(" +
         state + ")\" != stopping || exec \"$$0\" ctl shutdown' " + Quoted(unit.slc, true) +
         "\n"
         "KillMode=process\n"
         "# For that drain: as long as the longest --drain-timeout and --stop-timeout together,\n"
         "# 15 s unless a service has others.\n"
         "TimeoutStopSec=120\n";
}

std::string Restarts() {
  return "\nRestart=always\n"
         "RestartSec=100ms\n"
         "# 100: another unit's slcd serves this home. 101: `slc ctl shutdown`.\n"
         "RestartPreventExitStatus=100 101\n"
         "SuccessExitStatus=101\n"
         "# slcd's loop has to turn. Twenty seconds, because a sign of life each ten comes with\n"
         "# what wakes an idle slcd anyway, and services need it for nothing meanwhile.\n"
         "WatchdogSec=20\n"
         "# What hangs has nothing to say, and a core would show what is in the environments.\n"
         "WatchdogSignal=SIGKILL\n"
         "# Masters and workers live in our cgroup, and outlive us.\n"
         "Delegate=yes\n"
         "# Sockets, channels and state of all masters, kept over a death of slcd. They are open\n"
         "# when slcd starts, and have to be within its soft limit of open files (LimitNOFILE).\n"
         "FileDescriptorStoreMax=" +
         std::to_string(kMostKept) + "\n";
}

std::string Limits(const Unit& unit) {
  std::string text =
      "\n# slcd and masters raise the soft limit for themselves and give it back to workers. It\n"
      "# is twice what systemd keeps: a program that starts with more open than its soft limit\n"
      "# cannot even load its libraries.\n"
      "LimitNOFILE=" +
      std::to_string(2 * kMostKept) + ":524288\nTasksMax=infinity\n";
  if (unit.user) return text;
  return text +
         "# slcd is among the last to be killed when memory is short; masters and workers are not\n"
         "# protected by it (slc-master takes that back).\n"
         "OOMScoreAdjust=-500\n";
}

// Services inherit all of this, as root or not.
std::string Hardening(const Unit& unit) {
  if (unit.user) return {};
  return "\n# Services inherit what is set here, so it is only what no service needs: loading\n"
         "# modules, rebooting, raw access to hardware, the kernel's log, rules of mandatory\n"
         "# access control and of the audit, process accounting, waking the machine up,\n"
         "# hanging up terminals. Left out on purpose: NoNewPrivileges (sudo and sendmail within\n"
         "# services; --run-as sets it for those that use that), system call filters (each call\n"
         "# of a worker costs more, and kernels before 5.16 turn on mitigations that slow Node\n"
         "# down), and all that makes a mount namespace (ProtectSystem, PrivateTmp, ...): what\n"
         "# runs would stay in that of the slcd before, and see other files than new workers.\n"
         "CapabilityBoundingSet=~CAP_SYS_MODULE CAP_SYS_BOOT CAP_SYS_RAWIO CAP_SYSLOG\n"
         "CapabilityBoundingSet=~CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_AUDIT_CONTROL CAP_AUDIT_READ\n"
         "CapabilityBoundingSet=~CAP_SYS_PACCT CAP_WAKE_ALARM CAP_BLOCK_SUSPEND\n"
         "CapabilityBoundingSet=~CAP_SYS_TTY_CONFIG\n";
}

Words Systemctl(const Unit& unit, const Words& more) {
  Words words{"systemctl"};
  if (unit.user) words.emplace_back("--user");
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

std::string UnitText(const Unit& unit) {
  return Head(unit) + UnitSection(unit) + Commands(unit) + Restarts() +
         "\n# The home, and where node was found when this was written: services have the PATH of\n"
         "# their `slc start`.\n" +
         Variable("SLC_HOME", unit.home) + Variable("PATH", unit.path) + Limits(unit) +
         Hardening(unit) +
         "\n[Install]\n"
         "WantedBy=" +
         (unit.user ? "default.target" : "multi-user.target") + "\n";
}

bool IsOurUnit(const std::string& text) { return StartsWith(text, kMark); }

std::string UnitVariable(const std::string& text, const std::string& variable) {
  const std::string begin = "Environment=\"" + variable + "=";
  for (const std::string& line : Split(text, '\n')) {
    if (StartsWith(line, begin)) return Unquoted(line.substr(begin.size()));
  }
  return {};
}

std::string UnitFile(const Unit& unit, const std::string& user_config) {
  return (unit.user ? user_config + "/systemd/user/" : "/etc/systemd/system/") + unit.name +
         ".service";
}

// Enabled and restarted instead of `enable --now`, which leaves alone what runs already: a unit
// that has changed would count from the next boot on.
std::vector<Words> InstallCommands(const Unit& unit) {
  const std::string service = unit.name + ".service";
  std::vector<Words> commands{Systemctl(unit, {"daemon-reload"}),
                              Systemctl(unit, {"enable", service}),
                              Systemctl(unit, {"restart", service})};
  // Else this user's systemd, and all it has started, would end at logout.
  if (unit.user) commands.insert(commands.begin(), {"loginctl", "enable-linger"});
  return commands;
}

std::vector<Words> CommandsBeforeRemoval(const Unit& unit) {
  const std::string service = unit.name + ".service";
  return {Systemctl(unit, {"disable", service}), Systemctl(unit, {"stop", service})};
}

std::vector<Words> CommandsAfterRemoval(const Unit& unit) {
  return {Systemctl(unit, {"daemon-reload"})};
}

Words StartCommand(const Unit& unit) { return Systemctl(unit, {"start", unit.name + ".service"}); }

std::string CrontabLine(const Unit& unit) {
  return "@reboot SLC_HOME=" + CrontabQuoted(unit.home) + " " + CrontabQuoted(unit.slc) +
         " ctl ls >/dev/null";
}

bool IsUnitName(const std::string& name) {
  constexpr std::size_t kMost = 100;
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kMost && name[0] != '.' && name[0] != '-' &&
         std::all_of(name.begin(), name.end(), good);
}

}  // namespace slc::ctl
