// PipeReader: reads a pipe to its end, into memory.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"

namespace slc::gateway {

class PipeReader {
 public:
  // `on_text` is called once, never from within; it may destroy this. kInvalid if there is more
  // than `limit` bytes.
  PipeReader(uv::Loop& loop, UniqueFd pipe, std::size_t limit,
             std::function<void(Result<std::string>)> on_text);
  PipeReader(const PipeReader&) = delete;
  PipeReader& operator=(const PipeReader&) = delete;

 private:
  void Read();
  void Tell(Result<std::string> text);

  UniqueFd pipe_;
  const std::size_t limit_;
  std::function<void(Result<std::string>)> on_text_;
  std::string text_;
  uv::Poll poll_;
};

}  // namespace slc::gateway
