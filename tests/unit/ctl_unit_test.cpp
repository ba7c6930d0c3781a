#include <doctest/doctest.h>

#include "ctl/boot/unit.h"

namespace slc::ctl {
namespace {

Unit Example(bool user) {
  Unit unit;
  unit.user = user;
  unit.home = "/var/lib/slc";
  unit.slc = "/usr/local/bin/slc";
  unit.slcd = "/usr/local/bin/slcd";
  unit.path = "/opt/node/bin:/usr/bin:/bin";
  return unit;
}

bool Has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("A unit starts slcd again whenever it ends, and leaves services alone") {
  for (const bool user : {false, true}) {
    const std::string text = UnitText(Example(user));
    for (const char* line :
         {"\nType=notify\n", "\nNotifyAccess=main\n", "\nExecStart=\"/usr/local/bin/slcd\"\n",
          "\nKillMode=process\n", "\nRestart=always\n", "\nRestartSec=100ms\n",
          "\nStartLimitIntervalSec=0\n", "\nWatchdogSec=20\n", "\nDelegate=yes\n",
          "\nFileDescriptorStoreMax=4096\n", "\nLimitNOFILE=8192:524288\n", "\nTasksMax=infinity\n",
          "\nEnvironment=\"SLC_HOME=/var/lib/slc\"\n"}) {
      CHECK(Has(text, line));
    }
    CHECK(IsOurUnit(text));
  }
}

TEST_CASE("A user's unit asks the user's systemd and takes no rights it cannot have") {
  const std::string text = UnitText(Example(true));
  CHECK(Has(text, "systemctl --user is-system-running"));
  CHECK(Has(text, "\nWantedBy=default.target\n"));
  CHECK_FALSE(Has(text, "OOMScoreAdjust"));
  CHECK_FALSE(Has(text, "CapabilityBoundingSet"));
  CHECK_FALSE(Has(text, "network-online.target"));
  CHECK(UnitFile(Example(true), "/home/b/.config") == "/home/b/.config/systemd/user/slc.service");
  CHECK(UnitFile(Example(false), "/root/.config") == "/etc/systemd/system/slc.service");
}

TEST_CASE("Whatever a path holds, systemd reads it as it is") {
  Unit unit = Example(false);
  unit.home = "/srv/100% \"my\" $HOME\\x";
  unit.slcd = "/opt/a b/$slcd";
  const std::string text = UnitText(unit);
  CHECK(Has(text, "\nExecStart=\"/opt/a b/$$slcd\"\n"));
  CHECK(Has(text, "\nEnvironment=\"SLC_HOME=/srv/100%% \\\"my\\\" $HOME\\\\x\"\n"));
  CHECK(UnitVariable(text, "SLC_HOME") == unit.home);
  CHECK(UnitVariable(text, "PATH") == unit.path);
  CHECK(UnitVariable(text, "NODE") == "");
}

TEST_CASE("What slc has not written is not its unit") {
  CHECK_FALSE(IsOurUnit(""));
  CHECK_FALSE(IsOurUnit("[Service]\nExecStart=/bin/true\n"));
}

TEST_CASE("The commands for a unit name it, and for a user his systemd") {
  CHECK(InstallCommands(Example(false)) ==
        std::vector<Words>{{"systemctl", "daemon-reload"},
                           {"systemctl", "enable", "slc.service"},
                           {"systemctl", "restart", "slc.service"}});
  CHECK(InstallCommands(Example(true)).front() == Words{"loginctl", "enable-linger"});
  CHECK(CommandsBeforeRemoval(Example(true)).back() ==
        Words{"systemctl", "--user", "stop", "slc.service"});
}

TEST_CASE("A crontab's line quotes what cron and the shell would change") {
  Unit unit = Example(false);
  CHECK(CrontabLine(unit) == "@reboot SLC_HOME=/var/lib/slc /usr/local/bin/slc ctl ls >/dev/null");
  unit.home = "/srv/it's 100%";
  CHECK(CrontabLine(unit) ==
        "@reboot SLC_HOME='/srv/it'\\''s 100\\%' /usr/local/bin/slc ctl ls >/dev/null");
}

TEST_CASE("A unit's name is plain") {
  for (const char* good : {"slc", "slc-2", "a.b_c"}) CHECK(IsUnitName(good));
  for (const char* bad : {"", "-x", ".x", "a/b", "a b", "a@b"}) CHECK_FALSE(IsUnitName(bad));
}
}  // namespace slc::ctl
