// Url: where a process manager can be reached, as it is typed.
//
//     http://HOST[:PORT]   https://HOST[:PORT]   with USER:PASSWORD@ in front of HOST if needed
//     http+ssh://[LOGIN@]HOST[:PORT]             by the system's ssh to HOST, and there to PORT
//     unix:/PATH                                 a unix socket
//
// Pure. What it shows of itself never holds the password.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace slc::http {

// Of StrongLoop's process manager, and of slc's gateway after it.
inline constexpr std::uint16_t kUsualPort = 8701;

struct Url {
  enum class Scheme { kHttp, kHttps, kSsh, kUnix };

  Scheme scheme = Scheme::kHttp;
  std::string user;  // for HTTP; empty: none given
  std::string password;
  std::string login;  // for ssh; empty: as ssh decides
  std::string host;   // a name or an address, without brackets
  std::uint16_t port = kUsualPort;
  std::string path;  // of the socket

  // "http://10.0.0.7:8701", "unix:/run/x.sock": without user and password.
  std::string shown() const;
  // For the Host header: "10.0.0.7:8701", "[::1]:8701", "localhost"; over ssh as the machine itself
  // sees the port, "127.0.0.1:8701".
  std::string authority() const;
};

// kUsage, saying what is wrong; never with the password in it.
Result<Url> ParseUrl(std::string_view text);

// Nothing that is sent there leaves the machine.
bool IsLoopback(const Url& url);

// Whether `text` is meant as one, right or wrong.
bool LooksLikeUrl(std::string_view text);

// "dXNlcjpwYTU1" of "user:pa55".
std::string Base64(std::string_view bytes);
// "a%20b" of "a b": everything but letters, digits and -._~ is encoded.
std::string PercentEncode(std::string_view text);

}  // namespace slc::http
