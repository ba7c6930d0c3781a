#include "daemon/master/log_writer.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/base/no_signals.h"
#include "common/base/unique_fd.h"
#include "daemon/master/log_files.h"

namespace slc {
namespace {

constexpr std::size_t kStackBytes = 128U << 10;
constexpr Millis kRetryPause = 500;
constexpr Millis kRetryPauseAtEnd = 50;
// Memory not needed for so long is given back.
constexpr Millis kCalm = 1000;

LogMemory PageLogMemory() {
  return LogMemory{[](std::size_t size) -> char* {
                     void* pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                     return pages == MAP_FAILED ? nullptr : static_cast<char*>(pages);
                   },
                   [](char* bytes, std::size_t size) { ::munmap(bytes, size); }};
}

}  // namespace

struct LogWriter::Shared {
  Shared(std::string path, LogSettings limits, std::function<void()> callback)
      : directory(std::move(path)),
        on_room(std::move(callback)),
        settings(std::move(limits)),
        queue(::getpid(), PageLogMemory()) {}

  // The thread. True: it has to delete this object.
  bool Run();
  // Until it may end.
  void WriteAll(LogFiles& files);
  bool WriteBlock(LogFiles& files, const LogBlock& block, std::size_t* offset);
  void Sleep(LogFiles& files, Millis timeout);
  void CallOnRoom();
  void SayNotes();
  bool MayCompress();

  const std::string directory;
  UniqueFd wake;  // an eventfd; made with the thread
  pthread_t thread{};
  std::vector<std::string> notes;  // for the log, from the thread itself

  std::mutex mutex;  // protects all that follows
  std::condition_variable changed;
  std::function<void()> on_room;
  LogSettings settings;
  bool settings_changed = true;
  bool compress = true;
  bool compressing = false;
  LogQueue queue;
  bool started = false;
  bool asleep = false;                     // waits for `wake`, whatever it is about
  std::optional<std::size_t> room_wanted;  // see WantRoom()
  bool resting = false;                    // the thread is to end when there is nothing to write
  bool ending = false;
  Millis end_deadline = 0;  // CLOCK_BOOTTIME, once `ending`
  bool finished = false;
  bool orphaned = false;  // nobody but the thread knows this object
  std::string trouble;
};

void LogWriter::Shared::CallOnRoom() {
  if (std::exchange(room_wanted, std::nullopt) && on_room) on_room();
}

// The mutex is held. What there is no room for waits for the next time.
void LogWriter::Shared::SayNotes() {
  const LineHead head(settings.format, LogStream::kOut, WallNow(), ::getpid(), 0);
  while (!notes.empty()) {
    if (!queue.Push(head, std::string(log::LevelName(log::Level::kWarn)) + " " + notes.front()))
      return;
    notes.erase(notes.begin());
  }
}

// Until somebody writes to `wake`, a compression ends or may begin, or the time (-1: none) is over.
void LogWriter::Shared::Sleep(LogFiles& files, Millis timeout) {
  if (const Millis due = files.gzip_due(); due >= 0) {
    const Millis left = std::max<Millis>(due - BootNow(), 0);
    timeout = timeout < 0 ? left : std::min(timeout, left);
  }
  std::array<pollfd, 2> entries{{{wake.get(), POLLIN, 0}, {files.gzip_fd(), POLLIN, 0}}};
  ::poll(entries.data(), entries.size(), static_cast<int>(timeout));
  std::uint64_t count = 0;
  if (entries[0].revents != 0 && ::read(wake.get(), &count, sizeof count) < 0) count = 0;
}

bool LogWriter::Shared::MayCompress() {
  const std::lock_guard<std::mutex> hold(mutex);
  return compress;
}

// False: the end has come before all was written.
bool LogWriter::Shared::WriteBlock(LogFiles& files, const LogBlock& block, std::size_t* offset) {
  Millis since = 0;
  std::string reason;
  while (true) {
    const Status written = files.Append(block.stream(), block.text(), offset);
    files.Tend();
    if (written) break;
    if (since == 0) since = BootNow();
    reason = written.error().message;
    Millis pause = kRetryPause;
    {
      const std::lock_guard<std::mutex> hold(mutex);
      trouble = reason;
      // Whoever waits for room waits in vain.
      CallOnRoom();
      if (ending) {
        pause = std::min(kRetryPauseAtEnd, end_deadline - BootNow());
        if (pause <= 0) return false;
      }
    }
    Sleep(files, pause);
  }
  if (since == 0) return true;
  notes.push_back("log files could not be written for " + FormatSpan(BootNow() - since) + ": " +
                  reason);
  const std::lock_guard<std::mutex> hold(mutex);
  trouble.clear();
  return true;
}

bool LogWriter::Shared::Run() {
  while (true) {
    {
      // To close files may take as long as to write them.
      LogFiles files(directory);
      WriteAll(files);
    }
    const std::lock_guard<std::mutex> hold(mutex);
    settings_changed = true;
    compressing = false;
    if (!resting && !ending) continue;
    finished = true;
    changed.notify_all();
    return orphaned;
  }
}

void LogWriter::Shared::WriteAll(LogFiles& files) {
  Millis busy_until = 0;  // when the last block was written
  while (true) {
    std::unique_ptr<LogBlock> block;
    Millis timeout = -1;
    // To give a compression up may take as long as to write.
    files.Compress(MayCompress());
    {
      const std::lock_guard<std::mutex> hold(mutex);
      if (std::exchange(settings_changed, false)) {
        files.SetLimits(settings.file_bytes, settings.files);
        files.SetGzip(settings.gzip);
      }
      compressing = files.gzip_fd() >= 0;
      if (!notes.empty()) SayNotes();
      block = queue.Take(WallNow());
      if (!block && (ending || resting)) return;
      asleep = !block;
      if (!queue.trimmed()) timeout = std::max<Millis>(0, busy_until + kCalm - BootNow());
    }
    if (!block) {
      Sleep(files, timeout);
      files.Tend();
      const std::lock_guard<std::mutex> hold(mutex);
      asleep = false;
      if (queue.empty() && BootNow() >= busy_until + kCalm) queue.Trim();
      continue;
    }
    std::size_t offset = 0;
    const bool whole = WriteBlock(files, *block, &offset);
    busy_until = BootNow();
    if (std::string note = files.TakeNote(); !note.empty()) notes.push_back(std::move(note));
    {
      const std::lock_guard<std::mutex> hold(mutex);
      if (whole) {
        queue.Written(std::move(block));
      } else {
        queue.Abandon(std::move(block), offset);
      }
      if (room_wanted && queue.Roomy() && queue.unwritten() <= *room_wanted) CallOnRoom();
      if (!whole) return;
    }
  }
}

LogWriter::LogWriter(std::string directory, LogSettings settings, std::function<void()> on_room)
    : shared_(std::make_unique<Shared>(std::move(directory), std::move(settings),
                                       std::move(on_room))) {}

LogWriter::~LogWriter() {
  Stop(2000);
  if (!left_to_thread_) return;
  const std::lock_guard<std::mutex> hold(shared_->mutex);
  if (shared_->finished) return;
  shared_->orphaned = true;
  static_cast<void>(shared_.release());
}

LogWriter::Access::Access(LogWriter& writer) : writer_(writer) { writer.shared_->mutex.lock(); }

LogWriter::Access::~Access() {
  Shared& shared = *writer_.shared_;
  bool wake = false;
  if (!shared.queue.empty()) {
    if (!shared.started && !shared.ending) writer_.StartThread();
    wake = std::exchange(shared.asleep, false);
  }
  shared.mutex.unlock();
  const std::uint64_t one = 1;
  // It cannot fail: the counter is far from its limit.
  if (wake && ::write(shared.wake.get(), &one, sizeof one) < 0) return;
}

LogQueue* LogWriter::Access::operator->() const { return &writer_.shared_->queue; }

void LogWriter::Access::WantRoom(std::size_t unwritten) {
  auto& wanted = writer_.shared_->room_wanted;
  wanted = std::max(wanted.value_or(0), unwritten);
}

bool LogWriter::Access::refused() const {
  return !writer_.shared_->trouble.empty() || writer_.shared_->ending;
}

// The mutex is held. If the system refuses (too many threads or descriptors), the next line tries
// again.
void LogWriter::StartThread() {
  Shared& shared = *shared_;
  if (!shared.wake) shared.wake.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!shared.wake) return;
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  const NoSignals while_it_is_made;
  const int failed = ::pthread_create(
      &shared.thread, &attributes,
      [](void* argument) -> void* {
        auto* self = static_cast<Shared*>(argument);
        if (self->Run()) delete self;
        return nullptr;
      },
      &shared);
  ::pthread_attr_destroy(&attributes);
  shared.started = failed == 0;
  if (failed == 0) ::pthread_setname_np(shared.thread, "slc-log");
}

void LogWriter::SetSettings(const LogSettings& settings) {
  const std::lock_guard<std::mutex> hold(shared_->mutex);
  shared_->settings = settings;
  shared_->settings_changed = true;
}

void LogWriter::Compress(bool on) {
  Shared& shared = *shared_;
  bool wake = false;
  {
    const std::lock_guard<std::mutex> hold(shared.mutex);
    shared.compress = on;
    wake = std::exchange(shared.asleep, false);
  }
  const std::uint64_t one = 1;
  // It cannot fail: the counter is far from its limit.
  if (wake && ::write(shared.wake.get(), &one, sizeof one) < 0) return;
}

bool LogWriter::compressing() const {
  const std::lock_guard<std::mutex> hold(shared_->mutex);
  return shared_->compressing;
}

LogWriter::Counts LogWriter::counts() const {
  const std::lock_guard<std::mutex> hold(shared_->mutex);
  return Counts{shared_->queue.produced(), shared_->queue.written(), shared_->queue.dropped()};
}

std::string LogWriter::trouble() const {
  const std::lock_guard<std::mutex> hold(shared_->mutex);
  return shared_->trouble;
}

bool LogWriter::Rest(Millis patience) {
  Shared& shared = *shared_;
  std::unique_lock<std::mutex> hold(shared.mutex);
  if (!shared.started) return true;
  shared.resting = true;
  const std::uint64_t one = 1;
  // It cannot fail: the counter is far from its limit.
  if (::write(shared.wake.get(), &one, sizeof one) < 0) return false;
  shared.changed.wait_for(hold, std::chrono::milliseconds(patience),
                          [&shared] { return shared.finished; });
  shared.resting = false;
  if (!shared.finished) return false;
  hold.unlock();
  ::pthread_join(shared.thread, nullptr);
  shared.started = false;
  shared.finished = false;
  shared.asleep = false;
  return true;
}

void LogWriter::Stop(Millis patience) {
  Shared& shared = *shared_;
  std::unique_lock<std::mutex> hold(shared.mutex);
  if (shared.ending) return;
  shared.ending = true;
  shared.end_deadline = BootNow() + patience;
  bool finished = true;
  if (shared.started) {
    const std::uint64_t one = 1;
    if (::write(shared.wake.get(), &one, sizeof one) < 0) finished = false;
    // Somewhat longer than the thread itself tries: only a thread that hangs in the disk misses
    // this.
    finished = shared.changed.wait_for(hold, std::chrono::milliseconds(patience + 100),
                                       [&shared] { return shared.finished; });
  }
  while (std::unique_ptr<LogBlock> block = shared.queue.Take(WallNow())) {
    shared.queue.Abandon(std::move(block), 0);
  }
  shared.queue.Trim();
  shared.on_room = nullptr;
  if (!shared.started) return;
  hold.unlock();
  if (finished) {
    ::pthread_join(shared.thread, nullptr);
    return;
  }
  ::pthread_detach(shared.thread);
  left_to_thread_ = true;
}

}  // namespace slc
