#include "daemon/gateway/file_streams.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/http/response.h"

namespace slc::gateway {
namespace {

constexpr std::size_t kPiece = 128U << 10;

}  // namespace

void FileStreams::Send(http::HttpServer* server, http::ExchangeId exchange,
                       const http::Response& head, UniqueFd file) {
  if (!server->awaits(exchange)) return;
  if (!disk_) {
    auto thread = uv::DiskThread::Make(loop_);
    if (!thread) {
      http::Response response;
      response.status = 503;
      response.body =
          "{\"error\":{\"status\":503,\"message\":\"no thread can be made to read the "
          "file\"}}\n";
      return server->Answer(exchange, response);
    }
    disk_ = std::move(*thread);
  }
  Stream& stream = *streams_.emplace_back(std::make_unique<Stream>());
  stream.server = server;
  stream.exchange = exchange;
  stream.file = std::move(file);
  stream.busy = true;
  server->Begin(exchange, head, /*follower=*/false);
  Read(stream);
}

FileStreams::Stream* FileStreams::Find(http::HttpServer* server, http::ExchangeId exchange) {
  for (const auto& stream : streams_) {
    if (stream->server == server && stream->exchange == exchange) return stream.get();
  }
  return nullptr;
}

void FileStreams::Read(Stream& stream) {
  stream.busy = true;
  disk_->Run(
      [&stream] {
        stream.piece.resize(kPiece);
        ssize_t got = 0;
        do {
          got = ::pread(stream.file.get(), stream.piece.data(), stream.piece.size(), stream.at);
        } while (got < 0 && errno == EINTR);
        stream.failed = got < 0;
        stream.piece.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        stream.at += static_cast<off_t>(stream.piece.size());
      },
      [this, &stream] {
        if (Pass(stream)) return Read(stream);
        stream.busy = false;
        if (stream.server == nullptr) Drop(stream);
      });
}

bool FileStreams::Pass(Stream& stream) {
  if (stream.server == nullptr) return false;
  if (stream.failed) {
    std::exchange(stream.server, nullptr)->Break(stream.exchange);
    return false;
  }
  if (stream.piece.empty()) {
    std::exchange(stream.server, nullptr)->End(stream.exchange);
    return false;
  }
  stream.server->Write(stream.exchange, stream.piece);
  // It may have gone within that.
  return stream.server != nullptr &&
         stream.server->unsent(stream.exchange) < http::HttpServer::kRoom;
}

void FileStreams::OnRoom(http::HttpServer* server, http::ExchangeId exchange) {
  Stream* stream = Find(server, exchange);
  if (stream != nullptr && !stream->busy) Read(*stream);
}

void FileStreams::OnGone(http::HttpServer* server, http::ExchangeId exchange) {
  Stream* stream = Find(server, exchange);
  if (stream == nullptr) return;
  stream->server = nullptr;
  if (!stream->busy) Drop(*stream);
}

void FileStreams::Drop(const Stream& stream) {
  streams_.remove_if([&stream](const auto& each) { return each.get() == &stream; });
}

}  // namespace slc::gateway
