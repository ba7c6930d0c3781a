// RequestHead: what stands before the body of an HTTP/1 request. Made by RequestParser, which has
// refused what is ambiguous; so two readers of one head cannot disagree about where its body ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slc::http {

struct Header {
  std::string name;  // in lower case
  std::string value;
};

struct RequestHead {
  std::string method;  // "GET"
  std::string target;  // in origin form: "/path?query", or "*"
  std::string host;    // of the target if that was absolute, else of the Host header; may be empty
  std::vector<Header> headers;
  bool http10 = false;      // HTTP/1.0: knows no chunks
  bool keep_alive = false;  // the client will send another request on the connection
  bool chunked = false;
  std::optional<std::uint64_t>
      length;                     // of the body, bytes; nothing with `chunked` or without body
  bool expects_continue = false;  // waits for "100 Continue" before it sends the body

  bool has_body() const { return chunked || (length && *length > 0); }
  // The first of that name (in lower case); null if there is none.
  const std::string* Find(std::string_view name) const {
    for (const Header& header : headers) {
      if (header.name == name) return &header.value;
    }
    return nullptr;
  }
};

}  // namespace slc::http
