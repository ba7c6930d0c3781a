// Facts about one instance: what its master knows and would have to be told to a successor. The
// master writes them into its snapshot (a memfd that slcd holds too), so that slcd can show them at
// any time without asking and a new master can take over from them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/process.h"
#include "common/base/time.h"
#include "common/model/inspection.h"
#include "common/model/service.h"

namespace slc {

enum class WorkerState {
  kStarting,  // spawned, not yet ready
  kReady,     // serves
  kDraining,  // gets no new connections, finishes what it has
  kStopping,  // was sent its stop signal
  kKilling,   // was sent SIGKILL
};
const char* Name(WorkerState state);
std::optional<WorkerState> WorkerStateFromName(const std::string& name);

// What the master was last told to make true.
struct FleetWish {
  bool run = false;
  bool soft_stop = false;
  std::uint32_t size = 0;
  Generation generation = 0;
  RollMode mode = RollMode::kRestart;
  std::uint32_t parallel = 1;
  std::uint64_t order = 0;
  // The roll to this generation is to go no further than to one worker of it, which serves beside
  // all the old ones. It goes on when this is taken back with the generation left as it is. See
  // IsOnTrial.
  bool trial = false;
  // An older generation whose config is the same but for the number, as in a rollback: its workers
  // count as of this one, and are not replaced. 0: there is none.
  Generation same_as = 0;

  bool operator==(const FleetWish&) const = default;
};

struct FleetWorker {
  WorkerId id = 0;
  SlotNumber slot = 0;  // 0: it is a spare, see FleetSpare
  Generation generation = 0;
  WorkerState state = WorkerState::kStarting;
  Millis spawned_at = 0;      // or, of what was a spare, when it took its slot
  Millis ready_at = 0;        // 0: never was
  Millis deadline = 0;        // when the state is escalated; 0: none
  bool disconnected = false;  // its channel has ended
  bool hung_up = false;       // it drained in vain, and was told to end its connections
  bool unfit = false;         // it is to be replaced: it leaves when its successor serves
  bool hung = false;          // its event loop stands still: it serves nobody, and hears nothing
  bool leaving = false;       // it has said that it ends by itself
  bool listens = false;       // it has come to its listen(); a spare is held back there
  std::string trouble;        // what may keep it from getting ready, e.g. "port 80 is in use"
  // Why a successor is to take its place though it serves, for people: "uses 412 MiB, ..."; empty:
  // none is.
  std::string outgrown;

  bool operator==(const FleetWorker&) const = default;
};

// Meant to serve: starting or ready, not on its way out, not to be replaced.
bool IsStaying(const FleetWorker& worker);
bool Serves(const FleetWorker& worker);

struct FleetSlot {
  Generation generation = 0;       // of the config its next worker is spawned with
  std::uint32_t failures = 0;      // in a row, see RestartDelay
  Millis retry_at = 0;             // no spawn before; 0: at once
  bool finished = false;           // ended and, by --restart, is not to be started again
  std::uint32_t short_lives = 0;   // its own failures in a row, which --max-restarts counts
  bool given_up = false;           // it had more of them than that allows; `finished`, too
  std::uint32_t in_vain = 0;       // replacements in a row that helped nothing, see ReplaceDelay
  Millis replace_at = 0;           // none of a worker that serves before; 0: at once
  std::uint32_t restarts = 0;      // unasked ends so far
  std::string last_exit;           // of the last of these, for people: "exit code 1"
  Millis last_exit_at = 0;         // 0: never, or not known
  std::optional<int> last_status;  // its wait status; nothing: not known

  bool operator==(const FleetSlot&) const = default;
};

// The spare of an instance (--spare) is a worker beyond the size, without a slot, that has booted
// and waits in its listen() for a slot to become empty. It stays kStarting until it has taken one.
inline bool IsSpare(const FleetWorker& worker) { return worker.slot == 0; }

// How the making of spares fares.
struct FleetSpare {
  std::uint32_t failures = 0;  // in a row
  Millis retry_at = 0;         // none is spawned before
  Generation given_up = 0;     // none is tried of this one: the last did not come to its listen()
  std::string trouble;         // what the last failed with, for people; empty: it did not

  bool operator==(const FleetSpare&) const = default;
};

// Why an order could not be carried out.
struct FleetFailure {
  std::uint64_t order = 0;
  Generation generation = 0;
  WorkerId worker = 0;
  SlotNumber slot = 0;
  std::string reason;
  std::optional<int> status;  // wait status, if the worker's end was the failure

  bool operator==(const FleetFailure&) const = default;
};

struct FleetState {
  FleetWish wish;
  std::map<SlotNumber, FleetSlot> slots;
  std::map<WorkerId, FleetWorker> workers;
  WorkerId last_worker = 0;
  Generation good =
      0;  // the newest generation that came up; new slots start with it after a failed roll
  Generation failed = 0;  // a rolling generation that did not come up and is not pursued further
  std::uint64_t reached =
      0;  // newest order that was carried out in full; later failures are not its own
  std::optional<FleetFailure>
      failure;  // of the newest generation asked for, until it is everywhere
  FleetSpare spare;

  bool operator==(const FleetState&) const = default;
};

// What the master knows of a worker's process beyond the fleet's view.
struct WorkerFacts {
  ProcessIdentity process;
  Millis started_wall = 0;
  std::vector<std::string> keys;           // listeners it holds open through us
  std::vector<std::string> own_listeners;  // "address:port" it bound itself (reported by the agent)
  std::string agent_version;               // empty: no agent has spoken
  bool drain_sent = false;  // it was told to drain; a second time would cut connections
  // When (BOOTTIME) it was given the connection, or asked, that it has not answered, if that was
  // seen to be too long; 0: it answers. Seen up to 10 s late; over at once.
  Millis stuck_since = 0;
  // It stands still for that by our order, until it answers: the name of an Inspection, or empty.
  // Until then (BOOTTIME) at most that is no hang.
  std::string shows;
  Millis excused_until = 0;
  bool reloading = false;  // so it has said, and not yet that it is done
  std::string status;      // what it last said of itself, for people
  InspectionState inspection;

  bool operator==(const WorkerFacts&) const = default;
};

enum class ListenerKind { kTcp, kUnix, kUdp, kInherited };

struct ListenerFacts {
  std::string key;  // opaque to Node, unique per instance
  ListenerKind kind = ListenerKind::kTcp;
  std::string address;  // numeric, or a path; empty: any
  int port = 0;         // as asked for (0: any)
  int bound_port = 0;   // as bound
  int family = 4;       // 4 or 6, as bound
  int flags = 0;        // UV_TCP_IPV6ONLY, UV_UDP_* as the worker asked
  int backlog = 511;
  // Of a port with a socket per slot: whose worker accepts on which, in the order in which the
  // sockets began to listen. 0: on the first, nobody's yet. Empty: one socket, for all.
  std::vector<SlotNumber> slots;
  // One of those sockets was lost: which one has which place in the kernel's group is not known.
  bool disordered = false;
  // Which file a unix socket was bound to; 0: none.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::string data;  // JSON the first worker gave (TLS ticket keys), handed to all others

  bool operator==(const ListenerFacts&) const = default;
};

// How the log of the instance fares.
struct LogHealth {
  std::uint64_t lines_dropped = 0;  // since the instance was started
  Millis dropped_at = 0;            // when that was last seen to grow; 0: never
  std::string trouble;              // why nothing can be written now; empty if all is well
  bool behind = false;              // the master has more in its hands than usual

  bool operator==(const LogHealth&) const = default;
};

struct InstanceState {
  ServiceId service = 0;
  Epoch epoch = 0;
  std::string boot_id;
  ProcessIdentity master;
  Millis master_started_wall = 0;
  Millis written_at = 0;          // BOOTTIME
  std::uint64_t message_seq = 0;  // of the newest NODE_CLUSTER message sent
  FleetState fleet;
  std::map<WorkerId, WorkerFacts> workers;
  std::vector<ListenerFacts> listeners;
  // Descriptors that slcd keeps, by name: their numbers in the master. For a slcd that has none of
  // them, if the master should be silent.
  std::map<std::string, int> held;
  LogHealth log;

  bool operator==(const InstanceState&) const = default;
};

// A roll is under way or done, as opposed to given up.
bool IsRolling(const FleetState& state);

// The wished generation is tried by one worker in the first slot, whose own worker serves on beside
// it. False once that has failed, see FleetState::failed. A trial begins with the order that brings
// its generation, to a fleet that runs; said later, or of a restart, it means nothing. Nor is there
// one where nothing is to run (size 0).
bool IsOnTrial(const FleetState& state);
// It is the one that is tried.
bool IsOnTrial(const FleetState& state, const FleetWorker& worker);
// The one that is tried and serves; 0: none does.
WorkerId TrialWorker(const FleetState& state);

// Of an instance on trial: but for the one that is tried every slot has the worker that it should,
// which serves, and nobody else is there.
bool AllOthersServe(const FleetState& state);

// How the trial of a generation stands, for who has ordered it.
enum class TrialStep {
  kPending,  // not obeyed yet, or the worker still boots
  kServes,
  kFailed,  // `reason`. Nothing of that generation is left, or will come back
  kNone,    // there is none (any more): the generation is rolled, or was started like any other
};
struct TrialStand {
  TrialStep step = TrialStep::kPending;
  WorkerId worker = 0;  // that serves, or has failed
  std::string reason;   // for people
};
TrialStand StandOfTrial(const FleetState& state, Generation generation);

// A short word for where the instance stands; part of the control protocol.
//   starting  some slots are still to come up        running   every slot serves what it should
//   rolling   replacing workers, or trying one       changing  workers are leaving, all slots serve
//   failed    the last order failed; what was, serves
//   backoff   crashed workers wait to be restarted   stopping, stopped
//   finished  every worker ended and, by --restart, is not started again
// A slot that was given up (--max-restarts) makes it `failed`, too.
const char* InstancePhase(const FleetState& state);

// What the app ended with, once every worker has ended and, by --restart, none is started again:
// the exit code, or 128 + signal, of the first slot whose worker did not end well; 1 if that is not
// known; else 0. Nothing before.
std::optional<int> FinalExitCode(const FleetState& state);

// "0.0.0.0:3001", "[::1]:80", "/path"
std::string DescribeListener(const ListenerFacts& listener);

}  // namespace slc
