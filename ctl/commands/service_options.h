// The options that say what a service is to be: those of `slc start` and `slc run`.
#pragma once

#include "ctl/option_parser.h"
#include "ctl/options.h"

namespace slc::ctl {

// `start` outlives the parser's work.
void AddServiceOptions(OptionParser& options, StartOptions& start);

// [DIR|FILE] [-- ARGS...]
Status TakeTarget(StartOptions& start, const Words& operands, const Words& behind);

}  // namespace slc::ctl
