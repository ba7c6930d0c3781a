// JournalWriter: brings records to the journal file without ever waiting for the disk.
//
// Records wait in memory (512 at most) for the disk thread, which writes all that wait at once.
// When the disk refuses, it is tried again each second; what finds no room meanwhile is counted,
// and a record of the kind "gap" says so when it works again. Durable at once, but at most once a
// second: a loss of power takes the records of the last second, the end of slcd those that wait.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/model/journal.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"

namespace slc {

class JournalWriter {
 public:
  // `disk` outlives this; `home`, an open directory, outlives `disk`.
  JournalWriter(uv::Loop& loop, uv::DiskThread& disk, int home);
  // Hands what waits to the disk thread, once.
  ~JournalWriter();
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  void Write(JournalRecord record);
  // Every record is in the file, though perhaps not durable.
  bool idle() const { return waiting_.empty() && !busy_ && lost_ == 0; }

 private:
  struct Shared;
  struct Batch;

  void Start();
  void Finished(const std::shared_ptr<Batch>& batch);
  void Troubled(const std::string& trouble);

  uv::Loop& loop_;
  uv::DiskThread& disk_;
  std::shared_ptr<Shared> shared_;  // the disk thread's, which may still be at it when we end
  std::vector<JournalRecord> waiting_;
  std::uint64_t lost_ = 0;
  Millis lost_since_ = 0;  // wall
  std::string trouble_;    // why the last try failed; empty: it did not
  bool busy_ = false;
  bool unsynced_ = false;
  Millis synced_at_ = 0;
  uv::Timer timer_;  // the next try, or the next sync
};

}  // namespace slc
