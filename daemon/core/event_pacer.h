// EventPacer: keeps what happens by itself from flooding the journal. Pure.
//
// Of each kind a service may have 30 records in a row and then one every 10 minutes. What comes on
// top is folded: the last record is kept, with the number of those it stands for, and given out at
// the next turn, or before the next record of the service, so that the journal stays in order. So a
// crash loop makes some 600 records a day (100 KB), and ten of them do not push out within a week
// what people did.
//
// Promises: nothing is lost from the count; what is folded comes out at its turn without another
// event (see deadline); a service that is calm sees none of this; many records of one kind, as of a
// roll of 200 workers, take no other kind's turn; after a change the next records of every kind are
// written at once (see Renew), so that what came of it can be read. What clients ask for is not to
// be passed through here.
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
  static constexpr unsigned kBurst = 30;
  static constexpr unsigned kAfterChange = 3;
  static constexpr Millis kRefill = 10 * 60 * 1000;

  // What is to be written now, oldest first. `now`: BOOTTIME, must not go backwards.
  std::vector<JournalRecord> Take(JournalRecord record, Millis now);
  // The service of this name was changed. What is to be written before that.
  std::vector<JournalRecord> Renew(const std::string& service);
  // What has its turn by time.
  std::vector<JournalRecord> Pass(Millis now);
  // When Pass() has something to give.
  std::optional<Millis> deadline() const;
  // Nothing is folded.
  bool empty() const { return !deadline(); }
  // All that is folded: the journal ends.
  std::vector<JournalRecord> Flush();

 private:
  struct Kind {
    unsigned tokens = kBurst;
    std::optional<JournalRecord> folded;  // not while there are tokens
  };
  struct Service {
    Millis refilled_at = 0;  // the last token of every kind came then
    std::map<std::string, Kind> kinds;
  };
  // True if a turn has come.
  static bool Refill(Service& service, Millis now);
  static void GiveOut(Service& service, std::vector<JournalRecord>& out);

  std::map<std::string, Service> services_;
};

}  // namespace slc
