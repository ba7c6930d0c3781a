// LogPump: takes what the workers of one service print and hands it to the log writer.
//
// Pipes are kept drained whatever the disk does, so a worker is never blocked or killed by a disk:
// when the buffer is full (see LogQueue) the pump waits for moments (see Patience), then lines are
// dropped and counted; so are those beyond the service's rate (see LogRate). As long as the disk
// keeps up little is taken out of the pipes before it is written (see InHand). A worker that floods
// gets a bounded share of each turn of the loop, and its pipe is read in ticks of some milliseconds
// rather than for each of its writes, which saves most of the work; its pipe is made larger for as
// long as that lasts. One that floods on is slowed down, for its neighbours' sake (see FloodPace).
// What is in a pipe survives a kill of the master (slcd holds the read end too); what was read and
// not yet written does not.
//
// Nothing is allocated for a pipe that is silent. Buffers exist while there is something to do.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/log.h"
#include "common/base/time.h"
#include "common/uv/async.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "daemon/master/core/flood_pace.h"
#include "daemon/master/core/in_hand.h"
#include "daemon/master/core/log_queue.h"
#include "daemon/master/core/log_rate.h"
#include "daemon/master/log_writer.h"

namespace slc {

class LogPump {
 public:
  // `directory`: of the service's logs, absolute; made when the first line comes.
  LogPump(uv::Loop& loop, std::string directory, LogSettings settings);
  ~LogPump();
  LogPump(const LogPump&) = delete;
  LogPump& operator=(const LogPump&) = delete;

  // Starts reading a worker's output. The descriptors are read ends of pipes; the caller owns them
  // and keeps them open until after Remove(). -1: there is none. They become non-blocking.
  void Add(WorkerId worker, pid_t pid, int stdout_fd, int stderr_fd);
  // Reads what is in both pipes, takes a last line without end as a line, and forgets the
  // descriptors: the caller may close them. What there is no room for at the moment is read later,
  // from duplicates.
  void Remove(WorkerId worker);

  // `behind` has changed: to be made known to whoever may have to take over, before it returns.
  // Not called any more once FlushAndStop() is.
  void OnBehind(std::function<void()> changed) { on_behind_ = std::move(changed); }
  // The workers print without end, and are slowed down from now on, see FloodPace. Once for each
  // flood.
  void OnFlood(std::function<void()> slowed) { on_flood_ = std::move(slowed); }
  // More is in hand than usual, see InHand.
  bool behind() const { return in_hand_.behind(); }

  // Holds for lines read and written from now on.
  void SetSettings(const LogSettings& settings);

  // A line of the master's own, in out.log: "... pid:27466 worker:0 INFO supervisor starting".
  void Say(log::Level level, const std::string& text);

  // The last lines (20 and 8 KiB at most) that a worker has printed on either stream since Add(),
  // for a report of why it did not come up. Kept beyond Remove(), until ForgetTail(): to be called
  // when it became ready or the failure was reported. Those of gone workers are kept for the last
  // 16 only.
  std::vector<std::string> Tail(WorkerId worker) const;
  void ForgetTail(WorkerId worker);

  // Lines that will never be in a file, those of a predecessor included.
  std::uint64_t dropped() const;
  void CountOn(std::uint64_t dropped) { dropped_before_ = dropped; }
  // All that was read is in the files or dropped, no removed worker's pipe is still to be read, and
  // when paused no gzip of ours lives.
  bool idle() const;
  // Why log files cannot be written at the moment; empty if all is well.
  std::string trouble() const { return writer_->trouble(); }

  // --- when the master goes on as another image
  // Reads no pipe of a living worker and compresses nothing, until Resume(): idle() comes soon, if
  // the disk does its part.
  void Pause();
  // Leaves no thread and no child behind, until Resume() or the next line. To be called when idle.
  // False if the disk holds the thread, for which it is waited 50 ms: then another image must not
  // be executed, since the kernel would let that wait for the disk as well.
  bool Close();
  void Resume();
  // Of lines whose end has not been read.
  struct Beginning {
    WorkerId worker = 0;
    LogStream stream = LogStream::kOut;
    std::string text;
  };
  std::vector<Beginning> Beginnings() const;
  // Takes up one, after Add().
  void GoOn(Beginning beginning);

  // For the end of the process: stops reading, writes what was read and ends the thread. Blocks up
  // to `patience`. Afterwards nothing is logged any more.
  void FlushAndStop(Millis patience);

 private:
  struct LastLines;
  struct Pipe;

  void AddPipe(WorkerId worker, pid_t pid, LogStream stream, int fd, LastLines* last_lines);
  void OnReadable(Pipe& pipe);
  void OnTick();
  std::span<char> Buffer();
  std::size_t Pull(Pipe& pipe, std::size_t budget);
  bool Deliver(Pipe& pipe, std::string_view bytes);
  bool Finish(Pipe& pipe);
  bool Offer(LogWriter::Access& queue, const LineHead& head, std::string_view line);
  void TellRefused(LogWriter::Access& queue);
  void AwaitRate();
  void OnRate();
  std::size_t MayRead(Pipe& pipe, std::size_t wanted);
  void FallBehind();
  void OnRoom();
  std::int64_t MayWait(const LogWriter::Access& queue);
  void Stall(Pipe& pipe, std::string_view rest, std::int64_t patience);
  bool GoOn();
  void Pace(Pipe& pipe);
  void StopPacing(Pipe& pipe);
  void StartTicking(Millis delay);
  void ReadOnAfterRemoval(Pipe& pipe);
  void EraseFinished();
  void FreeBuffer();

  uv::Loop& loop_;
  std::unique_ptr<uv::Async> on_room_;  // woken by the writer's thread
  LogSettings settings_;
  std::unique_ptr<LogWriter> writer_;
  std::map<WorkerId, std::unique_ptr<LastLines>> last_lines_;
  std::vector<std::unique_ptr<Pipe>> pipes_;

  // Pipes read in ticks: those that are busy, and those of removed workers.
  std::unique_ptr<uv::Timer> tick_;
  std::size_t next_in_tick_ = 0;
  char* buffer_ = nullptr;          // mapped while there is something to read
  std::array<char, 2048> spare_{};  // in its place where nothing can be mapped

  // While the buffer is full, or enough is in hand, no pipe is read.
  std::unique_ptr<uv::Timer> patience_over_;
  Patience patience_;
  Pipe* stalled_ = nullptr;  // whose bytes, in its buffer, are to be delivered first
  std::string_view stalled_rest_;
  std::int64_t stalled_since_ = 0;  // microseconds
  bool in_hand_full_ = false;       // that is why
  InHand in_hand_;
  std::function<void()> on_behind_;
  std::function<void()> on_flood_;
  LogRate rate_;
  FloodPace pace_;
  std::unique_ptr<uv::Timer> rate_over_;  // while lines are refused
  std::uint64_t dropped_before_ = 0;      // by a predecessor
  bool may_wait_ = true;
  bool paused_ = false;
  bool stopped_ = false;
};

}  // namespace slc
