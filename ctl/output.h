// Output: what a person or a script gets to see. Standard output carries results only.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"

namespace slc::ctl {

// Exit codes of slc: part of its interface.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;  // failed or refused
inline constexpr int kWrongUsage = 2;
inline constexpr int kNoDaemon = 3;    // slcd could not be reached or started
inline constexpr int kDetached = 130;  // Ctrl-C while waiting: the operation goes on

// Writes to standard output at once. A full disk or the like ends the program with kFailed and a
// reason.
void Print(std::string_view text);

// "slc: ..." on standard error, one line.
void Complain(std::string_view message);
// As it is, on standard error.
void Remark(std::string_view text);

// "310 ms", "2.1 s": how long something took.
std::string TookText(Millis span);

// True if that descriptor is a terminal that can rewrite a line.
bool IsTerminal(int fd);

}  // namespace slc::ctl
