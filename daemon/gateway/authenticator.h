// Authenticator: who asks, by what he proves it with.
//
// At a unix socket the kernel tells: slcd's user and root may do all. Over TCP it takes a user and
// password (Authorization: Basic), a token (Bearer, or as the password of any user, as git sends
// it), or a certificate, if slcd wants those. Where nobody could prove anything (no credential, no
// client CA: loopback only), the kernel tells again whose the other end is, and the rest has to
// make a token.
//
// Passwords are checked in a thread: each takes some 50 ms, which others need not wait for. What
// has proved good is remembered, until the credentials change. Addresses that fail are slowed down
// (FailureThrottle).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/time.h"
#include "common/http/http_server.h"
#include "common/http/request_head.h"
#include "common/model/gateway.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "daemon/gateway/core/failure_throttle.h"

namespace slc::gateway {

// Who has proved who he is.
struct Principal {
  std::string name;  // for the journal: "token ci", "user ops", "certificate of build-host"
  std::vector<Scope> scopes;
};

class Authenticator {
 public:
  struct Verdict {
    std::optional<Principal> principal;
    Millis wait = 0;     // not looked at: this address has failed too often; ms
    std::string reason;  // why there is no principal, for people
  };
  using Done = std::function<void(const Verdict& verdict)>;

  struct Owner {
    unsigned uid = 0;
    std::string name;
  };
  // `owner`: slcd's user.
  Authenticator(uv::Loop& loop, Owner owner);
  ~Authenticator();
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;

  void SetCredentials(std::vector<GatewayCredential> credentials, bool certificates);
  // `done` is called once, from within if it can be told at once.
  void Check(const http::RequestHead& head, const http::ClientAddress& address, Done done);

 private:
  struct PasswordCheck;

  Verdict ByKernel(const http::ClientAddress& address) const;
  std::optional<Principal> ByCertificate(const std::string& name) const;
  const GatewayCredential* FindToken(const std::string& token) const;
  Verdict Accept(const GatewayCredential& credential, const std::string& address);
  Verdict Reject(const std::string& address, const std::string& reason);
  void CheckPassword(const std::string& user, const std::string& password,
                     const std::string& header, const std::string& address, Done done);

  uv::Loop& loop_;
  const Owner owner_;
  std::vector<GatewayCredential> credentials_;
  bool certificates_ = false;
  FailureThrottle throttle_;
  std::unordered_map<std::string, std::string> good_;  // hash of a header to the user it proved
  std::size_t checks_ = 0;                             // of passwords, under way
  std::unique_ptr<uv::DiskThread> thread_;             // from the first password on
};

// "Basic dXNlcjpwYXNz" -> user, password; nothing if it is not that.
struct UserAndPassword {
  std::string user;
  std::string password;
};
std::optional<UserAndPassword> ParseBasic(const std::string& header);
// "Bearer TOKEN" -> TOKEN; empty if it is not that.
std::string ParseBearer(const std::string& header);

}  // namespace slc::gateway
