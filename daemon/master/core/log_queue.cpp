#include "daemon/master/core/log_queue.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

namespace slc {

LogMemory HeapLogMemory() {
  return LogMemory{[](std::size_t size) { return new (std::nothrow) char[size]; },
                   [](char* bytes, std::size_t) { delete[] bytes; }};
}

std::uint64_t LogBlock::LinesWithin(std::size_t bytes) const {
  const auto newlines = std::count(bytes_, bytes_ + std::min(bytes, size_), '\n');
  const auto gaps = std::count_if(gap_ends_.begin(), gap_ends_.end(),
                                  [bytes](std::size_t end) { return end <= bytes; });
  return static_cast<std::uint64_t>(newlines - gaps);
}

LogQueue::LogQueue(int own_pid, LogMemory memory) : own_pid_(own_pid), memory_(memory) {}

LogBlock* LogQueue::Tail(LogStream stream, std::size_t room) {
  LogBlock*& tail = tail_[Index(stream)];
  if (tail != nullptr && kLogBlockBytes - tail->size_ >= room) return tail;
  // The other stream can always have one block: stderr is not lost because stdout floods.
  if (in_use_[0] + in_use_[1] >= kLogBlocks || in_use_[Index(stream)] >= kLogBlocks - 1) {
    return nullptr;
  }
  std::unique_ptr<LogBlock> block;
  if (!free_.empty()) {
    // The one used last: it is still in the processor's cache.
    block = std::move(free_.back());
    free_.pop_back();
  } else {
    char* bytes = memory_.allocate(kLogBlockBytes);
    if (bytes == nullptr) return nullptr;
    block = std::make_unique<LogBlock>(memory_, bytes);
  }
  block->stream_ = stream;
  block->size_ = 0;
  block->lines_ = 0;
  block->printed_ = 0;
  block->gap_ends_.clear();
  ++in_use_[Index(stream)];
  tail = block.get();
  waiting_.push_back(std::move(block));
  return tail;
}

bool LogQueue::ReportGap(LogStream stream, Millis wall) {
  Gap& gap = gaps_[Index(stream)];
  const std::string text = "[slc: " + std::to_string(gap.lines) +
                           (gap.lines == 1 ? " line dropped]" : " lines dropped]");
  const LineHead head(gap.format, stream, wall, own_pid_, 0);
  LogBlock* block = Tail(stream, head.Room(text.size()));
  if (block == nullptr) return false;
  block->size_ =
      static_cast<std::size_t>(head.Write(block->bytes_ + block->size_, text) - block->bytes_);
  block->gap_ends_.push_back(block->size_);
  gap.lines = 0;
  return true;
}

bool LogQueue::Push(const LineHead& head, std::string_view text) {
  const LogStream stream = head.stream();
  LogBlock* block = tail_[Index(stream)];
  const std::size_t room = head.Room(text.size());
  if (gaps_[Index(stream)].lines > 0) [[unlikely]] {
    // Only when half of the buffer is free again, or each freed block would get its own gap.
    if (!Roomy() || !ReportGap(stream, head.wall())) return false;
    block = tail_[Index(stream)];
  }
  if (block == nullptr || kLogBlockBytes - block->size_ < room) [[unlikely]] {
    block = Tail(stream, room);
    if (block == nullptr) return false;
  }
  block->size_ =
      static_cast<std::size_t>(head.Write(block->bytes_ + block->size_, text) - block->bytes_);
  ++block->lines_;
  block->printed_ += text.size() + 1;
  unwritten_ += text.size() + 1;
  ++produced_;
  return true;
}

void LogQueue::Drop(const LineHead& head, std::uint64_t lines) {
  produced_ += lines;
  dropped_ += lines;
  Gap& gap = gaps_[Index(head.stream())];
  gap.lines += lines;
  gap.format = head.format();
}

std::unique_ptr<LogBlock> LogQueue::Take(Millis wall) {
  if (waiting_.empty()) {
    for (const LogStream stream : {LogStream::kOut, LogStream::kErr}) {
      if (gaps_[Index(stream)].lines > 0) ReportGap(stream, wall);
    }
    if (waiting_.empty()) return nullptr;
  }
  std::unique_ptr<LogBlock> block = std::move(waiting_.front());
  waiting_.pop_front();
  LogBlock*& tail = tail_[Index(block->stream())];
  if (tail == block.get()) tail = nullptr;
  return block;
}

void LogQueue::Free(std::unique_ptr<LogBlock> block) {
  --in_use_[Index(block->stream())];
  unwritten_ -= block->printed_;
  free_.push_back(std::move(block));
}

void LogQueue::Written(std::unique_ptr<LogBlock> block) {
  written_ += block->lines();
  written_bytes_ += block->text().size();
  Free(std::move(block));
}

void LogQueue::Abandon(std::unique_ptr<LogBlock> block, std::size_t bytes) {
  const std::uint64_t reached = block->LinesWithin(bytes);
  written_ += reached;
  dropped_ += block->lines() - reached;
  Free(std::move(block));
}

std::int64_t Patience::Left(std::uint64_t written) {
  constexpr std::uint64_t kBytesPerMicro = kSlowest / 1'000'000;
  const std::uint64_t earned = (written - written_) / kBytesPerMicro;
  written_ += earned * kBytesPerMicro;
  left_ =
      std::min(kMost, left_ + static_cast<std::int64_t>(std::min<std::uint64_t>(earned, kMost)));
  // Less than the resolution of the loop's timers is no use.
  return left_ < 2000 ? 0 : left_;
}

}  // namespace slc
