#include "daemon/core/phase_watch.h"

#include <utility>

namespace slc {

std::vector<JournalRecord> PhaseWatch::On(const PhaseFacts& facts) {
  std::vector<JournalRecord> out;
  const auto tell = [&](const char* kind, std::string text) {
    JournalRecord record;
    record.kind = kind;
    record.text = std::move(text);
    record.generation = facts.generation;
    out.push_back(std::move(record));
  };
  const bool first = !std::exchange(seen_, true);
  const std::string before = std::exchange(phase_, facts.phase);
  const bool failed = !facts.failure.empty();
  if (first) {
    rolling_ = facts.phase == "rolling";
    waiting_ = facts.phase == "backoff";
    announced_ = rolling_ ? 0 : facts.order;
    return out;
  }
  if (facts.phase == "rolling" && !rolling_) {
    rolling_ = true;
    tell("roll_begun", "");
  }
  if (failed && announced_ < facts.order) {
    announced_ = facts.order;
    tell(std::exchange(rolling_, false) ? "roll_failed" : "failed", facts.failure);
  }
  if (facts.phase == "backoff" && before != "backoff" && !waiting_) {
    waiting_ = true;
    tell("backoff", "");
  }
  if (facts.phase == "running") {
    const std::string serves =
        facts.ready == 1 ? "1 worker serves" : std::to_string(facts.ready) + " workers serve";
    if (std::exchange(rolling_, false)) {
      tell("roll_done", serves);
    } else if (waiting_) {
      tell("backoff_left", serves);
    } else if (announced_ < facts.order) {
      tell("running", serves);
    }
    waiting_ = false;
    announced_ = facts.order;
  }
  if ((facts.phase == "stopped" || facts.phase == "finished") && before != facts.phase) {
    rolling_ = false;
    waiting_ = false;
    announced_ = facts.order;
    tell(facts.phase.c_str(), "");
  }
  return out;
}

}  // namespace slc
