// Inspections: looks into workers, on their way from slcd to the agent in the worker and back. A
// result goes over a socket pair whose ends are given away at once, one to the worker, one to slcd
// for who has asked: nothing of it comes here.
//
// Each question is answered once: by the agent; when its worker ends; or after kPatience, when the
// agent will not begin with it any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>

#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "common/wire/link.h"
#include "daemon/master/cluster_messages.h"
#include "daemon/master/control_link.h"
#include "daemon/master/core/fleet.h"
#include "daemon/master/generation_configs.h"
#include "daemon/master/worker_process.h"

namespace slc {

class Inspections {
 public:
  // The agent answers before it begins: only an event loop that does not turn takes longer.
  static constexpr Millis kPatience = 10'000;
  // So much earlier the agent does not begin any more: whoever was told that nothing was done must
  // be right, by whatever clock.
  static constexpr Millis kMargin = 1000;
  // Each has two descriptors until it is answered.
  static constexpr std::size_t kMostOpen = 64;

  // All is owned by the caller and outlives this. `find`: null for a worker that is not there.
  Inspections(uv::Loop& loop, ControlLink& link, const Fleet& fleet,
              const GenerationConfigs& configs, std::function<WorkerProcess*(WorkerId)> find)
      : loop_(loop),
        link_(link),
        fleet_(fleet),
        configs_(configs),
        find_(std::move(find)),
        last_id_(static_cast<std::uint64_t>(BootNow())),
        timer_(loop, [this] { GiveUp(); }) {}

  void Begin(const link::Inspect& question);
  // What the agent said; of a question that is not open it is passed over.
  void Answered(const WorkerProcess& worker, const AgentInspected& answer);
  void Disconnected(const WorkerProcess& worker);
  void Ended(const WorkerProcess& worker);

 private:
  struct Open {
    std::uint64_t number = 0;
    WorkerId worker = 0;
    Millis until = 0;
    UniqueFd result;  // to be read
  };
  // Why it cannot be asked; empty: it can.
  std::string Hindrance(const WorkerProcess& worker, Inspection what) const;
  void RefuseAll(const WorkerProcess& worker, const std::string& why);
  void Refuse(std::uint64_t number, ErrorCode code, const std::string& why);
  void GiveUp();
  void ArmTimer();

  uv::Loop& loop_;
  ControlLink& link_;
  const Fleet& fleet_;
  const GenerationConfigs& configs_;
  std::function<WorkerProcess*(WorkerId)> find_;
  // Those of a predecessor were lower: what its workers still answer is not taken for ours.
  std::uint64_t last_id_;
  std::map<std::uint64_t, Open> open_;  // by the id that the agent knows
  uv::Timer timer_;
};

}  // namespace slc
