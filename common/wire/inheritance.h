// Inheritance: the descriptors a process image starts with because its predecessor held them.
//
// The predecessor is the same process, which executes another version of its program in place.
// (What systemd keeps over the death of slcd comes by TakeFromSupervisor, see notify.h.) Each
// descriptor has a name; what the names mean is agreed between the images.
//
// An image in place is the same process to everybody: its pid, its children, its locks and its
// connections stay. Descriptors lose close-on-exec right before the exec and have it back before
// anything else is done.
#pragma once

#include <sys/resource.h>

#include <map>
#include <string>
#include <vector>

#include "common/base/named_fds.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace slc {

// What is left to the next image.
struct Bequest {
  std::map<std::string, int> fds;  // owned by others, or below
  std::string facts;               // what it must know besides; any text
  std::vector<UniqueFd> owned;

  // A descriptor of its own that holds `text`, to be read by ReadMemfd.
  Status Add(const std::string& name, const std::string& text);
};

class Inheritance {
 public:
  // `manifest`: the number behind --inherit. kInvalid if it is not whole: then nothing of it is to
  // be trusted.
  static Result<Inheritance> Receive(int manifest);

  const std::string& facts() const { return facts_; }
  // Empty if there is none of this name.
  UniqueFd Take(const std::string& name) { return fds_.Take(name); }
  // Those whose names begin with `prefix`, by the rest of their names.
  std::map<std::string, UniqueFd> TakeBelow(const std::string& prefix) {
    return fds_.TakeBelow(prefix);
  }

 private:
  NamedFds fds_;
  std::string facts_;
};

// Goes on as `program` with these arguments, to which "--inherit FD" is added. SIGTERM and SIGINT
// are held back until it calls AcceptSignals(). `found_core`: the limit of core dumps, as we found
// it and the next image is to find it; for that of open files see file_limit.h. Returns only if it
// fails, and then everything is as before.
Error ExecuteInPlace(const std::string& program, std::vector<std::string> arguments,
                     const Bequest& bequest, const rlimit& found_core);

// Signals that came while there was nobody to handle them are delivered now.
void AcceptSignals();

}  // namespace slc
