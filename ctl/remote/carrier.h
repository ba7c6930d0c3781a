// Carrier: a program that carries the bytes of a connection on to where slc itself cannot go:
//
//     ssh           to a port of another machine, by the system's ssh, its keys and its config
//     slc-https     TLS, which costs more to load than all else that slc does
//
// It has one end of a socket pair as its standard input and output, so to Client it looks like any
// connection. It ends when that does.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/base/spawn.h"
#include "common/base/unique_fd.h"
#include "common/http/url.h"

namespace slc::ctl {

// What TLS goes by: files, PEM. Empty: the system's authorities, no certificate of our own.
struct TlsFiles {
  std::string ca;
  std::string certificate;
  std::string key;
};
// Those that are not given are taken from SLC_CACERT, SLC_CERT and SLC_KEY of the environment.
TlsFiles TlsFilesOf(TlsFiles given);

class Carrier {
 public:
  // `url` is of ssh.
  static Result<Carrier> Ssh(const http::Url& url);
  // `socket` leads to the server of `url`.
  static Result<Carrier> Https(const http::Url& url, UniqueFd socket, const TlsFiles& files);

  // The other end, to be taken once. It does not block.
  UniqueFd TakeSocket() { return std::move(socket_); }
  // How it ended, and what it said of that; "" if it goes on.
  std::string LastWords();

 private:
  Carrier(std::string name, Spawned process, UniqueFd socket, UniqueFd said)
      : name_(std::move(name)),
        process_(std::move(process)),
        socket_(std::move(socket)),
        said_(std::move(said)) {}
  static Result<Carrier> Start(SpawnOptions options, std::string name, bool keep_words);

  std::string name_;
  Spawned process_;
  UniqueFd socket_;
  UniqueFd said_;  // its standard error; none if that is ours
};

}  // namespace slc::ctl
