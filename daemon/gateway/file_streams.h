// FileStreams: files that slcd has opened, to the clients that download them.
//
// A file is read on a thread of its own for all of them, a piece at a time and only when its client
// has taken the one before: a disk that hangs, a file of gigabytes and a client that reads slowly
// cost the others nothing. A file that cannot be read to its end breaks its answer off.
#pragma once

#include <sys/types.h>

#include <list>
#include <memory>
#include <string>

#include "common/base/unique_fd.h"
#include "common/http/http_server.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"

namespace slc::gateway {

class FileStreams {
 public:
  explicit FileStreams(uv::Loop& loop) : loop_(loop) {}
  FileStreams(const FileStreams&) = delete;
  FileStreams& operator=(const FileStreams&) = delete;

  // Answers with `head`, and what is in the file as its body.
  void Send(http::HttpServer* server, http::ExchangeId exchange, const http::Response& head,
            UniqueFd file);
  // Of the server's events. Exchanges that download nothing are passed over.
  void OnRoom(http::HttpServer* server, http::ExchangeId exchange);
  void OnGone(http::HttpServer* server, http::ExchangeId exchange);

 private:
  struct Stream {
    http::HttpServer* server = nullptr;  // null: the client has gone
    http::ExchangeId exchange = 0;
    UniqueFd file;
    off_t at = 0;       // others may read the same file, from where they are
    std::string piece;  // the thread's while it reads
    bool failed = false;
    bool busy = false;  // a piece is being read, or passed on
  };

  Stream* Find(http::HttpServer* server, http::ExchangeId exchange);
  void Read(Stream& stream);
  // True: there is room for the next piece.
  static bool Pass(Stream& stream);
  void Drop(const Stream& stream);

  uv::Loop& loop_;
  std::list<std::unique_ptr<Stream>> streams_;
  std::unique_ptr<uv::DiskThread> disk_;  // made for the first; ends before what it reads into
};

}  // namespace slc::gateway
