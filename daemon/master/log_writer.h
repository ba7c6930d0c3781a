// LogWriter: the thread that writes a service's log files, and the buffer in front of it.
//
// No thread exists before the first line. It has a small stack, takes no signal, and blocks on the
// disk so that the loop need not. When the disk refuses (full, read-only, gone) it tries again
// twice a second with the line it stands at; meanwhile the buffer fills, and what does not fit is
// dropped and counted by LogQueue. When the trouble has ended it writes a line about it.
//
// A disk that hangs stops this thread alone; Stop() then gives up on it after the patience it was
// given.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/time.h"
#include "common/model/service.h"
#include "daemon/master/core/log_queue.h"

namespace slc {

struct LogSettings {
  LogFormat format = LogFormat::kText;
  std::uint64_t file_bytes = 10U << 20;  // a file is put aside when it would grow beyond this
  std::uint32_t files = 10;              // both streams together, current ones included
  std::uint64_t rate = 0;                // bytes per second that are logged; 0: no limit
  std::string gzip;                      // the program; empty: gzip in PATH

  bool operator==(const LogSettings&) const = default;
};

class LogWriter {
  struct Shared;

 public:
  // `directory` is absolute and made when the first line comes. `on_room` is called by the writer's
  // thread, once for each WantRoom(), when there is room or the disk refuses; it may only wake
  // somebody.
  LogWriter(std::string directory, LogSettings settings, std::function<void()> on_room);
  // Stops with a patience of two seconds if Stop() was not called.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  static constexpr std::size_t kAnyRoom = SIZE_MAX;

  // The buffer, locked as long as this object lives; then the thread is woken (or started) if there
  // is something to write. Keep it short: the writer waits.
  class Access {
   public:
    explicit Access(LogWriter& writer);
    ~Access();
    Access(const Access&) = delete;
    Access& operator=(const Access&) = delete;
    LogQueue* operator->() const;
    // Asks for one call of `on_room`, when half of the buffer is free and no more than `unwritten`
    // bytes (LogQueue::unwritten) are to be written. Asked for twice, the easier one counts.
    void WantRoom(std::size_t unwritten);
    // The disk refuses at the moment: waiting for room is vain.
    bool refused() const;

   private:
    LogWriter& writer_;
  };

  void SetSettings(const LogSettings& settings);

  // Lines since the start: produced == written + dropped + what waits in the buffer.
  struct Counts {
    std::uint64_t produced = 0;
    std::uint64_t written = 0;
    std::uint64_t dropped = 0;
  };
  Counts counts() const;

  // Why nothing can be written at the moment; empty if all is well.
  std::string trouble() const;

  // False: what is being compressed is given up, and compressing() is false soon; nothing more is
  // until true.
  void Compress(bool on);
  // A gzip of ours lives.
  bool compressing() const;

  // Ends the thread, as long as there is nothing to write; the next line starts another. False if
  // it was not seen to end within `patience`: it hangs in the disk, and goes on when that does.
  bool Rest(Millis patience);

  // Writes what there is and ends the thread. What could not be written within `patience` counts as
  // dropped. Afterwards lines are dropped.
  void Stop(Millis patience);

 private:
  void StartThread();

  // Shared with the thread, and left to it if it hangs in the disk at the end.
  std::unique_ptr<Shared> shared_;
  bool left_to_thread_ = false;
};

}  // namespace slc
