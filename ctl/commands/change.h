// Commands that change a service and answer when that has happened share this.
#pragma once

#include <functional>
#include <string>

#include "ctl/conversation.h"
#include "ctl/options.h"

namespace slc::ctl {

struct Change {
  const Control& control;
  std::string service;  // as typed
  RequestBody body;
  std::string verb;   // "soft-restart": for failures
  std::string doing;  // "soft-restarting": for progress
  bool wait = true;
};

// Gives the text for a good answer.
using Tell = std::function<std::string(const Answer&)>;
int CarryOut(const Change& change, const Tell& tell);

// `Service "my-app" soft restarted`, or, without waiting, `... soft restarting`. `details` adds
// `: 4 workers, generation 3, 2.1 s`.
Tell Say(const std::string& service, bool wait, const std::string& done, const std::string& begun,
         bool details);

// The service as slcd calls it; as typed if it did not say.
std::string NameOf(const Answer& answer, const std::string& typed);

}  // namespace slc::ctl
