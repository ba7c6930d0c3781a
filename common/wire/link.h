// The link between slcd and a master: JSON packets, some with descriptors, over a SOCK_SEQPACKET
// unix socket. A packet arrives whole or not at all, so a sender that dies never leaves half a
// message, and what it sent before is still read.
//
// Order of things (design, "Store, adopt, take over"):
//   slcd -> master  Hello          first packet on every link; the newest link with the highest
//   epoch rules master -> slcd  MasterHello    then every descriptor as Store packets, then
//   StoredAll slcd -> master  Adopt, AdoptFds ..., AdoptEnd     only to a master that takes over,
//   after Hello slcd -> master  Order          the wanted state; idempotent. A new generation's
//   config comes as a memfd master -> slcd  Facts          whenever the summary changed; Notice for
//   single happenings
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/process.h"
#include "common/base/result.h"
#include "common/base/version.h"
#include "common/model/instance.h"
#include "common/wire/messages.h"

namespace slc::link {

// Longest packet; descriptors' names fit by kMaxFdsPerMessage.
inline constexpr std::size_t kMostPacketBytes = 128U << 10;

struct Hello {
  ProtocolRange protocol = OwnVersion().link;
  Epoch epoch = 0;  // of the daemon; a master that has seen a higher one hangs up
  ProcessIdentity daemon;
  bool revive = true;  // a master that loses this daemon without Leaving may start a new one
};
struct MasterHello {
  ProtocolRange protocol = OwnVersion().link;
  std::string version = OwnVersion().text;
  Epoch epoch = 0;  // of the master
  ProcessIdentity master;
  std::string boot_id;
  bool in_charge = false;  // false: freshly started, waits for Adopt or Order
  // Of what came into the protocol without a number of its own: it knows FleetWish::trial. One that
  // does not would take the order for that of an ordinary roll.
  bool trials = true;
  bool looks = true;  // it understands Inspect
};
// What a master needs that is not in a generation's config.
struct Setup {
  ServiceId service = 0;
  std::string name;
  Epoch epoch = 0;
  std::string cookie;  // workers get SLC_COOKIE=<cookie>.<worker id>
  std::string log_directory;
  std::string daemon_program;  // to revive slcd
  std::string home;            // SLC_HOME of the daemon
};
struct Order {
  FleetWish wish;
  std::vector<Generation> configs;  // of the memfds that come with this packet, in order
};
// The wish with which a successor takes over comes as an ordinary Order after AdoptEnd.
struct AdoptFds {
  std::vector<std::string> names;  // one per descriptor of this packet
};
struct AdoptEnd {};
struct ExitStatus {  // an adopted worker that slcd has reaped
  ProcessIdentity process;
  int status = 0;
};
// Descriptors for which slcd had no room when they came; each by its name.
struct StoreAgain {
  std::vector<std::string> names;
};
struct Ping {
  std::uint64_t number = 0;
};
struct Leaving {
  bool revive = false;
};
// The master goes on as `program`, in place: as that it says MasterHello and all the rest anew on
// this link. UpgradeRefused: it goes on as it was.
struct Upgrade {
  std::string program;
};
struct UpgradeRefused {
  std::string reason;
};
// A look into a worker, see InspectWorker; answered by Inspected, if that worker or time allows.
struct Inspect {
  std::uint64_t number = 0;  // of the question
  WorkerId worker = 0;
  Inspection what = Inspection::kCpuStart;
  std::uint32_t interval = kSamplingInterval;
  std::string by;       // who asks, for people
  std::string request;  // the same one may come twice: the first may have been answered in vain
};

// Descriptors the daemon keeps for the master, by name; a name is stored once.
struct Store {
  Epoch epoch = 0;
  std::vector<std::string> names;
};
struct Drop {
  std::vector<std::string> names;
};
// Of what is not named between Hello and this the master has nothing any more.
struct StoredAll {
  // It has these, and had no descriptor left to send them: they come later.
  std::vector<std::string> unsent;
};
struct Facts {
  std::uint64_t order = 0;    // newest order obeyed
  std::string phase;          // see InstancePhase
  std::uint32_t ready = 0;    // workers that serve
  std::uint32_t workers = 0;  // workers alive
  std::optional<FleetFailure> failure;
  std::vector<std::string> log_tail;  // of the failed worker
  std::optional<int> exit_code;       // see FinalExitCode
  WorkerId trial = 0;                 // see TrialWorker
};
struct Notice {
  Progress progress;
  Millis at = 0;              // wall time
  bool late = false;          // it happened while no daemon was there to be told
  bool unasked = false;       // worker_exited: nobody of us had asked it to end
  std::optional<int> status;  // its wait status, if known
  std::uint64_t missed = 0;   // kind "missed": so many happened while no daemon was there, unkept
};
struct InCharge {
  Epoch epoch = 0;
  std::uint32_t kept = 0;      // workers carried over
  std::uint32_t replaced = 0;  // workers that could not be and are started anew
};
struct Pong {
  std::uint64_t number = 0;
};
// Without an error and of what HasResult(): with the end at which the result is to be read.
struct Inspected {
  std::uint64_t number = 0;
  std::optional<Error> error;
  int debugger_port = 0;
  std::string debugger_host;
};

using Packet = std::variant<Hello, MasterHello, Setup, Order, AdoptFds, AdoptEnd, ExitStatus, Ping,
                            Leaving, Store, Drop, StoredAll, Facts, Notice, InCharge, Pong,
                            StoreAgain, Upgrade, UpgradeRefused, Inspect, Inspected>;

std::string Encode(const Packet& packet);
Result<Packet> Decode(const std::string& text);

// Names under which descriptors are kept.
//   "state" the snapshot memfd        "config/GEN" a generation's config memfd
//   "listen/KEY" a listening socket   "worker/ID/channel|stdout|stderr"
//   "listen-too/N/KEY" the one beside it that joined N-th (from 1)
std::string ConfigName(Generation generation);
std::string ListenerName(const std::string& key, std::size_t place = 0);
std::string WorkerFdName(WorkerId worker, const char* part);
inline constexpr const char* kStateName = "state";

}  // namespace slc::link
