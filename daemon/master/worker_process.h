// WorkerProcess: one worker as the operating system sees it: its process, its IPC channel, the read
// ends of its output pipes. Made before the process exists, so that slcd can keep duplicates of the
// descriptors from before its first instruction.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/process.h"
#include "common/base/result.h"
#include "common/base/spawn.h"
#include "common/base/unique_fd.h"
#include "common/model/generation.h"
#include "common/model/instance.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "daemon/master/cluster_messages.h"
#include "daemon/master/core/conduct.h"
#include "daemon/master/core/heartbeat.h"
#include "daemon/master/core/readiness.h"
#include "daemon/master/node_channel.h"
#include "daemon/master/safekeeping.h"

namespace slc {

// What is the same for all workers of an instance.
struct SpawnEnvironment {
  std::string cookie;      // of the instance
  std::string agent_path;  // preloaded into Node; empty: it was not found
  rlimit nofile{};         // what slcd was started with
  rlimit core{};           // the same
};

// A socket that a worker is started with.
struct ProvidedListener {
  std::string key;   // of the listener
  std::string name;  // in LISTEN_FDNAMES
  int fd = -1;       // not owned
};

// What a worker is started with beyond its config.
struct Provisions {
  std::vector<ProvidedListener> listeners;  // from descriptor 3 on; of a Node worker only the names
  std::string notify_socket;                // NOTIFY_SOCKET; empty: none
};

struct WorkerEnd {
  bool clean = false;         // exit code 0
  std::string how;            // for people
  std::optional<int> status;  // wait status; nothing: not known
};

class WorkerProcess {
 public:
  struct Events {
    std::function<void(std::string_view line)> on_line;
    std::function<void()> on_disconnected;
    std::function<void()> on_room;
    std::function<void(const ConductFact&)> on_fact;
    std::function<void()> on_ended;  // the process has ended; may destroy the WorkerProcess
  };

  // Pipes and channel for a worker that is about to be spawned.
  static Result<std::unique_ptr<WorkerProcess>> Prepare(uv::Loop& loop, WorkerId id,
                                                        SlotNumber slot, Events events);
  // A worker that lives already, with the descriptors its last master left. The channel may be
  // empty.
  static Result<std::unique_ptr<WorkerProcess>> Adopt(uv::Loop& loop, WorkerId id, SlotNumber slot,
                                                      const WorkerFacts& facts, UniqueFd channel,
                                                      UniqueFd output, UniqueFd errors,
                                                      Events events);

  // Executes it. On failure there is no process.
  // `told`: the slot its environment names. `cgroup`: see SpawnOptions.
  Status Start(const GenerationConfig& config, const SpawnEnvironment& environment, SlotNumber told,
               const Provisions& provisions, int cgroup);
  // Begins to deliver events.
  void Watch();
  // Listens to its channel no more; what it started may have it open still.
  void CloseChannel() { channel_.reset(); }

  // False if it is gone.
  bool Signal(int signal) { return SignalProcess(pidfd_, signal); }
  // Wait status, if it was our child.
  std::optional<int> ReapStatus() { return Reap(pidfd_); }

  WorkerId id() const { return id_; }
  SlotNumber slot() const { return slot_; }  // 0: it is a spare
  void TakeSlot(SlotNumber slot) { slot_ = slot; }
  WorkerFacts& facts() { return facts_; }
  const WorkerFacts& facts() const { return facts_; }
  NodeChannel* channel() { return channel_.get(); }
  const NodeChannel* channel() const { return channel_.get(); }
  bool adopted() const { return adopted_; }

  // Descriptors that slcd keeps.
  std::vector<KeptFd> KeptFds() const;
  int output_fd() const { return output_.get(); }
  int errors_fd() const { return errors_.get(); }

  std::unique_ptr<ReadinessJudge> judge;  // while starting
  Conduct conduct;
  Heartbeat heartbeat;                   // while it is ready
  std::vector<QueryServer> held_back;    // what a spare waits for, in the order it has asked
  std::optional<Millis> missed_told_at;  // when it was last logged that it has no descriptors left
  std::string failed_listen;             // why the last listen that failed was refused, for people
  std::uint64_t cpu_ticks_seen = 0;      // see Workers::AnyWorked
  std::uint64_t asked_which = 0;         // the ping that tells which connections have not arrived
  bool missed_since = false;             // another one has not, since that was sent
  bool stranger_told = false;            // it was logged that somebody else speaks for it
  bool killed = false;                   // by us
  std::optional<WorkerEnd> end;          // once it has ended

 private:
  WorkerProcess(uv::Loop& loop, WorkerId id, SlotNumber slot, Events events)
      : loop_(loop), id_(id), slot_(slot), events_(std::move(events)) {}

  uv::Loop& loop_;
  WorkerId id_;
  SlotNumber slot_;
  Events events_;
  WorkerFacts facts_;
  bool adopted_ = false;
  UniqueFd channel_fd_;
  UniqueFd output_;
  UniqueFd errors_;
  UniqueFd pidfd_;
  // The worker's ends, until it is started.
  UniqueFd their_channel_;
  UniqueFd their_output_;
  UniqueFd their_errors_;
  std::unique_ptr<NodeChannel> channel_;
  std::unique_ptr<uv::Poll> end_poll_;
};

}  // namespace slc
