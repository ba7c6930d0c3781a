// Diagnosis: why a service is not up, or why its last worker ended, from what slcd shows and the
// journal holds. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/process.h"
#include "common/base/time.h"
#include "common/model/code_facts.h"
#include "common/model/journal.h"
#include "common/model/view.h"

namespace slc::ctl {

struct Symptoms {
  std::string service;                 // its name
  std::optional<ServiceView> view;     // nothing: slcd could not be asked, see `no_view`
  std::string no_view;                 // why
  std::vector<JournalRecord> records;  // of the service, oldest first
  std::optional<CodeFacts> code;       // as it lies in the app's folder now
  std::optional<PortHolder> holder;  // of the service's port, if that is none of its own processes
  Millis now = 0;                    // wall
};

struct Diagnosis {
  bool up = false;    // some worker serves, and nothing is wrong with what was asked for
  std::string state;  // "web is down: back-off after a crash"
  // The last end of a worker that nobody had asked for; or its being given up; or that of several.
  std::optional<JournalRecord> last_end;
  std::string
      last_reason;  // what slcd tells of it where the journal has no record of it (any more)
  // The last end of its master, if that was later.
  std::optional<JournalRecord> last_master_end;
  std::optional<JournalRecord> last_outgrown;  // of a worker that used more memory than it may
  std::vector<std::string> changes;  // between the last generation that came up and that worker's
  std::string good;                  // which generation that is; empty: not known
  std::vector<std::string> on_disk;  // how the code differs from what the generation began with
  std::string port;                  // who holds it
  std::string damage;                // of its record, see ServiceView, and what to do
  std::vector<std::string> hangs;    // workers that take no connections
  std::vector<std::string> doing;    // what is being done about it, and what an operator can do
  std::optional<JournalRecord> schedule;    // the last time of --restart-at, if nothing came of it
  std::optional<JournalRecord> stopped_by;  // the change that stopped it
};

Diagnosis Diagnose(const Symptoms& symptoms);

// For people; `log_tail`: the last lines of the worker, as `log_note` says.
std::string DiagnosisText(const Diagnosis& diagnosis, Millis now,
                          const std::vector<std::string>& log_tail, const std::string& log_note);

}  // namespace slc::ctl
