// JournalFile: HOME/journal on the disk. Appends lines, and keeps the file sound and bounded.
//
// When it is opened, a last line without its end is cut off; a file with damaged lines is set aside
// as journal.bad, and goes on with the lines that are sound. At 4 MB the file becomes journal.1,
// which replaces the one before. One that was removed or renamed by others is begun anew. All calls
// block and belong to the disk thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/model/journal.h"

namespace slc {

// The last 256 KiB of the journal of this open home, some 1500 records. What cannot be read is not
// there.
JournalEnd ReadJournalEnd(int home);

class JournalFile {
 public:
  // Some 20000 records; read back by `slc events` within some milliseconds.
  static constexpr std::uint64_t kMostBytes = 4U << 20;

  // `home`: the open directory; not owned.
  explicit JournalFile(int home, std::uint64_t most_bytes = kMostBytes)
      : home_(home), most_bytes_(most_bytes) {}

  // Whole lines. After an error none of them counts: what was written of them is cut off, now or
  // when the file is opened again, which the next call does.
  Status Append(std::string_view lines);
  // Makes durable what was appended. What was not when this fails may be missing after a power
  // loss: it is not tried again, for the kernel may have dropped the pages and report success.
  Status Sync();
  // What an operator should know of it: damage that was found.
  std::vector<std::string> TakeWarnings();

 private:
  Status Open();
  Status Recover();
  Status Rotate();
  bool IsInPlace() const;

  int home_;
  std::uint64_t most_bytes_;
  UniqueFd file_;
  std::uint64_t size_ = 0;
  bool unsynced_ = false;
  bool name_unsynced_ = false;  // the directory does not durably know the file
  std::vector<std::string> warnings_;
};

}  // namespace slc
