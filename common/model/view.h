// What clients are shown: answers of slcd. Their JSON form is what `slc ... --json` prints and is
// part of the interface: fields are added, never renamed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/environment.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/model/inspection.h"

namespace slc {

struct ProcessView {
  int pid = 0;
  WorkerId worker = 0;  // 0: the master
  SlotNumber slot = 0;
  Generation generation = 0;
  // starting, ready, draining, stopping, killing; of a spare that has booted and waits: spare; the
  // master: ready, adopting
  std::string state;
  bool spare = false;                  // beyond the size: boots, or waits for the slot of another
  std::vector<std::string> listening;  // "0.0.0.0:3001"; only of workers that serve
  Millis started_wall = 0;
  Millis uptime = 0;
  std::uint32_t restarts = 0;
  // For how long a worker that is ready has not taken a connection it was given, or not answered
  // when it was asked because connections wait for it; 0: it answers, or nothing is due. Noticed
  // 1 s after at the earliest, 11 s at the latest; over at once.
  Millis stuck = 0;
  // What it shows of itself, and therefore stands still: "heap-snapshot"; empty: nothing. It is
  // given no connections meanwhile, and is not taken for hung.
  std::string shows;
  bool replaced = false;    // its successor is to take its place, see --hang-timeout
  bool reloading = false;   // a program that is not Node has said so by sd_notify
  std::string status_text;  // and this of itself; seen 10 s late at most
  InspectionState inspection;
  bool snapshotting = false;  // a heap snapshot of it is being kept
  // The last unexpected end in its slot, as long as that explains what is seen: while the successor
  // is starting, and for 10 minutes behind a worker that serves: "last end: exit code 1, 3m2s ago".
  // Of a worker that is to be replaced, why.
  std::string reason;
};

// A slot without a process.
struct SlotView {
  SlotNumber slot = 0;
  std::string state;  // backoff, finished, given-up, waiting
  Millis retry_in = 0;
  std::uint32_t restarts = 0;
  std::string reason;
};

struct ServiceView {
  ServiceId id = 0;
  std::string name;
  std::string state;   // running, starting, rolling, stopping, stopped, backoff, failed, adopting,
                       // finished, new, quarantined
  std::string reason;  // why it is not simply running; empty otherwise
  std::string damage;  // its file was damaged, the version before is used; for people, or empty
  std::string directory;
  std::string script;
  bool wanted = false;             // the operator wants it to run
  std::string size;                // as wished: "cpu" or a number
  std::uint32_t cluster_size = 0;  // workers wanted right now; 0 when stopped
  Generation generation = 0;
  std::optional<int> port;           // PORT of its workers
  Environment environment;           // what --env and env-set recorded
  std::vector<std::string> options;  // not as by default, for people: "balance slots"
  std::string agent_version;
  std::string log_directory;
  std::string run_as;
  std::uint64_t log_lines_dropped = 0;  // since the instance was started
  Millis log_dropped_ago = 0;           // since the last of these, to 10 s
  std::string spare_trouble;            // why there is none, though one is wanted; empty: there is
  std::string log_trouble;              // why the log cannot be written now; empty: it can
  std::string restart_at;               // the expression of --restart-at
  Millis next_restart = 0;              // by that, wall; 0: none, or it is not known
  std::string next_restart_text;        // the same in its time zone: "2026-11-27T04:00:00+01:00"
  std::string schedule_trouble;         // why it cannot be told; empty: it can
  std::string watch;                    // by --watch: "12 folders of /srv/app"; empty: nothing
  std::string watch_trouble;            // why a change may not restart it; empty: it will
  Millis facts_age = 0;                 // how old the facts are; > 0 only when the master is silent
  std::vector<ProcessView> processes;   // the master first, then workers by id
  std::vector<SlotView> idle_slots;
};

// What came of one process in an upgrade.
struct ProcessUpgrade {
  std::string program;  // slcd, slc-master
  std::string service;  // of a master
  int pid = 0;
  std::string from;      // version; empty: it has not told
  std::string to;        // empty: it stayed as it was
  bool already = false;  // it was the installed version, and was left alone
  Millis took = 0;       // for which nobody was served by it
  std::string reason;    // why it stayed
};
using UpgradeReport = std::vector<ProcessUpgrade>;

// The master of a service, as slcd knows it.
struct MasterInfo {
  std::string service;
  int pid = 0;
  std::string version;         // empty: it has not told
  std::uint32_t protocol = 0;  // the newest of the link that it speaks
};

struct DaemonInfo {
  std::string version;
  int pid = 0;
  std::uint32_t protocol = 0;
  Epoch epoch = 0;
  std::string home;
  std::string socket;
  Millis started_wall = 0;
  Millis uptime = 0;
  unsigned cpus = 0;
  std::uint32_t services = 0;
  std::vector<MasterInfo> masters;  // those that live
  std::string storage;              // why changes cannot be recorded now; empty: they can
  std::string trouble;              // of slcd itself, for people; empty if all is well
};

}  // namespace slc
