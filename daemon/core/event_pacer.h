// EventPacer: keeps what happens by itself from flooding the journal. Pure.
//
// A service may have 60 records in a row and then a turn every 10 minutes. What comes on top is
// folded: of each kind the last record is kept, with the number of those it stands for, and all are
// given out at the next turn. So a crash loop makes some 600 records a day (100 KB), and ten of
// them do not push out within a week what people did. Promises: nothing is lost from the count;
// what is folded comes out at its turn without another event (see deadline); a service that is calm
// sees none of this. What clients ask for is not to be passed through here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/model/journal.h"

namespace slc {

class EventPacer {
 public:
  static constexpr unsigned kBurst = 60;
  static constexpr Millis kRefill = 10 * 60 * 1000;

  // What is to be written now, oldest first. `now`: BOOTTIME, must not go backwards.
  std::vector<JournalRecord> Take(JournalRecord record, Millis now);
  // What has its turn by time.
  std::vector<JournalRecord> Pass(Millis now);
  // When Pass() has something to give.
  std::optional<Millis> deadline() const;
  // Nothing is folded.
  bool empty() const { return !deadline(); }
  // All that is folded: the journal ends.
  std::vector<JournalRecord> Flush();

 private:
  struct Service {
    unsigned tokens = kBurst;
    Millis refilled_at = 0;                       // the last token came then
    std::map<std::string, JournalRecord> folded;  // by kind
  };
  static void Refill(Service& service, Millis now);
  static void GiveOut(Service& service, std::vector<JournalRecord>& out);

  std::map<std::string, Service> services_;
};

}  // namespace slc
