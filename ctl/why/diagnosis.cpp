#include "ctl/why/diagnosis.h"

#include <algorithm>

#include "common/base/text.h"
#include "ctl/journal/describe.h"
#include "ctl/status_tables.h"
#include "ctl/why/blame.h"
#include "ctl/why/records.h"

namespace slc::ctl {
namespace {

std::size_t Serving(const ServiceView& view) {
  return static_cast<std::size_t>(
      std::count_if(view.processes.begin(), view.processes.end(), [](const ProcessView& process) {
        return process.worker != 0 && process.state == "ready" && process.stuck == 0;
      }));
}

std::size_t Stuck(const ServiceView& view) {
  return static_cast<std::size_t>(
      std::count_if(view.processes.begin(), view.processes.end(),
                    [](const ProcessView& process) { return process.stuck > 0; }));
}

std::string Workers(std::size_t count) {
  return count == 1 ? "1 worker serves" : std::to_string(count) + " workers serve";
}

const SlotView* NextTry(const ServiceView& view) {
  const SlotView* next = nullptr;
  for (const SlotView& slot : view.idle_slots) {
    if (slot.state != "backoff") continue;
    if (next == nullptr || slot.retry_in < next->retry_in) next = &slot;
  }
  return next;
}

std::string StateOf(const ServiceView& view, std::size_t serving) {
  std::string text = view.name + (serving > 0 ? " is up: " : " is down: ") + view.state;
  if (serving == 0 && view.state == "running" && view.cluster_size == 0) {
    return view.name + " is down: its size is 0";
  }
  if (serving > 0) text += ", " + Workers(serving);
  if (serving > 0 && view.cluster_size > serving) {
    text += " of " + std::to_string(view.cluster_size);
  }
  if (serving == 0 && Stuck(view) > 0) text += ", but no worker takes connections";
  return view.reason.empty() ? text : text + ": " + view.reason;
}

std::string NameOf(const ProcessView& process) {
  const std::string name = "worker " + std::to_string(process.worker);
  // Known by its slot, but not born yet.
  return process.pid > 0 ? name + " (pid " + std::to_string(process.pid) + ")" : name;
}

void AddHangs(const ServiceView& view, std::size_t serving, Diagnosis& diagnosis) {
  if (Stuck(view) == 0) return;
  bool all_replaced = true;
  bool by_order = true;
  for (const ProcessView& process : view.processes) {
    if (process.stuck <= 0) continue;
    if (!process.shows.empty()) {
      diagnosis.hangs.push_back("worker " + std::to_string(process.worker) + " (pid " +
                                std::to_string(process.pid) + ") " + StuckRemark(process));
      continue;
    }
    by_order = false;
    diagnosis.hangs.push_back("worker " + std::to_string(process.worker) + " (pid " +
                              std::to_string(process.pid) + ") " + StuckRemark(process) +
                              ": its event loop is busy or blocked, or the process is stopped");
    all_replaced = all_replaced && process.replaced;
  }
  std::vector<std::string>& doing = diagnosis.doing;
  doing.push_back(serving > 0
                      ? Workers(serving) + " on: new connections go there and none to what hangs"
                      : "nobody serves: new connections wait in the kernel's queue");
  if (by_order) {
    doing.emplace_back("it goes on by itself when that is done");
    return;
  }
  doing.push_back(
      "how much CPU it takes tells an endless loop (100 %) from a call that does not "
      "return (0 %): slc ctl status " +
      view.name + " --wide");
  if (all_replaced) {
    doing.emplace_back(
        "its successor takes its place as soon as that is ready; connections that it has not "
        "taken go to others then");
    return;
  }
  doing.push_back(
      "without --hang-timeout nothing of slc ends it; to have it replaced: slc ctl soft-restart " +
      view.name +
      "; what does not leave within --drain-timeout gets SIGTERM, after --stop-timeout SIGKILL; "
      "connections that it has not taken go to others then");
}

void AddDoing(const ServiceView& view, std::size_t serving, const std::string& ends,
              Diagnosis& diagnosis) {
  std::vector<std::string>& doing = diagnosis.doing;
  const std::string& name = view.name;
  if (view.facts_age > 0) {
    doing.push_back("its master has not answered for " + FormatSpan(view.facts_age) +
                    "; if it stays silent it is killed and another takes over its workers");
  }
  const auto starting =
      std::find_if(view.processes.begin(), view.processes.end(), [](const ProcessView& process) {
        return process.worker != 0 && !process.spare && process.state == "starting";
      });
  if (const SlotView* next = NextTry(view)) {
    if (next->retry_in > 0) {
      doing.push_back("next try in " + FormatSpan(next->retry_in) + "; " + ends);
    } else {
      // Nothing of it serves: its slots try one after another.
      const bool waits = starting != view.processes.end();
      doing.push_back("slot " + std::to_string(next->slot) +
                      (waits ? " waits for " + NameOf(*starting) : std::string(" is tried now")) +
                      "; " + ends);
    }
  }
  if (starting != view.processes.end()) {
    doing.push_back(NameOf(*starting) + " has been starting for " + FormatSpan(starting->uptime));
  }
  if (view.state == "stopped" || view.state == "new") {
    doing.push_back("nothing: it stays " +
                    std::string(view.state == "new" ? "as it is" : "stopped") +
                    " until somebody starts it");
  } else if (view.state == "finished") {
    doing.emplace_back("nothing: every worker has ended, and --restart starts none again");
  } else if (view.state == "failed") {
    doing.push_back(serving > 0 ? "the workers of before go on; when it is repaired: slc ctl "
                                  "soft-restart " +
                                      name
                                : "when it is repaired: slc ctl restart " + name);
  } else if (view.state == "backoff" && doing.empty() && view.processes.empty()) {
    doing.push_back("it is tried again until it works; at once: slc ctl restart " + name);
  } else if (view.state == "adopting") {
    doing.emplace_back("slcd has come up and is getting hold of its master");
  } else if (view.wanted && view.cluster_size == 0 && serving == 0) {
    doing.push_back("nothing: its size is 0; slc ctl set-size " + name + " N starts workers");
  } else if (doing.empty() && serving > 0 && serving >= view.cluster_size) {
    doing.push_back("nothing is left to be done; " + ends);
  }
}

}  // namespace

Diagnosis Diagnose(const Symptoms& symptoms) {
  Diagnosis diagnosis;
  diagnosis.last_end = Newest(symptoms.records, IsUnaskedEnd);
  const auto master = Newest(symptoms.records, [](const JournalRecord& record) {
    return record.kind == "master_ended" || record.kind == "master_fenced";
  });
  if (master && (!diagnosis.last_end || master->time > diagnosis.last_end->time)) {
    diagnosis.last_master_end = master;
  }
  diagnosis.last_outgrown = Newest(symptoms.records, [](const JournalRecord& record) {
    return record.kind == "worker_outgrown";
  });
  const auto scheduled = Newest(symptoms.records, IsOfSchedule);
  if (scheduled && scheduled->result != "ok") diagnosis.schedule = scheduled;
  Generation generation = diagnosis.last_end ? diagnosis.last_end->generation : 0;
  if (symptoms.view) {
    const ServiceView& view = *symptoms.view;
    const std::size_t serving = Serving(view);
    diagnosis.up = serving > 0 && serving >= view.cluster_size && view.state != "failed";
    diagnosis.state = StateOf(view, serving);
    if (!view.damage.empty()) diagnosis.damage = view.damage + "; " + DamageCure(view.name);
    if (!diagnosis.last_end) {
      for (const ProcessView& process : view.processes) {
        if (!process.reason.empty()) diagnosis.last_reason = process.reason;
      }
      for (const SlotView& slot : view.idle_slots) {
        if (!slot.reason.empty()) diagnosis.last_reason = slot.reason;
      }
    }
    if (!view.wanted) {
      diagnosis.stopped_by = Newest(symptoms.records, [](const JournalRecord& record) {
        return record.kind == "change" && (record.verb == "stop" || record.verb == "soft-stop") &&
               (record.result == "ok" || record.result == "accepted");
      });
    }
    if (generation == 0) generation = view.generation;
    AddHangs(view, serving, diagnosis);
    AddDoing(view, serving, CountOfEnds(symptoms.records), diagnosis);
  } else {
    diagnosis.state = "how " + symptoms.service + " is now cannot be told: " + symptoms.no_view;
  }
  const bool of_many = diagnosis.last_end && IsOfMany(*diagnosis.last_end);
  if (!of_many) Blame(symptoms, generation, diagnosis);
  if (symptoms.holder && symptoms.view && symptoms.view->port && !diagnosis.up) {
    diagnosis.port = "port " + std::to_string(*symptoms.view->port) + " is held by pid " +
                     std::to_string(symptoms.holder->pid);
    if (!symptoms.holder->command.empty()) diagnosis.port += " (" + symptoms.holder->command + ")";
  }
  return diagnosis;
}

std::string DiagnosisText(const Diagnosis& diagnosis, Millis now,
                          const std::vector<std::string>& log_tail, const std::string& log_note) {
  std::string text = Printable(diagnosis.state) + "\n";
  const auto line = [&](const char* what, const std::string& value) {
    std::string head = std::string("  ") + what + ":";
    head.resize(std::max<std::size_t>(head.size() + 1, 16), ' ');
    text += head + Printable(value) + "\n";
  };
  const auto when = [&](const JournalRecord& record) {
    return FormatIso(record.time) + ", " + FormatSpan(now - record.time) + " ago: ";
  };
  for (const std::string& hang : diagnosis.hangs) line("hangs", hang);
  if (diagnosis.stopped_by) {
    line("stopped", when(*diagnosis.stopped_by) + DescribeActor(*diagnosis.stopped_by));
  }
  if (diagnosis.last_end) {
    const JournalRecord& end = *diagnosis.last_end;
    line("last end", when(end) + DescribeEvent(end));
  } else {
    line("last end", "none on record that nobody had asked for");
    if (!diagnosis.last_reason.empty()) line("slcd says", diagnosis.last_reason);
  }
  if (diagnosis.last_master_end) {
    const JournalRecord& end = *diagnosis.last_master_end;
    line("its master", when(end) + DescribeEvent(end) + "; workers outlive that");
  }
  if (diagnosis.last_outgrown) {
    line("too large", when(*diagnosis.last_outgrown) + DescribeEvent(*diagnosis.last_outgrown));
  }
  if (diagnosis.schedule) {
    line("schedule", when(*diagnosis.schedule) + DescribeEvent(*diagnosis.schedule));
  }
  if (!diagnosis.port.empty()) line("port", diagnosis.port);
  if (!diagnosis.damage.empty()) line("record", diagnosis.damage);
  for (const std::string& change : diagnosis.changes) {
    line("changed", change);
  }
  if (diagnosis.last_end && !diagnosis.good.empty()) {
    line("came up",
         "generation " + diagnosis.good + " was the last that did before that end" +
             (diagnosis.changes.empty() && diagnosis.on_disk.empty() ? ", and nothing is new since"
                                                                     : ""));
  }
  if (!diagnosis.on_disk.empty()) {
    line("on disk", "other code than its generation began with: " + Join(diagnosis.on_disk, ", "));
  }
  for (const std::string& deed : diagnosis.doing) line("now", deed);
  if (!log_note.empty()) line("its last lines", log_note);
  for (const std::string& each : log_tail) text += "    " + Printable(each) + "\n";
  return text;
}

}  // namespace slc::ctl
