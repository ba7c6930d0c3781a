#include "tests/bench/load/request.h"

#include <algorithm>

namespace slc::load {
namespace {

constexpr std::uint64_t kChunkBytes = 64 * 1024;

std::string HostHeader(const Url& url) {
  bool is_v6 = url.host.find(':') != std::string::npos;
  std::string host = is_v6 ? "[" + url.host + "]" : url.host;
  return url.port == (url.tls ? 443 : 80) ? host : host + ":" + std::to_string(url.port);
}

}  // namespace

Request::Request(const LaneOptions& options) {
  start_ = (options.post ? "POST " : "GET ") + options.url.path + " HTTP/1.1\r\n";
  start_ += "Host: " + HostHeader(options.url) + "\r\n";
  if (options.close) start_ += "Connection: close\r\n";
  if (options.post) start_ += "Content-Length: " + std::to_string(options.body) + "\r\n";
  for (const auto& [name, value] : options.headers) start_ += name + ": " + value + "\r\n";
  start_ += "\r\n";
  size_ = start_.size() + options.body;
  // One write then carries the whole request.
  if (options.body <= kChunkBytes) {
    start_.append(static_cast<std::size_t>(options.body), 'x');
  } else {
    chunk_.assign(kChunkBytes, 'x');
  }
}

std::string_view Request::PieceAt(std::uint64_t offset) const {
  if (offset < start_.size()) {
    return std::string_view(start_).substr(static_cast<std::size_t>(offset));
  }
  return std::string_view(chunk_).substr(
      0, static_cast<std::size_t>(std::min<std::uint64_t>(chunk_.size(), size_ - offset)));
}

}  // namespace slc::load
