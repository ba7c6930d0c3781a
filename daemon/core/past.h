// Past: what the end of the journal tells a slcd that starts: how the slcd before it had ended, and
// whether a service that is to run, and of which nothing is left, had run. Pure.
//
// Whatever ends slcd and a master in one blow (kill -9 of all, the power) leaves nobody to record
// it, and workers do not outlive both. The next slcd is the first that can tell, and knows no more
// than this.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/model/journal.h"

namespace slc {

class Past {
 public:
  Past() = default;
  // `boot`: the kernel's id of the boot that runs.
  Past(const JournalEnd& end, const std::string& boot);

  // When the last record was made; 0: there is none. What was to happen later found no slcd.
  Millis last() const { return last_; }
  // How the slcd before the one of `pid` had ended, if it could not tell that itself; else empty.
  // One of the same pid is that one, before it was executed anew.
  std::string OfDaemon(int pid) const;
  // Of a service without a master: since when, as well as that is known. Nothing if it had not run,
  // or had been stopped.
  std::optional<std::string> EndOf(ServiceId id) const;

 private:
  struct Last {
    std::string kind;
    Millis time = 0;  // wall
    int pid = 0;
  };

  // It may be newer than what is known.
  bool IsNews(std::string_view line) const;

  bool whole_ = false;
  Millis last_ = 0;
  bool rebooted_ = false;
  std::optional<Last> daemon_;        // the newest record about slcd's life
  std::map<ServiceId, Last> newest_;  // record of what has happened to it
};

}  // namespace slc
