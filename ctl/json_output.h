// JSON output: what `--json` prints. Each command prints exactly one value and a newline. The forms
// are part of the interface: fields are added, never renamed or taken away.
//
//   status, ls          [SERVICE, ...]              see ToJson(ServiceView) in common/model/json.h
//   info                {"ok":true, "running":true, "info":{version, pid, protocol, epoch, home,
//   socket,
//                       started, started_ms, uptime_ms, cpus, services}}; without a daemon
//                       {"ok":true, "running":false, "home":"..."}
//   env-get             {"ok":true, "service":{"id":1,"name":"my-app"}, "environment":{"K":"V"}}
//   npmls               {"ok":true, "service":{...}, "packages":PACKAGE} with PACKAGE =
//                       {"name", "version", "dependencies":[PACKAGE, ...]}, and "missing":true for
//                       what is declared but not installed, "deduped":true for what was shown with
//                       all it needs before
//   start, create and   {"ok":true, "notes":["..."], "took_ms":N, "service":SERVICE}; the service
//   is the all other verbs     state after it has happened, absent when there is none (remove,
//   shutdown) any that fails      {"ok":false, "error":{"code":"not_found", "message":"..."},
//   "log_tail":["..."],
//                       "notes":["..."]}; the exit code is not 0. Codes: see ErrorCodeName in
//                       common/base/result.h
//   logs, log-dump      see logs/show.h and logs/dump.h
#pragma once

#include <string>
#include <vector>

#include "common/base/environment.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/model/view.h"
#include "common/wire/messages.h"
#include "ctl/package_tree.h"

namespace slc::ctl {

std::string ServicesJson(const std::vector<ServiceView>& services);
std::string InfoJson(const DaemonInfo& info);
std::string NotRunningJson(const std::string& home);
std::string EnvironmentJson(const ServiceView& service, const Environment& environment);
std::string PackagesJson(const ServiceView& service, const PackageTree& tree);
// For a reply without error.
std::string DoneJson(const Reply& reply, Millis took);
std::string ErrorJson(const Error& error, const std::vector<std::string>& log_tail,
                      const std::vector<std::string>& notes);

}  // namespace slc::ctl
