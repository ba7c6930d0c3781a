// Commands that only look share this: asking slcd without changing anything.
#pragma once

#include <string>

#include "common/base/result.h"
#include "ctl/conversation.h"
#include "ctl/options.h"

namespace slc::ctl {

Answer Look(const Control& control, RequestBody body);

// The path of the home that a command is about: ours, or that of the slcd at the socket of -C.
Result<std::string> HomeOf(const Control& control);

// slcd answered, and not with an error.
bool IsGood(const Answer& answer);

// Results stand alone on standard output; what else slcd has to say goes beside it.
void RemarkNotes(const Reply& reply);

// One service: its view, or the exit code of why there is none. `what` is the operation, for
// example "show the environment of my-app".
Result<ServiceView> LookAt(const Control& control, const std::string& service,
                           const std::string& what, int& exit_code);

}  // namespace slc::ctl
