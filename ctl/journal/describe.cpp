#include "ctl/journal/describe.h"

#include <utility>

#include "common/base/text.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

std::string Behind(const std::string& what, const std::string& text) {
  return text.empty() ? what : what + ": " + text;
}

std::string After(const JournalRecord& record) {
  return record.took ? " after " + TookText(*record.took) : std::string();
}

std::string Worker(const JournalRecord& record) {
  std::string who = "worker " + std::to_string(record.worker);
  if (record.pid > 0) who += " (pid " + std::to_string(record.pid) + ")";
  return who;
}

std::string Change(const JournalRecord& record) {
  std::string what = record.verb;
  if (record.result == "ok") {
    what += " done" + After(record);
  } else if (record.result == "accepted") {
    what += " asked for";
  } else {
    what += " failed" + After(record) + " (" + record.result + ")";
  }
  return Behind(what, record.text);
}

// What needs no more than its own word and the text.
std::string Simple(const JournalRecord& record) {
  static constexpr std::pair<const char*, const char*> kWords[] = {
      {"daemon_started", "slcd started"},
      {"daemon_leaving", "slcd leaves"},
      {"daemon_stopping", "slcd ends"},
      {"all_gone", "all its processes were gone when slcd started"},
      {"workers_lost", "workers were lost with their master"},
      {"storage_trouble", "changes cannot be recorded"},
      {"storage_well", "changes are recorded again"},
      {"home_removed", "the home was removed"},
      {"running", "runs"},
      {"stopped", "stopped"},
      {"finished", "finished: every worker has ended for good"},
      {"failed", "did not come up"},
      {"slot_given_up", "not started again"},
      {"backoff", "crashed workers wait before they are started again"},
      {"backoff_left", "recovered"},
      {"roll_begun", "soft restart begins"},
      {"roll_done", "soft restart done"},
      {"roll_failed", "soft restart failed"},
      {"release_in_service", "release in service"},
      {"release_failed", "release did not come into service"},
      {"quarantined", "quarantined"},
      {"fallen_back", "its record was damaged"},
      {"watch_paused", "--watch pauses"},
      {"watch_trouble", "--watch sees less than all"},
      {"schedule_missed", "scheduled soft restart missed"},
      {"log_flood", "floods its log"},
      {"schedule_trouble", "the times of --restart-at cannot be told"},
  };
  for (const auto& [kind, words] : kWords) {
    if (record.kind == kind) return words;
  }
  return record.kind;
}

}  // namespace

std::string DescribeEvent(const JournalRecord& record) {
  std::string what;
  if (record.kind == "change") {
    what = Change(record);
  } else if (record.kind == "worker_ready") {
    what = Behind(Worker(record) + " ready" + After(record), record.text);
  } else if (record.kind == "spare_takes_slot") {
    what = Worker(record) + ", the spare, takes slot " + std::to_string(record.slot);
  } else if (record.kind == "spare_ended") {
    what = Behind("spare " + Worker(record) + " ended" + After(record), record.text);
  } else if (record.kind == "spare_given_up") {
    what = Behind("spare " + Worker(record) + " given up", record.text);
  } else if (record.kind == "worker_ended") {
    what = Behind(Worker(record) + " ended" + After(record), record.text);
  } else if (record.kind == "worker_given_up") {
    what = Behind(Worker(record) + " given up", record.text);
  } else if (record.kind == "worker_hung") {
    what = Worker(record) + " " + record.text + "; it is replaced";
  } else if (record.kind == "worker_outgrown") {
    what = Worker(record) + " " + record.text;
  } else if (record.kind == "worker_killed") {
    what = Behind(Worker(record) + " killed (SIGKILL)", record.text);
  } else if (StartsWith(record.kind, "master_")) {
    std::string deed = record.kind.substr(7);
    if (deed == "took_over") deed = "took over";
    if (deed == "adopted") deed = "found alive";
    if (deed == "failed") deed = "could not be launched";
    const std::string pid = record.pid > 0 ? " (pid " + std::to_string(record.pid) + ")" : "";
    what = Behind("master" + pid + " " + deed, record.text);
  } else if (record.kind == "generation") {
    what = Behind("generation " + std::to_string(record.generation) + " begins", record.text);
  } else if (record.kind == "gap") {
    return Behind(std::to_string(record.times) + " events are missing here", record.text);
  } else {
    std::string words = Simple(record);
    if (record.generation > 0) words += " (generation " + std::to_string(record.generation) + ")";
    what = Behind(words, record.text);
  }
  if (record.times > 1) what += " (the last of " + std::to_string(record.times) + " such)";
  return what;
}

std::string DescribeActor(const JournalRecord& record) {
  if (!record.who) return {};
  if (!record.who->cause.empty()) return "by " + record.who->cause;
  if (!record.who->principal.empty()) return "by " + record.who->principal;
  const std::string uid = "uid " + std::to_string(record.who->uid);
  const std::string pid = "pid " + std::to_string(record.who->pid);
  if (record.who->user.empty()) return "by " + uid + " (" + pid + ")";
  return "by " + record.who->user + " (" + uid + ", " + pid + ")";
}

}  // namespace slc::ctl
