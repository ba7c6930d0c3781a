// What was asked on the command line, as plain values: one struct per command. The file of the
// command, in commands/, fills it and carries it out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/environment.h"
#include "common/base/time.h"
#include "common/model/gateway.h"
#include "common/model/inspection.h"
#include "common/model/profile.h"
#include "common/model/service.h"

namespace slc::ctl {

// Of every verb of `slc ctl`.
struct Control {
  std::string at;  // -C: a URL or a control socket; empty: the one of our home
  // Files (PEM) that https goes by; empty: none.
  std::string ca;
  std::string certificate;
  std::string key;
  bool json = false;

  bool ours() const { return at.empty(); }
};

// `slc start` and `slc run`.
struct StartOptions {
  std::string target;              // folder or file as typed; empty: the current folder
  ServiceSpec spec;                // only what is listed in `given` has been set
  std::vector<std::string> given;  // names of the options, without dashes: "size", "port", ...
  std::optional<std::uint32_t> size;
  bool replace = false;
  bool wait = true;
  bool json = false;
};
struct RunOptions {
  StartOptions start;
};

struct LogsQuery {  // `slc logs`
  Control control;
  std::string service;               // empty: all
  std::optional<std::size_t> lines;  // -n
  Millis since = 0;                  // wall time; 0: no limit
  std::string since_text;            // as typed
  std::string grep;
  bool errors_only = false;
  bool follow = false;
};

struct EventsQuery {  // `slc events`
  Control control;
  std::string service;               // empty: all
  std::optional<std::size_t> lines;  // -n
  bool follow = false;
};

struct WhyOptions {  // `slc why`
  Control control;
  std::string service;
};

struct StatusOptions {
  Control control;
  std::string service;  // empty: all
  bool wide = false;
};
struct ListOptions {
  Control control;
  bool wide = false;
};
struct InfoOptions {
  Control control;
};
struct CreateOptions {
  Control control;
  std::string name;
  std::uint32_t size = kSizeCpu;
};
struct StartServiceOptions {
  Control control;
  std::string service;
  bool wait = true;
};
struct StopOptions {
  Control control;
  std::string service;
  bool soft = false;
  bool wait = true;
};
struct RestartOptions {
  Control control;
  std::string service;
  bool rolling = false;
  std::uint32_t parallel = 1;
  bool wait = true;
};
struct SetSizeOptions {
  Control control;
  std::string service;
  std::uint32_t size = 0;
  bool wait = true;
};
struct EnvironmentGetOptions {
  Control control;
  std::string service;
  std::vector<std::string> keys;  // none: all
};
struct EnvironmentChangeOptions {  // env-set and env-unset
  Control control;
  std::string service;
  Environment set;
  std::vector<std::string> unset;
  bool restart = true;
  bool wait = true;
};
struct PackagesOptions {  // npmls
  Control control;
  std::string service;
  std::optional<std::uint32_t> depth;  // 0: direct dependencies only; absent: all
};
struct ReleasesOptions {
  Control control;
  std::string service;
};
struct RollbackOptions {
  Control control;
  std::string service;
  std::string release;  // as typed; empty: the one before
};
struct ProfilesOptions {
  Control control;
  std::string service;
};
struct ProfileOptions {  // profile-get, profile-rm
  Control control;
  bool remove = false;
  std::string service;
  ProfileId profile = 0;
  std::string file;  // as typed; empty: profile.ID.TYPE
};
struct InspectOptions {  // cpu-start ... dbg-stop
  Control control;
  Inspection what = Inspection::kCpuStart;
  std::string worker;  // as typed: P, S.P or S.E.P
  std::string name;    // of the file, without its ending; empty: node.WRK
  std::uint32_t interval = kSamplingInterval;
  Millis patience = 120'000;  // for a result, without a byte of it
};
struct UnsupportedOptions {  // patch, tracing-start, tracing-stop
  Control control;
  std::string why;
};
struct LogDumpQuery {  // log-dump
  Control control;
  std::string service;  // empty: all
  bool follow = false;
};
struct RemoveOptions {
  Control control;
  std::string service;
};
struct ShutdownOptions {
  Control control;
};
struct UpgradeOptions {  // `slc upgrade`
  Control control;
};
struct BootOptions {  // `slc service install` and `uninstall`
  bool install = true;
  bool user = false;
  bool yes = false;
  bool force = false;
  bool json = false;
  std::string name = "slc";  // of the unit
};
struct GatewayOptions {  // `slc gateway`
  Control control;
  std::string verb;  // start, stop, status
  GatewayWish wish;  // only what was given
  std::string user;  // USER:PASS; "-": from standard input
};
struct TokenOptions {  // `slc token`
  Control control;
  std::string verb;  // add, ls, rm
  std::string name;
  std::vector<Scope> scopes;
};
struct DoctorOptions {
  bool json = false;
};
struct BuildOptions {  // `slc build`
  enum class Mode {
    kDefault,  // git in a repository, else npm
    kNpm,      // install and pack, in a copy
    kGit,      // install and commit, in a checkout
    kSteps,    // those below, in the folder itself
  };
  Mode mode = Mode::kDefault;
  bool install = false;
  bool pack = false;
  bool commit = false;
  bool scripts = false;
  std::string onto;  // the branch
  bool onto_given = false;
  std::string output;  // of the archive, as typed; empty: beside the folder
  bool json = false;
};
struct DeployOptions {  // `slc deploy`
  std::string url;      // as typed; empty: the usual one
  std::string what;     // archive or branch as typed; empty: what `slc build` has made
  std::string service;  // empty: as the package is called
  std::string size;     // "3" or "cpu"; empty: as it is
  std::string query;    // what is said of the service with it: "keep=3&npm=off"
  std::string ca;       // PEM files
  std::string certificate;
  std::string key;
  bool json = false;
};

using Command =
    std::variant<StartOptions, RunOptions, LogsQuery, EventsQuery, WhyOptions, StatusOptions,
                 ListOptions, InfoOptions, CreateOptions, StartServiceOptions, StopOptions,
                 RestartOptions, SetSizeOptions, EnvironmentGetOptions, EnvironmentChangeOptions,
                 LogDumpQuery, PackagesOptions, InspectOptions, UnsupportedOptions, RemoveOptions,
                 ShutdownOptions, BootOptions, DoctorOptions, UpgradeOptions, GatewayOptions,
                 TokenOptions, BuildOptions, DeployOptions, ReleasesOptions, RollbackOptions,
                 ProfilesOptions, ProfileOptions>;

}  // namespace slc::ctl
