#include "daemon/master/log_pump.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "common/base/text.h"
#include "common/base/unique_fd.h"
#include "common/uv/poll.h"

namespace slc {
namespace {

// Small enough to stay in the processor's cache between the read and the formatting.
constexpr std::size_t kReadBytes = 64U << 10;
// A pipe's share of one turn of the loop, and that of all pipes in a tick.
constexpr std::size_t kTurnBytes = 256U << 10;
constexpr std::size_t kTickBytes = 1U << 20;
// From here on a pipe is busy: it is read in ticks and made larger.
constexpr std::size_t kBusyBytes = 32U << 10;
constexpr int kLargePipe = 1 << 20;
constexpr int kLargerPipe = 256 << 10;  // where the user's share of pipe memory is used up
// A pipe read twice within this time is read in ticks of this length until one finds it empty.
constexpr Millis kTick = 5;
constexpr Millis kBusyTick = 1;
// What is read from the pipe of a removed worker at most; a grandchild may fill it for ever.
constexpr std::size_t kMostAfterRemoval = 2U << 20;

constexpr std::size_t kLastLines = 20;
constexpr std::size_t kLastBytes = 8U << 10;
constexpr std::size_t kGoneWorkers = 16;

std::int64_t SteadyMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

struct LogPump::LastLines {
  void Add(std::string_view line) {
    line = line.substr(0, kLastBytes);
    bytes += line.size();
    lines.emplace_back(line);
    while (lines.size() > kLastLines || bytes > kLastBytes) {
      bytes -= lines.front().size();
      lines.pop_front();
    }
  }

  std::deque<std::string> lines;
  std::size_t bytes = 0;
  bool gone = false;  // its worker was removed
};

struct LogPump::Pipe {
  WorkerId worker = 0;
  pid_t pid = 0;
  LogStream stream = LogStream::kOut;
  int fd = -1;
  UniqueFd own;  // of a removed worker: a duplicate, to be read empty
  std::unique_ptr<uv::Poll> poll;
  LineSplitter splitter;
  LastLines* last_lines = nullptr;
  Millis last_read = 0;
  int usual_size = 0;         // > 0: the pipe was made larger than that
  std::size_t allowance = 0;  // of a removed worker: bytes to read at most
  bool paced = false;         // read in ticks
  bool set_aside = false;     // had something to read while the pump was stalled
  bool dry = false;           // the last read emptied it
  bool ended = false;         // nothing can come any more
  bool finished = false;      // to be erased
};

LogPump::LogPump(uv::Loop& loop, std::string directory, LogSettings settings)
    : loop_(loop),
      on_room_(std::make_unique<uv::Async>(loop, [this] { OnRoom(); })),
      settings_(std::move(settings)),
      writer_(std::make_unique<LogWriter>(std::move(directory), settings_,
                                          [this] { on_room_->Wake(); })) {
  rate_.SetLimit(settings_.rate);
}

LogPump::~LogPump() { FlushAndStop(2000); }

void LogPump::Add(WorkerId worker, pid_t pid, int stdout_fd, int stderr_fd) {
  if (stopped_) return;
  Remove(worker);
  ForgetTail(worker);
  auto& last_lines = last_lines_[worker];
  last_lines = std::make_unique<LastLines>();
  AddPipe(worker, pid, LogStream::kOut, stdout_fd, last_lines.get());
  AddPipe(worker, pid, LogStream::kErr, stderr_fd, last_lines.get());
}

void LogPump::AddPipe(WorkerId worker, pid_t pid, LogStream stream, int fd, LastLines* last_lines) {
  if (fd < 0) return;
  auto pipe = std::make_unique<Pipe>();
  Pipe* added = pipe.get();
  pipe->worker = worker;
  pipe->pid = pid;
  pipe->stream = stream;
  pipe->fd = fd;
  pipe->last_lines = last_lines;
  pipe->poll =
      std::make_unique<uv::Poll>(loop_, fd, [this, added](uv::Poll::Ready) { OnReadable(*added); });
  pipes_.push_back(std::move(pipe));
  if (added->poll->ok()) {
    added->poll->Watch(true, false);
    return;
  }
  // The system cannot watch one more descriptor: it is looked at in ticks for ever.
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  Pace(*added);
}

void LogPump::Remove(WorkerId worker) {
  for (const auto& pipe : pipes_) {
    if (pipe->worker != worker || pipe->own) continue;
    pipe->poll.reset();
    pipe->dry = false;
    pipe->allowance = kMostAfterRemoval;
    while (stalled_ == nullptr && !pipe->dry && !pipe->ended && pipe->allowance > 0) {
      pipe->allowance -= Pull(*pipe, pipe->allowance);
    }
    pipe->finished = stalled_ == nullptr && Finish(*pipe);
    if (!pipe->finished) ReadOnAfterRemoval(*pipe);
  }
  EraseFinished();
  FreeBuffer();
  std::size_t gone = 0;
  if (const auto found = last_lines_.find(worker); found != last_lines_.end()) {
    found->second->gone = true;
  }
  for (const auto& [other, last_lines] : last_lines_) gone += last_lines->gone ? 1 : 0;
  if (gone <= kGoneWorkers) return;
  const auto oldest = std::find_if(last_lines_.begin(), last_lines_.end(),
                                   [](const auto& entry) { return entry.second->gone; });
  ForgetTail(oldest->first);
}

// The buffer is full just now, but the last words of a worker are those that matter most.
void LogPump::ReadOnAfterRemoval(Pipe& pipe) {
  pipe.own.reset(::fcntl(pipe.fd, F_DUPFD_CLOEXEC, 3));
  if (pipe.own) {
    pipe.fd = pipe.own.get();
    pipe.paced = true;
    StartTicking(kBusyTick);
    return;
  }
  // No descriptor to be had: now or never. What finds no room is dropped, and counted.
  may_wait_ = false;
  if (GoOn()) StartTicking(0);
  while (!pipe.dry && !pipe.ended && pipe.allowance > 0) {
    pipe.allowance -= Pull(pipe, pipe.allowance);
  }
  Finish(pipe);
  pipe.fd = -1;
  pipe.finished = true;
  may_wait_ = true;
}

void LogPump::SetSettings(const LogSettings& settings) {
  settings_ = settings;
  writer_->SetSettings(settings);
  rate_.SetLimit(settings.rate);
}

void LogPump::Say(log::Level level, const std::string& text) {
  if (stopped_) return;
  LogWriter::Access queue(*writer_);
  const LineHead head(settings_.format, LogStream::kOut, WallNow(), ::getpid(), 0);
  for (const std::string& line : Split(text, '\n')) {
    const std::string whole = std::string(log::LevelName(level)) + " " + line;
    for (std::size_t at = 0; at < whole.size(); at += kLongestLine) {
      const std::string_view piece = std::string_view(whole).substr(at, kLongestLine);
      if (!queue->Push(head, piece)) queue->Drop(head);
    }
  }
}

std::vector<std::string> LogPump::Tail(WorkerId worker) const {
  const auto found = last_lines_.find(worker);
  if (found == last_lines_.end()) return {};
  return {found->second->lines.begin(), found->second->lines.end()};
}

void LogPump::ForgetTail(WorkerId worker) {
  for (const auto& pipe : pipes_) {
    if (pipe->worker == worker) pipe->last_lines = nullptr;
  }
  last_lines_.erase(worker);
}

std::uint64_t LogPump::dropped() const {
  return dropped_before_ + writer_->counts().dropped + rate_.refused();
}

bool LogPump::idle() const {
  const LogWriter::Counts counts = writer_->counts();
  return stalled_ == nullptr && rate_.refused() == 0 && !(paused_ && writer_->compressing()) &&
         counts.produced == counts.written + counts.dropped &&
         std::none_of(pipes_.begin(), pipes_.end(),
                      [](const auto& pipe) { return bool{pipe->own}; });
}

void LogPump::OnReadable(Pipe& pipe) {
  if (stalled_ != nullptr || paused_) {
    pipe.set_aside = true;
    pipe.poll->Watch(false, false);
    return;
  }
  const std::size_t got = Pull(pipe, kTurnBytes);
  const Millis now = loop_.now();
  const bool again = now - pipe.last_read < kTick;
  pipe.last_read = now;
  if (pipe.ended) {
    pipe.poll.reset();
    // Refused: the tick tries again.
    pipe.paced = stalled_ != nullptr || !Finish(pipe);
  } else if (again || got >= kBusyBytes) {
    Pace(pipe);
  }
  FreeBuffer();
}

void LogPump::OnTick() {
  if (stalled_ != nullptr) return;
  if (const std::int64_t wait = pace_.Wait(SteadyMicros()); wait > 0) {
    StartTicking(wait / 1000 + 1);
    return;
  }
  Millis delay = kTick;
  std::size_t total = 0;
  bool any = false;
  const std::size_t first = next_in_tick_;
  for (std::size_t i = 0; i < pipes_.size() && stalled_ == nullptr; ++i) {
    Pipe& pipe = *pipes_[(first + i) % pipes_.size()];
    if (!pipe.paced || (paused_ && !pipe.own)) continue;
    any = true;
    if (total >= kTickBytes) {
      // The others have to wait for the next turn, where they come first.
      next_in_tick_ = (first + i) % pipes_.size();
      delay = 0;
      break;
    }
    const std::size_t budget = pipe.own ? std::min(kTurnBytes, pipe.allowance) : kTurnBytes;
    const std::size_t got = pipe.ended ? 0 : Pull(pipe, budget);
    total += got;
    if (pipe.own) pipe.allowance -= got;
    if (got >= kBusyBytes) delay = std::min(delay, kBusyTick);
    if (got >= kBusyBytes && pipe.usual_size == 0) {
      pipe.usual_size = ::fcntl(pipe.fd, F_GETPIPE_SZ);
      if (::fcntl(pipe.fd, F_SETPIPE_SZ, kLargePipe) < 0) {
        ::fcntl(pipe.fd, F_SETPIPE_SZ, kLargerPipe);
      }
    }
    if (stalled_ != nullptr) {
      // The others come first when it goes on.
      next_in_tick_ = (first + i + 1) % pipes_.size();
      break;
    }
    const bool over = pipe.ended || (pipe.own && (pipe.dry || pipe.allowance == 0));
    if (over) {
      pipe.poll.reset();
      if (!Finish(pipe)) break;
      pipe.paced = false;
      pipe.finished = static_cast<bool>(pipe.own);
    } else if (!pipe.dry) {
      delay = 0;
    } else if (got == 0) {
      StopPacing(pipe);
    }
  }
  EraseFinished();
  pace_.Take(total, SteadyMicros());
  if (pace_.TakeNews() && on_flood_) on_flood_();
  if (any) StartTicking(delay);
  FreeBuffer();
}

void LogPump::Pace(Pipe& pipe) {
  pipe.paced = true;
  if (pipe.poll->ok()) pipe.poll->Watch(false, false);
  if (!tick_ || !tick_->active()) StartTicking(kBusyTick);
}

void LogPump::StartTicking(Millis delay) {
  if (stopped_ || stalled_ != nullptr) return;
  if (!tick_) tick_ = std::make_unique<uv::Timer>(loop_, [this] { OnTick(); });
  tick_->StartIn(delay);
}

void LogPump::StopPacing(Pipe& pipe) {
  if (!pipe.poll || !pipe.poll->ok()) return;
  pipe.paced = false;
  if (pipe.usual_size > 0) ::fcntl(pipe.fd, F_SETPIPE_SZ, pipe.usual_size);
  pipe.usual_size = 0;
  pipe.poll->Watch(true, false);
}

// Where there is no memory for the large buffer, reading goes on slowly: a worker must not wait.
std::span<char> LogPump::Buffer() {
  if (buffer_ == nullptr) {
    void* pages =
        ::mmap(nullptr, kReadBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return spare_;
    buffer_ = static_cast<char*>(pages);
  }
  return {buffer_, kReadBytes};
}

// Reads and delivers up to `budget` bytes; stops early when the pump stalls.
std::size_t LogPump::Pull(Pipe& pipe, std::size_t budget) {
  const std::span<char> buffer = Buffer();
  std::size_t total = 0;
  pipe.dry = false;
  while (total < budget && !pipe.dry) {
    const std::size_t wanted = MayRead(pipe, std::min(buffer.size(), budget - total));
    if (wanted == 0) break;
    const ssize_t got = ::read(pipe.fd, buffer.data(), wanted);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      pipe.dry = true;
      pipe.ended = got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
      break;
    }
    const auto count = static_cast<std::size_t>(got);
    total += count;
    // A pipe gives less than it was asked for only if it has no more.
    pipe.dry = count < wanted;
    if (!Deliver(pipe, {buffer.data(), count})) break;
  }
  return total;
}

// How much may be read now; 0: the pump has stalled.
std::size_t LogPump::MayRead(Pipe& pipe, std::size_t wanted) {
  std::size_t begun = 0;
  for (const auto& each : pipes_) {
    if (each->worker == pipe.worker) begun += each->splitter.partial().size();
  }
  std::int64_t patience = 0;
  {
    LogWriter::Access queue(*writer_);
    const std::size_t may = in_hand_.MayRead(queue->unwritten(), begun, wanted);
    if (may > 0) return may;
    // The last words of a worker are wanted at once, to tell why it has ended.
    const bool removed = pipe.allowance > 0;
    patience = removed ? 0 : std::min(InHand::kHiccup, MayWait(queue));
    if (patience > 0) queue.WantRoom(InHand::kUsual - InHand::kRead);
  }
  if (patience == 0) {
    FallBehind();
    return wanted;
  }
  in_hand_full_ = true;
  Stall(pipe, {}, patience);
  return 0;
}

void LogPump::FallBehind() {
  if (!in_hand_.FallBehind()) return;
  // To hear when it has caught up.
  LogWriter::Access(*writer_).WantRoom(0);
  if (on_behind_) on_behind_();
}

void LogPump::OnRoom() {
  bool caught_up = false;
  if (in_hand_.behind()) {
    LogWriter::Access queue(*writer_);
    caught_up = in_hand_.CatchUp(queue->unwritten());
    if (!caught_up) queue.WantRoom(0);
  }
  if (caught_up && on_behind_) on_behind_();
  // At once: another turn of the loop for each read would double the cost of a flood.
  if (GoOn()) OnTick();
}

// How long to wait for room, in microseconds; 0: not at all.
std::int64_t LogPump::MayWait(const LogWriter::Access& queue) {
  return may_wait_ && !queue.refused() ? patience_.Left(queue->written_bytes()) : 0;
}

// Hands the lines in `bytes` to the writer. False: the pump has stalled and will deliver the rest
// later.
bool LogPump::Deliver(Pipe& pipe, std::string_view bytes) {
  // Only the last lines of a read can be among the last of all; the others need not be copied.
  std::array<std::string_view, kLastLines> recent;
  std::size_t recent_count = 0;
  LastLines* last_lines = pipe.last_lines;
  std::int64_t patience = 0;
  bool dropping = false;
  std::size_t used = 0;
  {
    LogWriter::Access queue(*writer_);
    const LineHead head(settings_.format, pipe.stream, WallNow(), pipe.pid, pipe.worker);
    TellRefused(queue);
    used = pipe.splitter.Feed(bytes, [&](std::string_view line) {
      if (!Offer(queue, head, line)) [[unlikely]] {
        if (!dropping) patience = MayWait(queue);
        if (patience > 0) {
          queue.WantRoom(LogWriter::kAnyRoom);
          return false;
        }
        dropping = true;
        queue->Drop(head);
      }
      if (last_lines != nullptr) [[unlikely]] {
        const bool lasting =
            line.data() >= bytes.data() && line.data() < bytes.data() + bytes.size();
        if (lasting) {
          recent[recent_count++ % kLastLines] = line;
        } else {
          last_lines->Add(line);
        }
      }
      return true;
    });
  }
  const std::size_t kept = std::min(recent_count, kLastLines);
  for (std::size_t i = recent_count - kept; i < recent_count; ++i) {
    last_lines->Add(recent[i % kLastLines]);
  }
  AwaitRate();
  if (patience > 0) Stall(pipe, bytes.substr(used), patience);
  return patience == 0;
}

// The output has ended: a last line without end is a line. False: the pump has stalled, to be tried
// again.
bool LogPump::Finish(Pipe& pipe) {
  std::int64_t patience = 0;
  {
    LogWriter::Access queue(*writer_);
    const LineHead head(settings_.format, pipe.stream, WallNow(), pipe.pid, pipe.worker);
    TellRefused(queue);
    pipe.splitter.Rest([&](std::string_view line) {
      if (!Offer(queue, head, line)) {
        patience = MayWait(queue);
        if (patience > 0) {
          queue.WantRoom(LogWriter::kAnyRoom);
          return false;
        }
        queue->Drop(head);
      }
      if (pipe.last_lines != nullptr) pipe.last_lines->Add(line);
      return true;
    });
  }
  AwaitRate();
  if (patience > 0) Stall(pipe, {}, patience);
  return patience == 0;
}

// False: there is no room for it.
bool LogPump::Offer(LogWriter::Access& queue, const LineHead& head, std::string_view line) {
  if (!rate_.admits()) [[unlikely]] {
    rate_.Refuse(head.stream());
    return true;
  }
  if (!queue->Push(head, line)) [[unlikely]]
    return false;
  rate_.Spend(head.Length(line.size()));
  return true;
}

// What was refused counts as dropped, and is told of before the next line, once lines are admitted
// again.
void LogPump::TellRefused(LogWriter::Access& queue) {
  if (rate_.limited()) rate_.Earn(SteadyMicros());
  if (rate_.refused() == 0 || (!rate_.admits() && !stopped_)) return;
  for (const LogStream stream : {LogStream::kOut, LogStream::kErr}) {
    const std::uint64_t lines = rate_.TakeRefused(stream);
    if (lines > 0) queue->Drop({settings_.format, stream, WallNow(), ::getpid(), 0}, lines);
  }
}

// No later line may come to tell of it.
void LogPump::AwaitRate() {
  if (rate_.refused() == 0 || stopped_) return;
  if (!rate_over_) rate_over_ = std::make_unique<uv::Timer>(loop_, [this] { OnRate(); });
  if (!rate_over_->active()) rate_over_->StartIn(rate_.Wait() / 1000 + 1);
}

void LogPump::OnRate() {
  {
    LogWriter::Access queue(*writer_);
    TellRefused(queue);
  }
  AwaitRate();
}

void LogPump::Stall(Pipe& pipe, std::string_view rest, std::int64_t patience) {
  stalled_ = &pipe;
  stalled_rest_ = rest;
  stalled_since_ = SteadyMicros();
  if (!patience_over_) {
    patience_over_ = std::make_unique<uv::Timer>(loop_, [this] {
      if (in_hand_full_) FallBehind();
      if (GoOn()) StartTicking(0);
    });
  }
  patience_over_->StartIn(patience / 1000);
}

// There is room again, or no patience left. True: pipes that are paced are to be read.
bool LogPump::GoOn() {
  if (stalled_ == nullptr) return false;
  Pipe& pipe = *std::exchange(stalled_, nullptr);
  in_hand_full_ = false;
  patience_over_->Stop();
  patience_.Waited(SteadyMicros() - stalled_since_);
  if (!Deliver(pipe, stalled_rest_)) return false;
  bool any_paced = false;
  for (const auto& other : pipes_) {
    any_paced = any_paced || other->paced;
    if (paused_ || !std::exchange(other->set_aside, false)) continue;
    if (other->poll && !other->paced) other->poll->Watch(true, false);
  }
  FreeBuffer();
  return any_paced;
}

void LogPump::EraseFinished() {
  pipes_.erase(
      std::remove_if(pipes_.begin(), pipes_.end(), [](const auto& pipe) { return pipe->finished; }),
      pipes_.end());
  if (next_in_tick_ >= pipes_.size()) next_in_tick_ = 0;
}

void LogPump::FreeBuffer() {
  if (buffer_ == nullptr || stalled_ != nullptr) return;
  for (const auto& pipe : pipes_) {
    if (pipe->paced && (!paused_ || pipe->own)) return;
  }
  ::munmap(buffer_, kReadBytes);
  buffer_ = nullptr;
}

void LogPump::Pause() {
  paused_ = true;
  writer_->Compress(false);
}

bool LogPump::Close() {
  // It has nothing to do but to close its files, and the loop waits.
  constexpr Millis kPatience = 50;
  return writer_->Rest(kPatience);
}

void LogPump::Resume() {
  paused_ = false;
  writer_->Compress(true);
  bool any_paced = false;
  for (const auto& pipe : pipes_) {
    any_paced = any_paced || pipe->paced;
    if (!std::exchange(pipe->set_aside, false)) continue;
    if (pipe->poll && !pipe->paced) pipe->poll->Watch(true, false);
  }
  if (any_paced) StartTicking(0);
}

std::vector<LogPump::Beginning> LogPump::Beginnings() const {
  std::vector<Beginning> beginnings;
  for (const auto& pipe : pipes_) {
    if (pipe->splitter.empty()) continue;
    beginnings.push_back({pipe->worker, pipe->stream, pipe->splitter.partial()});
  }
  return beginnings;
}

void LogPump::GoOn(Beginning beginning) {
  for (const auto& pipe : pipes_) {
    if (pipe->worker != beginning.worker || pipe->stream != beginning.stream) continue;
    pipe->splitter.GoOn(std::move(beginning.text));
    return;
  }
}

void LogPump::FlushAndStop(Millis patience) {
  if (stopped_) return;
  on_behind_ = nullptr;
  on_flood_ = nullptr;
  const Millis deadline = BootNow() + patience;
  for (const auto& pipe : pipes_) pipe->poll.reset();
  // What removed workers have left in their pipes.
  const auto unread = [this] {
    return std::any_of(pipes_.begin(), pipes_.end(),
                       [](const auto& pipe) { return pipe->own && !pipe->finished; });
  };
  while ((stalled_ != nullptr || unread()) && BootNow() < deadline) {
    if (stalled_ != nullptr) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      GoOn();
      continue;
    }
    for (const auto& pipe : pipes_) {
      if (!pipe->own || pipe->finished || stalled_ != nullptr) continue;
      if (!pipe->dry && pipe->allowance > 0) {
        pipe->allowance -= Pull(*pipe, std::min(kTurnBytes, pipe->allowance));
      } else {
        pipe->finished = Finish(*pipe);
      }
    }
  }
  stopped_ = true;
  may_wait_ = false;
  GoOn();
  for (const auto& pipe : pipes_) {
    if (!pipe->finished) Finish(*pipe);
  }
  {
    LogWriter::Access queue(*writer_);
    TellRefused(queue);
  }
  tick_.reset();
  rate_over_.reset();
  patience_over_.reset();
  pipes_.clear();
  last_lines_.clear();
  FreeBuffer();
  writer_->Stop(std::max<Millis>(deadline - BootNow(), 0));
}

}  // namespace slc
