#include "ctl/why/records.h"

#include <iterator>

#include "common/base/time.h"

namespace slc::ctl {

Records OfOneService(const Records& records, ServiceId id) {
  if (id == 0) {
    const auto last = Newest(records, [](const JournalRecord& record) { return record.id != 0; });
    if (!last) return {};
    id = last->id;
  }
  Records own;
  std::copy_if(records.begin(), records.end(), std::back_inserter(own),
               [&](const JournalRecord& record) { return record.id == id; });
  return own;
}

bool IsOfMany(const JournalRecord& record) {
  return record.kind == "all_gone" || record.kind == "workers_lost";
}

bool IsUnaskedEnd(const JournalRecord& record) {
  return record.kind == "worker_ended" || record.kind == "worker_given_up" ||
         record.kind == "worker_hung" || IsOfMany(record);
}

bool IsOfSchedule(const JournalRecord& record) {
  const bool restart = record.kind == "change" && record.who && record.who->cause == "schedule" &&
                       record.result != "accepted";
  return restart || record.kind == "schedule_missed" || record.kind == "schedule_trouble";
}

std::string CountOfEnds(const Records& records) {
  std::uint64_t count = 0;
  for (const JournalRecord& record : records) {
    if (IsUnaskedEnd(record)) count += record.times;
  }
  std::string text = (count == 0 ? std::string("no") : std::to_string(count)) +
                     (count == 1 ? " unasked end" : " unasked ends") + " on record";
  if (!records.empty()) text += " since " + FormatIso(records.front().time);
  return text;
}

}  // namespace slc::ctl
