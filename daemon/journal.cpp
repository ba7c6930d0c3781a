#include "daemon/journal.h"

#include <unistd.h>

#include <utility>

#include "common/base/process.h"
#include "common/base/text.h"
#include "daemon/commands/audit.h"
#include "daemon/journal_file.h"

namespace slc {
namespace {

constexpr std::size_t kLongestName = 64;  // of a service; what a client took for one may be longer

}  // namespace

Journal::Journal(uv::Loop& loop, uv::DiskThread& disk, int home, const Registry& registry)
    : loop_(loop),
      home_(home),
      registry_(registry),
      writer_(loop, disk, home),
      timer_(loop, [this] { Pass(pacer_.Pass(loop_.now())); }) {}

Journal::~Journal() { Flush(); }

void Journal::Flush() {
  for (JournalRecord& record : pacer_.Flush()) writer_.Write(std::move(record));
}

void Journal::NoteStarted(const std::string& text, const std::string& replaced) {
  past_ = Past(ReadJournalEnd(home_), BootId());
  const std::string before = replaced.empty() ? past_.OfDaemon(::getpid()) : replaced;
  NoteDaemon("daemon_started", before.empty() ? text : text + "; " + before);
}

void Journal::NoteNobody(ServiceId id) {
  const auto text = past_.EndOf(id);
  if (!text) return;
  JournalRecord record;
  record.kind = "all_gone";
  record.text = *text;
  NoteEvent(id, std::move(record));
}

void Journal::NoteDaemon(const std::string& kind, const std::string& text) {
  JournalRecord record;
  record.time = WallNow();
  record.kind = kind;
  record.pid = ::getpid();
  record.boot = BootId();
  record.text = text;
  writer_.Write(std::move(record));
}

// ------------------------------------------------------------------------------------------------
// what clients ask for

JournalRecord Journal::RecordOf(const Command& command) const {
  JournalRecord record;
  record.time = WallNow();
  record.kind = "change";
  record.verb = NameOfChange(command.request.body);
  record.text = DescribeRequest(command.request.body);
  if (!command.occasion.empty()) record.text = command.occasion;
  record.who = JournalActor{
      command.peer.uid, command.peer.pid, {}, command.cause, command.request.principal};
  record.service = ServiceNamedBy(command.request.body).substr(0, kLongestName);
  if (record.service.empty()) return record;
  if (const auto id = registry_.Find(record.service)) {
    Name(*id, record);
  } else if (const Quarantined* bad = registry_.FindQuarantined(record.service)) {
    Name(bad->id, record);
  }
  return record;
}

void Journal::NoteAccepted(const Command& command, ServiceId id,
                           const std::vector<std::string>& notes) {
  if (!IsChange(command.request.body)) return;
  JournalRecord record = RecordOf(command);
  Name(id, record);
  for (const JournalRecord& before : pacer_.Renew(record.service)) writer_.Write(before);
  record.result = "accepted";
  if (!notes.empty()) record.text += (record.text.empty() ? "" : "; ") + Join(notes, "; ");
  writer_.Write(std::move(record));
}

void Journal::NoteAnswered(const Command& command, const Reply& reply) {
  if (!IsChange(command.request.body)) return;
  JournalRecord record = RecordOf(command);
  const auto* views = std::get_if<std::vector<ServiceView>>(&reply.data);
  if (views != nullptr && views->size() == 1) Name(views->front().id, record);
  record.result = reply.error ? ErrorCodeName(reply.error->code) : "ok";
  record.took = BootNow() - command.since;
  if (reply.error) {
    record.text += (record.text.empty() ? "" : ": ") + reply.error->message;
  } else if (std::holds_alternative<RemoveService>(command.request.body)) {
    phases_.erase(record.id);
  }
  writer_.Write(std::move(record));
}

// ------------------------------------------------------------------------------------------------
// what happens

void Journal::Name(ServiceId id, JournalRecord& record) const {
  record.id = id;
  if (const Wish* wish = registry_.Get(id)) {
    record.service = wish->spec.name;
  } else if (const Quarantined* bad = registry_.GetQuarantined(id); bad && !bad->name.empty()) {
    record.service = bad->name;
  }
}

void Journal::NoteEvent(ServiceId id, JournalRecord record) {
  if (record.time == 0) record.time = WallNow();
  Name(id, record);
  Pass(pacer_.Take(std::move(record), loop_.now()));
}

void Journal::Pass(const std::vector<JournalRecord>& records) {
  for (const JournalRecord& record : records) writer_.Write(record);
  if (const auto at = pacer_.deadline()) timer_.StartAt(*at);
}

void Journal::NoteNotice(ServiceId id, const link::Notice& notice) {
  const Progress& progress = notice.progress;
  JournalRecord record;
  if (progress.kind == "worker_ready" || progress.kind == "worker_given_up" ||
      progress.kind == "worker_hung" || progress.kind == "worker_killed" ||
      progress.kind == "worker_outgrown" || progress.kind == "slot_given_up" ||
      progress.kind == "spare_takes_slot" || progress.kind == "spare_given_up" ||
      progress.kind == "log_flood") {
    record.kind = progress.kind;
  } else if (progress.kind == "worker_exited" && notice.unasked) {
    record.kind = "worker_ended";
  } else if (progress.kind == "spare_exited" && notice.unasked) {
    record.kind = "spare_ended";
  } else if (progress.kind == "missed") {
    record.kind = "gap";
    record.times = notice.missed;
    record.text = "happened while no slcd was there";
  } else {
    return;
  }
  record.time = notice.at;
  record.worker = progress.worker;
  record.slot = progress.slot;
  record.pid = progress.pid;
  record.generation = progress.generation;
  if (progress.worker != 0) record.took = progress.millis;
  if (!progress.text.empty()) record.text = progress.text;
  record.status = notice.status;
  if (progress.kind == "worker_ready") {
    record.text = Join(progress.listening, " ");
    if (!progress.text.empty()) record.text += (record.text.empty() ? "" : ", ") + progress.text;
  }
  NoteEvent(id, std::move(record));
}

void Journal::NoteFacts(ServiceId id, const link::Facts& facts) {
  const Wish* wish = registry_.Get(id);
  PhaseFacts phase;
  phase.order = facts.order;
  phase.phase = facts.phase;
  phase.ready = facts.ready;
  // Only of the order it belongs to.
  if (facts.failure && facts.failure->order == facts.order) phase.failure = facts.failure->reason;
  if (wish != nullptr) phase.generation = wish->generation;
  for (JournalRecord& record : phases_[id].On(phase)) NoteEvent(id, std::move(record));
}

}  // namespace slc
