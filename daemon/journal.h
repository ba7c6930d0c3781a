// Journal: what slcd puts on record, see common/model/journal.h for the kinds.
//
// A change is recorded twice: when it is durable ("accepted") and when its client is answered ("ok"
// or why not); one that is refused or answered at once, once. Its answer does not wait for the
// record, which is on its way to the disk behind it; see JournalWriter for what may be lost. What
// happens by itself is paced, see EventPacer.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/model/journal.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "common/wire/link.h"
#include "daemon/commands/clients.h"
#include "daemon/core/event_pacer.h"
#include "daemon/core/past.h"
#include "daemon/core/phase_watch.h"
#include "daemon/core/registry.h"
#include "daemon/journal_writer.h"

namespace slc {

class Journal {
 public:
  // `registry` and `disk` outlive this; `home`, an open directory, outlives `disk`.
  Journal(uv::Loop& loop, uv::DiskThread& disk, int home, const Registry& registry);
  ~Journal();
  // Writes what was held back to be summed up.
  void Flush();
  // Nothing is held back or waits for the disk.
  bool written() const { return pacer_.empty() && writer_.idle(); }
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // That slcd has started: `text`, how the slcd before had ended, and on which boot this is.
  // `replaced`: that it had to be ended for us, and why; empty: it had not. Reads the end of the
  // journal there is: to be called before the loop runs, and before all others.
  void NoteStarted(const std::string& text, const std::string& replaced);
  // When the last record was made that was there before; 0: none is known.
  Millis last_before() const { return past_.last(); }
  // It is to run, and slcd has found nothing of it when it started: recorded if it had run.
  void NoteNobody(ServiceId id);
  // About slcd itself.
  void NoteDaemon(const std::string& kind, const std::string& text);
  // Of a command that changes something; others are passed over.
  void NoteAccepted(const Command& command, ServiceId id, const std::vector<std::string>& notes);
  void NoteAnswered(const Command& command, const Reply& reply);
  // Of a service; what the record does not say about itself (time, name) is filled in.
  void NoteEvent(ServiceId id, JournalRecord record);
  void NoteNotice(ServiceId id, const link::Notice& notice);
  void NoteFacts(ServiceId id, const link::Facts& facts);
  // A master of the service is being launched: what it tells first has just happened.
  void ExpectFacts(ServiceId id) { phases_[id].Expect(); }

 private:
  JournalRecord RecordOf(const Command& command) const;
  void Name(ServiceId id, JournalRecord& record) const;
  void Pass(const std::vector<JournalRecord>& records);

  uv::Loop& loop_;
  const int home_;
  const Registry& registry_;
  Past past_;
  JournalWriter writer_;
  EventPacer pacer_;
  std::map<ServiceId, PhaseWatch> phases_;
  uv::Timer timer_;
};

}  // namespace slc
