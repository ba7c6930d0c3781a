#include "daemon/recorder.h"

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/log.h"

namespace slc {

// What is tried when the disk may be well again.
struct Recorder::Round {
  std::map<ServiceId, std::optional<Wish>> owed;  // nothing: there is to be no file
  std::vector<ServiceId> paid;
  Status status = Ok();
};

Recorder::Recorder(uv::Loop& loop, const Registry& registry, Store& store, uv::DiskThread& disk,
                   std::string home, Events events)
    : loop_(loop),
      registry_(registry),
      store_(store),
      disk_(disk),
      home_(std::move(home)),
      events_(std::move(events)),
      timer_(loop, [this] { Tick(); }) {}

void Recorder::Do(ServiceId id, Write write, std::function<void(const Status& status)> done) {
  if (state_.Hangs(loop_.now())) return done(Hanging("doing what was asked for before"));
  auto job = std::make_shared<Job>();
  job->id = id;
  job->done = std::move(done);
  waited_for_.push_back(job);
  state_.WriteBegun(loop_.now());
  disk_.Run(
      [job, write = std::move(write)] {
        if (job->given_up) return;
        job->begun = true;
        job->status = write(job->stage);
      },
      [this, job] { Ended(job); });
  Review();
}

void Recorder::Ended(const std::shared_ptr<Job>& job) {
  state_.WriteEnded(loop_.now());
  if (job->given_up) {
    if (job->begun) Owe(job->id);
    return Review();
  }
  std::erase(waited_for_, job);
  const bool refused = !job->status && job->status.error().code == ErrorCode::kStorage;
  if (job->status || refused) Judge(job->status);
  if (job->status) state_.Paid(job->id);
  if (refused) Owe(job->id);
  Review();
  job->done(job->status);
}

void Recorder::Owe(ServiceId id) {
  state_.Owe(id, loop_.now());
  Review();
}

void Recorder::Begin() {
  state_.WriteBegun(loop_.now());
  auto status = std::make_shared<Status>(Ok());
  disk_.Run(
      [&store = store_, status, free = state_.owed().empty()] {
        *status = store.Try();
        // A disk that has no room for it may have some for changes.
        if (*status && free) static_cast<void>(store.KeepReserve().ok());
      },
      [this, status] {
        state_.WriteEnded(loop_.now());
        Judge(*status);
        Review();
      });
  Review();
}

void Recorder::Judge(const Status& status) {
  if (status) {
    state_.Took();
  } else {
    state_.Refused(status.error().message, loop_.now());
  }
}

void Recorder::Tick() {
  if (state_.Hangs(loop_.now())) {
    GiveUp();
  } else if (state_.TakeRetry(loop_.now())) {
    Retry();
  }
  Review();
}

Error Recorder::Hanging(const char* stage) const {
  return Error{ErrorCode::kStorage,
               home_ + ": " + state_.Trouble(loop_.now()) + " (" + stage +
                   "); nothing was changed; `slc ctl info` tells when it does again"};
}

void Recorder::GiveUp() {
  const auto jobs = std::exchange(waited_for_, {});
  for (const auto& job : jobs) {
    job->given_up = true;
    // Kept until the disk has let go of it: what its thread does then is not known now.
    job->done(Hanging(job->stage));
  }
}

void Recorder::Retry() {
  auto round = std::make_shared<Round>();
  std::vector<ServiceId> removals;
  const std::set<ServiceId> owed = state_.owed();
  for (const ServiceId id : owed) {
    const Wish* wish = registry_.Get(id);
    const Quarantined* bad = registry_.GetQuarantined(id);
    if ((wish != nullptr && wish->removing) || (bad != nullptr && bad->removing)) {
      removals.push_back(id);
      state_.Paid(id);
    } else if (bad != nullptr) {
      state_.Paid(id);  // nothing is in force of it but what its file says
    } else {
      round->owed[id] = wish != nullptr ? std::optional<Wish>(*wish) : std::nullopt;
    }
  }
  state_.WriteBegun(loop_.now());
  disk_.Run(
      [&store = store_, round] {
        round->status = store.Try();
        for (const auto& [id, wish] : round->owed) {
          if (!round->status) return;
          round->status = wish ? store.Save(*wish) : store.Discard(id);
          if (round->status) round->paid.push_back(id);
        }
        // Nothing was waiting when this began: what the reserve holds is in its files now.
        if (round->status) static_cast<void>(store.KeepReserve().ok());
      },
      [this, round] { RetryEnded(*round); });
  // Those come back by themselves if the disk refuses once more.
  for (const ServiceId id : removals) events_.finish_removal(id);
}

void Recorder::RetryEnded(const Round& round) {
  state_.WriteEnded(loop_.now());
  for (const ServiceId id : round.paid) state_.Paid(id);
  Judge(round.status);
  Review();
}

std::string Recorder::trouble() const {
  const Millis now = loop_.now();
  const std::string reason = state_.Trouble(now);
  if (reason.empty() && state_.owed().empty()) return {};
  std::string text = "changes cannot be recorded";
  if (trouble_since_ > 0) text += " for " + FormatSpan(now - trouble_since_) + " now";
  if (!reason.empty()) text += ": " + reason;
  return text + "; services run on, and it is tried again every second";
}

void Recorder::Review() {
  const Millis now = loop_.now();
  const std::string reason = state_.Trouble(now);
  const bool well = reason.empty() && state_.owed().empty();
  if (!well && trouble_since_ == 0) {
    trouble_since_ = now;
    const std::string why = reason.empty() ? std::string("one is not in its file yet") : reason;
    log::Failure("storage: changes cannot be recorded: " + why);
    events_.on_trouble(true, why);
  } else if (well && trouble_since_ > 0) {
    const std::string span = FormatSpan(now - trouble_since_);
    log::Info("storage: changes are recorded again, after " + span);
    events_.on_trouble(false, "after " + span);
    trouble_since_ = 0;
  }
  const auto at = state_.deadline();
  // While it hangs there is nothing to do but to wait for its end.
  if (at && !state_.Hangs(now)) {
    timer_.StartAt(*at);
  } else {
    timer_.Stop();
  }
}

}  // namespace slc
