#include "daemon/gateway/pipe_reader.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace slc::gateway {

PipeReader::PipeReader(uv::Loop& loop, UniqueFd pipe, std::size_t limit,
                       std::function<void(Result<std::string>)> on_text)
    : pipe_(std::move(pipe)),
      limit_(limit),
      on_text_(std::move(on_text)),
      poll_(loop, pipe_.get(), [this](uv::Poll::Ready) { Read(); }) {
  poll_.Watch(true, false);
}

void PipeReader::Read() {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(pipe_.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return Tell(SystemError("read the pipe", errno));
  if (got == 0) return Tell(std::move(text_));
  text_.append(buffer.data(), static_cast<std::size_t>(got));
  if (text_.size() > limit_) {
    Tell(Error{ErrorCode::kInvalid, "it is longer than " + std::to_string(limit_) + " bytes"});
  }
}

void PipeReader::Tell(Result<std::string> text) {
  poll_.Watch(false, false);
  const auto tell = std::move(on_text_);
  tell(std::move(text));
}

}  // namespace slc::gateway
