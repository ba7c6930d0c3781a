// Fetch: what a worker shows, from its result stream (common/wire/result_stream.h) to a file or a
// text, whole or not at all. Blocks, and shows how far it is on a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"

namespace slc::ctl {

struct FetchHow {
  std::string doing;          // "heap-snapshot 1.1.57693": for the terminal
  Millis patience = 120'000;  // without a byte; a worker with a large heap thinks for long
  bool quiet = false;
};

// The file has its name only when it is whole: until then it lies beside it under another, and is
// removed if that does not come about (Ctrl-C, SIGTERM, a full disk, the worker's end, silence).
// Readable by its owner only: a heap holds secrets. Gives its size.
Result<std::uint64_t> FetchFile(const UniqueFd& stream, const std::string& path,
                                const FetchHow& how);

// At most `limit` bytes.
Result<std::string> FetchText(const UniqueFd& stream, std::size_t limit, const FetchHow& how);

}  // namespace slc::ctl
