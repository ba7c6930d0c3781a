#include "ctl/why/blame.h"

#include <algorithm>

#include "ctl/why/records.h"

namespace slc::ctl {
namespace {

bool CameUp(const JournalRecord& record) {
  return record.kind == "running" || record.kind == "roll_done" || record.kind == "backoff_left";
}

// The code of before may lie there no more, though no generation began with what does: a crashed
// worker is started with what it finds. True: the worker of the last end was.
bool AddDisk(const Symptoms& symptoms, Generation ended, Diagnosis& diagnosis) {
  const auto began = Newest(symptoms.records, [&](const JournalRecord& record) {
    return record.kind == "generation" && record.generation == ended && record.code;
  });
  if (!began || !symptoms.code) return false;
  // What lies there is that generation's.
  const auto later = Newest(symptoms.records, [&](const JournalRecord& record) {
    return CameUp(record) && record.generation > ended;
  });
  if (later) return false;
  diagnosis.on_disk = DescribeCodeChanges(*began->code, *symptoms.code);
  const Millis written = symptoms.code->script_changed;
  const bool rewritten =
      written > 0 && began->code->script_changed > 0 && written != began->code->script_changed;
  if (!rewritten || !diagnosis.last_end || !diagnosis.last_end->took) return false;
  const Millis born = diagnosis.last_end->time - *diagnosis.last_end->took;
  if (written > born) return false;
  // The script is told last.
  diagnosis.on_disk.back() += ", before the worker of that end was started";
  return true;
}

// A generation that came up may crash all the same: what was new in it, if that is not long ago.
void AddRecentChange(const Symptoms& symptoms, Generation ended, Diagnosis& diagnosis) {
  constexpr Millis kRecent = Millis{24} * 3600 * 1000;
  if (!diagnosis.changes.empty() || !diagnosis.last_end) return;
  const auto began = Newest(symptoms.records, [&](const JournalRecord& record) {
    return record.kind == "generation" && record.generation == ended;
  });
  if (!began || began->text.empty() || began->text == kNothingNew) return;
  const Millis before = diagnosis.last_end->time - began->time;
  if (before < 0 || before > kRecent) return;
  diagnosis.changes.push_back("generation " + std::to_string(ended) + ", begun " +
                              FormatSpan(before) + " before that end: " + began->text);
}

}  // namespace

void Blame(const Symptoms& symptoms, Generation ended, Diagnosis& diagnosis) {
  const auto good = Newest(symptoms.records, [&](const JournalRecord& record) {
    return CameUp(record) && record.generation <= ended;
  });
  if (good) diagnosis.good = std::to_string(good->generation);
  for (const JournalRecord& record : symptoms.records) {
    if (record.kind != "generation" || record.generation > ended) continue;
    if (!good || record.generation <= good->generation) continue;
    diagnosis.changes.push_back(
        "generation " + std::to_string(record.generation) + ": " +
        (record.text.empty() ? "how it differs is not known" : record.text));
  }
  // Other code under a generation that had served explains more than how that had begun.
  if (!AddDisk(symptoms, ended, diagnosis)) AddRecentChange(symptoms, ended, diagnosis);
}

}  // namespace slc::ctl
