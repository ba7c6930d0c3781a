// Fetch: what a worker shows, from its result stream (common/wire/result_stream.h) to a file or a
// text, whole or not at all. Blocks, and shows how far it is on a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"

namespace slc::ctl {

// What has come of the stream; nothing if nothing has within `limit` (ms), or a signal came; empty
// at its end. It stays until the next call.
using StreamSource = std::function<Result<std::optional<std::string_view>>(Millis limit)>;

struct FetchHow {
  std::string doing;          // "heap-snapshot 1.1.57693": for the terminal
  Millis patience = 120'000;  // without a byte; a worker with a large heap thinks for long
  bool quiet = false;
  // What sends it is in the hands of the app: it must neither fill the disk nor go on for ever. Of
  // the disk a twentieth stays free, once it is a large one.
  std::uint64_t most = 64ULL << 30;  // bytes
  std::uint64_t slowest = 1024;      // bytes a second on the average, once `patience` is over
};

// Whether a file of that name could be made, as far as that can be told without making it. To be
// asked before the worker is: a profile is given out once.
Status CanFetchTo(const std::string& path);

// The file has its name only when it is whole: until then it lies beside it under another, and is
// removed if that does not come about (Ctrl-C, SIGTERM, a full disk, the worker's end, silence).
// Readable by its owner only: a heap holds secrets. Gives its size.
Result<std::uint64_t> FetchFile(const StreamSource& stream, const std::string& path,
                                const FetchHow& how);

// At most `limit` bytes.
Result<std::string> FetchText(const StreamSource& stream, std::size_t limit, const FetchHow& how);

}  // namespace slc::ctl
