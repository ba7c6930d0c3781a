#include "daemon/master/reporter.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "common/base/text.h"
#include "daemon/master/core/flood_pace.h"

namespace slc {
namespace {

bool SaysTheSame(const link::Facts& a, const link::Facts& b) {
  return a.order == b.order && a.phase == b.phase && a.workers == b.workers && a.ready == b.ready &&
         a.failure == b.failure && a.exit_code == b.exit_code && a.trial == b.trial;
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
  for (const auto& [id, worker] : state.workers) {
    if (!IsSpare(worker)) ++facts.workers;
    if (Serves(worker)) ++facts.ready;
  }
  facts.failure = state.failure;
  facts.exit_code = FinalExitCode(state);
  facts.trial = TrialWorker(state);
  if (facts.failure) facts.log_tail = failure_tail_;
  if (!told_ || !SaysTheSame(facts, *told_)) link_.Send(facts);
  told_ = std::move(facts);
}

link::Notice Reporter::NoticeOf(const std::string& kind, WorkerId worker) const {
  link::Notice notice;
  notice.at = WallNow();
  Progress& progress = notice.progress;
  progress.kind = kind;
  progress.worker = worker;
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
  return notice;
}

void Reporter::Notify(const std::string& kind, WorkerId worker) {
  link::Notice notice = NoticeOf(kind, worker);
  for (const auto& [id, other] : fleet_.state().workers) {
    const bool before = other.hung && other.slot == notice.progress.slot && id != worker;
    if (kind != "worker_ready" || !before) continue;
    notice.progress.text = "in place of worker " + std::to_string(id) + ", which hung";
  }
  Send(std::move(notice));
}

void Reporter::NotifyEnd(WorkerId worker, const WorkerEnd& end, bool unasked) {
  link::Notice notice = NoticeOf("worker_exited", worker);
  if (notice.progress.slot == 0) notice.progress.kind = "spare_exited";
  notice.progress.text = end.how;
  notice.status = end.status;
  notice.unasked = unasked;
  Send(std::move(notice));
}

void Reporter::NotifyGivenUp(const std::string& kind, WorkerId worker) {
  link::Notice notice = NoticeOf(kind, worker);
  const auto& slots = fleet_.state().slots;
  const auto slot = slots.find(notice.progress.slot);
  if (slot != slots.end()) notice.progress.text = slot->second.last_exit;
  if (notice.progress.slot == 0) {
    notice.progress.kind = "spare_given_up";
    notice.progress.text = fleet_.state().spare.trouble;
  }
  Send(std::move(notice));
}

void Reporter::NotifyOutgrown(WorkerId worker, const std::string& what) {
  link::Notice notice = NoticeOf("worker_outgrown", worker);
  notice.progress.text = what;
  Send(std::move(notice));
}

void Reporter::NotifySlotGivenUp(SlotNumber slot, const std::string& why) {
  link::Notice notice = NoticeOf("slot_given_up", 0);
  notice.progress.slot = slot;
  notice.progress.generation = fleet_.state().slots.at(slot).generation;
  notice.progress.text = why;
  Send(std::move(notice));
}

void Reporter::NotifyFlood() {
  link::Notice notice = NoticeOf("log_flood", 0);
  notice.progress.text =
      FormatBytes(FloodPace::kBurst) + " came at once and there is no end: read at " +
      FormatBytes(FloodPace::kSteady) + " a second from now on, what prints more has to wait";
  Send(std::move(notice));
}

void Reporter::NotifyKilled(WorkerId worker, Millis waited) {
  link::Notice notice = NoticeOf("worker_killed", worker);
  notice.progress.text = "it had not ended " + FormatSpan(waited) + " after its stop signal";
  Send(std::move(notice));
}

void Reporter::Send(link::Notice notice) {
  if (link_.linked()) {
    link_.Send(notice);
    return;
  }
  const std::string& kind = notice.progress.kind;
  constexpr std::array<std::string_view, 9> kTold{
      "worker_ready",  "worker_given_up",  "worker_hung",    "worker_killed", "worker_outgrown",
      "slot_given_up", "spare_takes_slot", "spare_given_up", "log_flood"};
  const bool told = std::find(kTold.begin(), kTold.end(), kind) != kTold.end();
  if (!told && !notice.unasked) return;
  constexpr std::size_t kMost = 64;
  if (missed_.size() >= kMost) {
    missed_.erase(missed_.begin());
    ++missed_lost_;
  }
  missed_.push_back(std::move(notice));
}

void Reporter::TellMissed() {
  if (missed_lost_ > 0) {
    link::Notice notice;
    notice.progress.kind = "missed";
    notice.at = WallNow();
    notice.late = true;
    notice.missed = missed_lost_;
    link_.Send(notice);
    missed_lost_ = 0;
  }
  for (link::Notice& notice : missed_) {
    notice.late = true;
    link_.Send(notice);
  }
  missed_.clear();
}

}  // namespace slc
