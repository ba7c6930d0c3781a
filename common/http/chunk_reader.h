// ChunkReader: a body that comes in chunks (RFC 9112, 7.1), one event at a time.
//
// llhttp takes any byte for the line feed behind a chunk's size, so chunks are read here: line ends
// are CR LF, sizes are digits and nothing else, extensions and trailers are bounded, read and
// forgotten.
//
// Pure: bytes in, events out. Nothing is read beyond what the last event needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace slc::http {

class ChunkReader {
 public:
  // Bytes. Between two pieces of data: the size of a chunk, its extensions and the line ends.
  static constexpr std::size_t kMostHead = 320;
  static constexpr std::size_t kMostTrailers = 4U << 10;

  enum class Event {
    kMore,     // all bytes were taken, more are needed
    kData,     // data() is a piece of the body
    kEnd,      // the body is complete
    kRefused,  // reason() says why
  };

  // Takes what the next event needs from the front of `bytes`. Not to be called after kEnd or
  // kRefused.
  Event Next(std::string_view& bytes);

  // Of the last kData: a part of the bytes that were given.
  std::string_view data() const { return data_; }
  std::string_view reason() const { return reason_; }

 private:
  // The next line between two pieces of data.
  enum class Expected { kSize, kEndOfData, kTrailer, kNothing };

  std::size_t MostOfLine() const;
  Event Refuse(std::string_view reason);
  // Why it cannot be what is expected.
  std::optional<std::string_view> TakeLine(std::string_view line);

  Expected expected_ = Expected::kSize;
  std::string line_;        // that is not complete
  std::uint64_t left_ = 0;  // of the chunk
  std::size_t trailers_ = 0;
  std::string_view data_;
  std::string_view reason_;
};

}  // namespace slc::http
