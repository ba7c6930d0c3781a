#include "daemon/master/reporter.h"

namespace slc {
namespace {

bool SaysTheSame(const link::Facts& a, const link::Facts& b) {
  return a.order == b.order && a.phase == b.phase && a.workers == b.workers && a.ready == b.ready &&
         a.failure == b.failure && a.exit_code == b.exit_code;
}

}  // namespace

void Reporter::NoteFailure() {
  const auto& failure = fleet_.state().failure;
  if (!failure || failure->order == failure_order_) return;
  failure_order_ = failure->order;
  failure_tail_ = logs_.Tail(failure->worker);
}

void Reporter::TellFacts() {
  const FleetState& state = fleet_.state();
  link::Facts facts;
  facts.order = state.wish.order;
  facts.phase = InstancePhase(state);
  facts.workers = static_cast<std::uint32_t>(state.workers.size());
  for (const auto& [id, worker] : state.workers) {
    if (worker.state == WorkerState::kReady) ++facts.ready;
  }
  facts.failure = state.failure;
  facts.exit_code = FinalExitCode(state);
  if (facts.failure) facts.log_tail = failure_tail_;
  if (!told_ || !SaysTheSame(facts, *told_)) link_.Send(facts);
  told_ = std::move(facts);
}

void Reporter::Notify(const std::string& kind, WorkerId worker, const std::string& text) {
  Progress progress;
  progress.kind = kind;
  progress.worker = worker;
  progress.text = text;
  const auto& known = fleet_.state().workers;
  if (const auto found = known.find(worker); found != known.end()) {
    progress.slot = found->second.slot;
    progress.generation = found->second.generation;
    progress.millis = loop_.now() - found->second.spawned_at;
  }
  if (const WorkerProcess* process = workers_.Find(worker)) {
    progress.pid = process->facts().process.pid;
    progress.slot = process->slot();
    progress.listening = desk_.AddressesOf(process->facts());
  }
  link_.Send(link::Notice{progress});
}

}  // namespace slc
