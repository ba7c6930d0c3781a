// The journal: what was asked of slcd, by whom and how it ended, and what happened to services.
// slcd appends it to HOME/journal (daemon/journal.h), slc reads it (ctl/journal).
//
// A record is one line: a JSON object whose last member is the CRC-32C of the bytes before it, so
// that `cat` and `grep` work, and a line that was torn or damaged is known for one. A line without
// its end is a torn write; a whole line that does not verify is damage.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/model/code_facts.h"

namespace slc {

inline constexpr const char* kJournalFile = "journal";
inline constexpr const char* kOlderJournalFile = "journal.1";      // the one before, whole
inline constexpr const char* kDamagedJournalFile = "journal.bad";  // as it was found

// The text of a generation that is as the one before.
inline constexpr const char* kNothingNew = "nothing new";

// The process at the other end of the control socket, as the kernel tells.
struct JournalActor {
  unsigned uid = 0;
  int pid = 0;
  std::string user;  // its name then; empty: it had none
  // slcd itself, for this: "schedule", "watch". Empty: a client.
  std::string cause = {};
  // Whom the gateway asked for: "token ci", "user ops from 10.0.0.7". Empty: itself, nobody else.
  std::string principal = {};

  bool operator==(const JournalActor&) const = default;
};

// `kind` is stable; other fields are set where they make sense.
//   change            asked for by a client: verb, who, result, text; took, once it is known
//   daemon_started, daemon_leaving, daemon_stopping    pid of slcd, boot
//   all_gone          slcd has started, and of a service that had run there was no master left
//   master_launched, master_adopted, master_took_over, master_fenced, master_ended, master_failed
//   worker_ready      worker, slot, generation, pid, took (since its spawn)
//   worker_ended      nobody had asked it to: the same, status; took (its life)
//   worker_given_up   it lives, but is taken for failed and killed
//   worker_hung       its event loop stands still, and it is replaced
//   workers_lost      some did not outlive their master
//   worker_outgrown   it uses more memory than it may: a successor takes its place
//   slot_given_up     its workers failed more often in a row than --max-restarts allows
//   worker_killed     it was asked to end, and had not in time
//   spare_takes_slot  of a worker that has ended: worker, slot, generation, pid
//   spare_ended, spare_given_up             as of a worker, but nobody was served by it
//   log_flood         its workers print without end, and are slowed down
//   running, stopped, finished, failed      the service; `failed`: its workers did not come up
//   backoff, backoff_left                   crashed workers wait to be started again
//   roll_begun, roll_done, roll_failed      a soft restart
//   release_in_service, release_failed      of a deploy or rollback; text: which, by whom, why not
//   generation        what its workers are started with was resolved; text: what is new
//   quarantined       the service's file is damaged
//   fallen_back       the same, and the version before is used
//   storage_trouble, storage_well    changes cannot be recorded, and can again
//   schedule_missed   a time of --restart-at was over before slcd could look
//   schedule_trouble  a time of --restart-at cannot be told
//   watch_paused      changed files restarted it over and over, and do not for a while
//   watch_trouble     changes of files may go unnoticed
//   home_removed      by others while slcd ran; the records of before are lost
//   gateway_ended     its process has, unasked; it is started again
//   gateway_damaged   its file is damaged: tokens and users are gone
//   gap               `times` records are missing here
struct JournalRecord {
  Millis time = 0;  // wall
  std::string kind;
  ServiceId id = 0;     // 0: about slcd itself, or a service that does not exist
  std::string service;  // its name then, or what the client took for one
  WorkerId worker = 0;
  SlotNumber slot = 0;
  Generation generation = 0;
  int pid = 0;
  std::string text;         // for people; no values of environment variables
  std::uint64_t times = 1;  // > 1: so many that were alike, this is the last of them
  std::string verb;
  std::optional<JournalActor> who;
  std::string result;  // "accepted" (durable, and still to happen), "ok", or the code of an error
  std::optional<Millis> took;
  std::optional<int> status;      // wait status
  std::optional<CodeFacts> code;  // of a generation
  std::string boot;               // the kernel's id of the boot

  bool operator==(const JournalRecord&) const = default;
};

// One JSON object, without the checksum.
std::string EncodeJournalRecord(const JournalRecord& record);
// The same as a line of the file, "\n" included. Texts that are longer than anyone reads are cut.
std::string EncodeJournalLine(const JournalRecord& record);
// Pure halves: `object`, a JSON object without its closing brace, gets its checksum. "\n" is the
// caller's.
std::string SealJournalLine(std::string object);
// `line` without its "\n". kInvalid if it does not verify.
Result<JournalRecord> DecodeJournalLine(std::string_view line);
bool IsSoundJournalLine(std::string_view line);

// What a journal ends with: lines, the first and the last perhaps not whole.
struct JournalEnd {
  std::string text;
  bool whole = false;  // there is no more of it
};

// What a journal file holds.
struct JournalScan {
  std::size_t sound = 0;    // lines that verify
  std::size_t damaged = 0;  // whole lines that do not
  std::size_t torn = 0;     // bytes of a last line without its end
};
// `on_sound` gets each sound line with its "\n".
JournalScan ScanJournal(std::string_view text,
                        const std::function<void(std::string_view line)>& on_sound = {});

}  // namespace slc
