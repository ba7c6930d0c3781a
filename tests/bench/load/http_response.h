// ResponseParser reads one HTTP/1.x response after the other. Pure: it gets bytes and never a
// socket.
//
// It is strict where a lenient reader would hide a fault: lines end in CR LF, conflicting or
// malformed lengths are errors, a body without a length ends only at EOF. Bodies are counted, never
// stored. Interim responses (1xx) are skipped. After complete() or failed() only Reset() makes
// sense.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace slc::load {

class ResponseParser {
 public:
  // Takes bytes up to the end of the response, returns how many. Fewer than given means that the
  // response is complete (the rest belongs to nobody) or malformed.
  std::size_t Feed(std::string_view bytes);
  // The stream ended: completes a body that has no declared length, changes nothing otherwise.
  void FeedEof();
  // Ready for the next response.
  void Reset();

  // At least one byte of the response has come.
  bool started() const { return started_; }
  bool complete() const { return state_ == State::kComplete; }
  bool failed() const { return state_ == State::kFailed; }
  // The body ends at EOF, so a premature end cannot be told from the real one.
  bool ends_at_eof() const { return state_ == State::kBodyUntilEof; }
  const std::string& error() const { return error_; }

  // The rest is valid once complete().
  int status() const { return status_; }
  std::uint64_t body_bytes() const { return body_bytes_; }
  // The server lets the connection be used for another request.
  bool keeps_alive() const { return keeps_alive_; }
  // Value of the header `x-worker`, empty without one.
  const std::string& worker() const { return worker_; }

 private:
  enum class State {
    kStatusLine,
    kHeader,
    kFixedBody,
    kBodyUntilEof,
    kChunkSize,
    kChunkData,
    kChunkEnd,
    kTrailer,
    kComplete,
    kFailed,
  };

  void ResetHead();
  bool TakeLine(std::string_view& bytes, std::string_view& line);
  void OnLine(std::string_view line);
  void OnStatusLine(std::string_view line);
  void OnHeader(std::string_view line);
  void OnHeadersEnd();
  void OnChunkSize(std::string_view line);
  void Fail(std::string error);

  State state_ = State::kStatusLine;
  bool started_ = false;
  bool keeps_alive_ = true;
  bool has_length_ = false;
  bool chunked_ = false;
  int status_ = 0;
  std::uint64_t length_ = 0;      // declared
  std::uint64_t left_ = 0;        // of the body or of the chunk
  std::uint64_t body_bytes_ = 0;  // received
  std::size_t line_bytes_ = 0;    // in all lines so far, against endless heads
  std::string partial_;           // a line that has not ended yet
  std::string line_;              // a line that came in pieces, while it is looked at
  std::string worker_;
  std::string error_;
};

}  // namespace slc::load
