// RequestParser: the requests in the bytes of one HTTP/1 connection, one event at a time.
//
// llhttp reads them; this class refuses what llhttp or others would read in two ways (smuggling),
// and what is larger than anybody needs: both a Content-Length and a Transfer-Encoding, two of one
// of them, encodings other than "chunked", line ends that are not CR LF, folded lines, blanks
// before a colon, control bytes, a missing or second Host, HTTP/0.9, long chunk extensions and
// trailers. Trailers are read and forgotten.
//
// Pure: bytes in, events out. Nothing is read beyond what the last event needed, so whoever stops
// calling holds its client back.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/http/request_head.h"

namespace slc::http {

// Why a request was refused: the status for the client, and a reason for people.
struct Refusal {
  int status = 400;
  std::string reason;
};

class RequestParser {
 public:
  // Bytes. What common clients send is below a tenth of these.
  static constexpr std::size_t kMostRequestLine = 8U << 10;
  static constexpr std::size_t kMostHeaders = 16U << 10;
  static constexpr std::size_t kMostHeaderCount = 100;

  enum class Event {
    kMore,     // all bytes were taken, more are needed
    kHead,     // head() is there; its body follows, then kEnd
    kData,     // data() is a piece of the body
    kEnd,      // the request is complete, another may follow
    kRefused,  // refusal() says why; the connection is of no use any more
  };

  RequestParser();
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Takes what the next event needs from the front of `bytes`.
  Event Next(std::string_view& bytes);

  // Of the last kHead; stays until the next one. To be moved from if it is wanted for longer.
  RequestHead& head();
  // Of the last kData: a part of the bytes that were given.
  std::string_view data() const;
  const Refusal& refusal() const;
  // Bytes of a head have come that is not complete.
  bool within_head() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slc::http
