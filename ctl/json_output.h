// JSON output: what `--json` prints. Each command prints exactly one value and a newline, whatever
// happens. The forms are part of the interface, see the man page: fields are added, never renamed
// or taken away.
//
// status: [SERVICE, ...], see ToJson(ServiceView) in common/model/json.h; its processes have
// besides "cpu_percent" (of one CPU, over 100 ms) and "memory_bytes" (resident), null of a process
// that has ended meanwhile
//
// ls: the same without these two
//
// info: {"ok":true, "running":true, "info":{...}}, see ToJson(DaemonInfo); without a daemon
// {"ok":true, "running":false, "home":"..."}
//
// env-get: {"ok":true, "service":{"id":1, "name":"my-app"}, "environment":{"K":"V"}}
//
// npmls: {"ok":true, "service":{...}, "packages":PACKAGE} with PACKAGE = {"name", "version",
// "dependencies":[PACKAGE, ...]}, and "missing":true for what is declared but not installed,
// "invalid":true for what is installed but cannot be read, "deduped":true for what was shown with
// all it needs before
//
// cpu-start ... dbg-stop: {"ok":true, "service":{...}, "worker":5, "pid":57693, "took_ms":N}, and
// "file" and "bytes" of what has a file; "port" of dbg-start; "objects", "paused_ms" (the event
// loop stood still for the count) of objects-start and objects-stop; "span_ms" and
// "classes":[{"name", "count", "size", "total", "total_size"}, ...] of objects-stop, "count" and
// "size" (bytes, estimated) being the growth
//
// log-dump: {"ok":true, "logs":[{"service", "log"}, ...]} with the services that have something
// new. With --follow one such value whenever something came.
//
// service: {"ok":true, "done":bool, "file":"...", "unit":"...", "commands":[["systemctl", ...],
// ...], "notes":["..."]}; "done":false: only shown
//
// doctor: {"ok":bool, "findings":[{"level":"ok|warn|wrong", "check", "text", "advice"}, ...]};
// "ok": nothing is wrong
//
// logs: a value per line of the log, {"service", "time", "pid", "worker", "stream", "text"}; null
// for what the line does not say
//
// events: a value per record of the journal, see common/model/journal.h
//
// why: {"ok":true, "service":"web", "up":false, "state":"...", "last_end":EVENT,
// "last_reason":"...", "master_end":EVENT, "outgrown":EVENT, "stopped_by":EVENT,
// "changes":["..."], "good_generation":"3", "on_disk":["..."], "port":"...", "now":["..."],
// "log_tail":["..."]}; null for an event that is not on record
//
// upgrade: {"ok":true, "processes":[{"program", "service", "pid", "from", "to", "took_ms",
// "reason"}, ...], "took_ms":N}; with something that stayed as it was "ok":false and "error" as
// below. "to" is empty of what stayed
//
// build: {"ok":true, "name", "version", "archive":"../my-app-1.0.0.tgz", "files":N, "bytes":N,
// "branch", "commit", "unchanged":bool, "notes":["..."], "took_ms":N}; null for what was not made
//
// deploy: {"ok":true, "service":{"id", "name"}, "url", "deployed":"../my-app-1.0.0.tgz",
// "release":"9f2c...", "unchanged":bool, "notes":["..."], "took_ms":N}; "release" is null if the
// server did not say; the url is without user and password
//
// releases: {"ok":true, "releases":[{"number", "name", "hash", "sha256", "origin":"tarball|git|
// folder", "branch", "folder", "by", "when", "bytes", "entries", "npm", "npm_reason", "state",
// "in_service":bool}, ...]}, newest first; see common/model/release.h
//
// rollback: {"ok":true, "release":"9f2c...", "text":"...", "took_ms":N}
//
// all other verbs and start: {"ok":true, "notes":["..."], "took_ms":N, "service":SERVICE}; the
// service is its state after it has happened, absent when there is none (remove, shutdown)
//
// any that fails: {"ok":false, "error":{"code":"not_found", "message":"..."}, "log_tail":["..."],
// "notes":["..."]}, and the exit code is not 0. Codes: see ErrorCodeName in common/base/result.h
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/environment.h"
#include "common/base/log_names.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/model/journal.h"
#include "common/model/view.h"
#include "common/wire/messages.h"
#include "ctl/doctor/finding.h"
#include "ctl/inspect/growth.h"
#include "ctl/inspect/worker_name.h"
#include "ctl/logs/line.h"
#include "ctl/package_tree.h"
#include "ctl/status_tables.h"
#include "ctl/why/diagnosis.h"

namespace slc::ctl {

// `usage`: nothing if it was not asked for.
std::string ServicesJson(const std::vector<ServiceView>& services,
                         const std::optional<UsageByPid>& usage);
std::string InfoJson(const DaemonInfo& info);
std::string NotRunningJson(const std::string& home);
std::string EnvironmentJson(const ServiceView& service, const Environment& environment);
std::string PackagesJson(const ServiceView& service, const PackageTree& tree);
std::string LogLineJson(const std::string& service, LogStream stream, const LogFields& fields);
std::string EventJson(const JournalRecord& record);
std::string WhyJson(const std::string& service, const Diagnosis& diagnosis,
                    const std::vector<std::string>& log_tail);
struct Inspected {
  NamedWorker worker;
  std::string file;  // empty: there is none
  std::uint64_t bytes = 0;
  int port = 0;      // of its debugger; 0: it is not about that
  std::string host;  // the same
  std::optional<Growth> objects;
  bool ended = false;  // `objects` are those of objects-stop
  Millis took = 0;
};
std::string InspectedJson(const Inspected& inspected);
struct DumpedLog {
  std::string service;
  std::string log;
};
std::string LogDumpJson(const std::vector<DumpedLog>& logs);
struct BootDeed {  // see ctl/commands/boot.cpp
  bool done = false;
  std::string file;
  std::string unit;
  std::vector<std::vector<std::string>> before;
  std::vector<std::vector<std::string>> after;
  std::vector<std::string> notes;
};
std::string BootJson(const BootDeed& deed);
std::string FindingsJson(const Findings& findings);
std::string UpgradeJson(const Reply& reply, const UpgradeReport& report, Millis took);
// gateway, token ls and rm: {"ok":true, "gateway":{...}}, see ToJson(GatewayView) in
// common/model/json.h
std::string GatewayJson(const Reply& reply, const GatewayView& view);
// token add: {"ok":true, "name":"...", "token":"..."}
std::string TokenJson(const std::string& name, const std::string& token);
struct BuildReport {
  std::string name;
  std::string version;
  std::string archive;  // empty: none was made
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::string branch;  // empty: none was made
  std::string commit;
  bool unchanged = false;
  std::vector<std::string> notes;
  Millis took = 0;
};
std::string BuildJson(const BuildReport& report);
struct DeployReport {
  std::uint64_t service_id = 0;
  std::string service;
  std::string url;
  std::string deployed;
  std::string release;  // empty: not known
  bool unchanged = false;
  std::vector<std::string> notes;
  Millis took = 0;
};
std::string DeployJson(const DeployReport& report);
std::string ReleasesJson(const ReleaseList& releases);
std::string ProfilesJson(const ProfileList& profiles);
// profile-get.
std::string ProfileWrittenJson(const Profile& profile, const std::string& file);
std::string RollbackJson(const DeployReply& done, Millis took);
// For a reply without error.
std::string DoneJson(const Reply& reply, Millis took);
std::string ErrorJson(const Error& error, const std::vector<std::string>& log_tail,
                      const std::vector<std::string>& notes);

}  // namespace slc::ctl
