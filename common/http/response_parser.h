// ResponseParser: the answers in the bytes that a server sends on one HTTP/1 connection, one event
// at a time. As strict as RequestParser, and for the same reason: an answer whose end could be seen
// in two places would let one server answer for another, or a truncated one pass for whole.
//
// Refused are both a Content-Length and a Transfer-Encoding, two of one of them, encodings other
// than "chunked", line ends that are not CR LF, folded lines, blanks before a colon, control bytes,
// versions other than HTTP/1.0 and 1.1, a change of protocol, and what is larger than anybody
// needs. Trailers are read and forgotten. Interim answers (1xx) are passed over.
//
// Pure: bytes in, events out. Nothing is read beyond what the last event needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/request_head.h"

namespace slc::http {

struct AnswerHead {
  int status = 0;
  std::string phrase;  // behind the status; may be empty
  std::vector<Header> headers;
  bool http10 = false;
  bool keep_alive = false;  // another request may follow on the connection
  bool chunked = false;
  std::optional<std::uint64_t> length;  // of the body, bytes
  bool until_close = false;             // the body ends with the connection

  // The first of that name (in lower case); null if there is none.
  const std::string* Find(std::string_view name) const;
  // "application/json" of "Application/JSON; charset=utf-8"; empty if there is no type.
  std::string media_type() const;
};

class ResponseParser {
 public:
  // Bytes. What common servers send is below a tenth of these.
  static constexpr std::size_t kMostStatusLine = 8U << 10;
  static constexpr std::size_t kMostHeaders = 16U << 10;
  static constexpr std::size_t kMostHeaderCount = 100;
  static constexpr int kMostInterim = 16;  // 1xx before an answer

  enum class Event {
    kMore,     // all bytes were taken, more are needed
    kHead,     // head() is there; its body follows, then kEnd
    kData,     // data() is a piece of the body
    kEnd,      // the answer is complete
    kRefused,  // reason() says why; the connection is of no use any more
  };

  ResponseParser();
  ~ResponseParser();
  ResponseParser(const ResponseParser&) = delete;
  ResponseParser& operator=(const ResponseParser&) = delete;

  // The next answer is one to this method, on which depends whether it has a body. To be called
  // before each answer.
  void Expect(std::string_view method);
  // Takes what the next event needs from the front of `bytes`.
  Event Next(std::string_view& bytes);
  // The server has closed the connection: kEnd if that was the end of the body, else kRefused.
  Event Close();

  // Of the last kHead; stays until the next one.
  const AnswerHead& head() const;
  // Of the last kData: a part of the bytes that were given.
  std::string_view data() const;
  const std::string& reason() const;
  // Not one byte of the answer has come.
  bool untouched() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slc::http
