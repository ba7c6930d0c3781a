#include "daemon/profiles/pump.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/wire/result_stream.h"

namespace slc::profiles {
namespace {

constexpr std::size_t kPiece = 256U << 10;

std::string CannotWrite(int file, const std::string& why) {
  const std::string room = DescribeRoom(file);
  return "it cannot be written: " + why + (room.empty() ? "" : "; " + room);
}

}  // namespace

std::string Pump::Run() {
  std::string failure = Take();
  if (failure.empty() && ::fsync(file_) != 0) {
    failure = CannotWrite(file_, SystemError("fsync", errno).message);
  }
  return stopped_ && !failure.empty() ? "it was broken off" : failure;
}

void Pump::Stop() {
  stopped_ = true;
  ::shutdown(source_, SHUT_RDWR);
}

std::string Pump::SoFar() const {
  return bytes_ == 0 ? "before anything had come" : "after " + FormatBytes(bytes_) + " had come";
}

std::string Pump::Wait(Millis until) const {
  const Millis deadline = std::min(until, BootNow() + limits_.silence);
  while (true) {
    const Millis now = BootNow();
    if (now >= until) return "it has not been whole within " + FormatSpan(limits_.longest);
    if (now >= deadline) {
      return "nothing has come for " + FormatSpan(limits_.silence) + ", " + SoFar();
    }
    pollfd ready{source_, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(deadline - now)) > 0) return {};
    if (stopped_) return SoFar();
  }
}

std::string Pump::Take() {
  const Millis until = BootNow() + limits_.longest;
  std::vector<char> buffer(kPiece);
  ResultReader reader;
  while (reader.state() == ResultReader::State::kGoesOn) {
    if (std::string failure = Wait(until); !failure.empty()) return failure;
    const ssize_t got = ::read(source_, buffer.data(), buffer.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return "the worker ended, or gave up, " + SoFar();
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    while (!bytes.empty()) {
      const std::string_view part = reader.Take(bytes);
      if (reader.size() > limits_.bytes) {
        return "it is larger than " + FormatBytes(limits_.bytes) +
               ", which is what all profiles together may take; slc ctl " +
               "heap-snapshot writes one of any size to a file";
      }
      if (part.empty()) continue;
      if (Status written = WriteAll(file_, part); !written) {
        return CannotWrite(file_, written.error().message);
      }
      bytes_ = reader.size();
    }
  }
  if (reader.state() == ResultReader::State::kWhole) return {};
  if (reader.state() == ResultReader::State::kFailed) {
    return "the worker could not make it: " + reader.reason();
  }
  return "what the worker sent is no result: " + reader.reason();
}

}  // namespace slc::profiles
