// What is recorded of slcd's HTTP side: whether it is to run, where it listens, and who may ask
// for what.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"

namespace slc {

// What a client may ask for. Each but kRead includes it, kAdmin includes all.
enum class Scope {
  kRead,     // look
  kOperate,  // start, stop, restart, size, profiles
  kDeploy,   // bring code: deploy, roll back, create, environment
  kAdmin,    // remove services, shut down, whatever else there is
};
inline constexpr Scope kAllScopes[] = {Scope::kRead, Scope::kOperate, Scope::kDeploy,
                                       Scope::kAdmin};
const char* ScopeName(Scope scope);
Result<Scope> ParseScope(const std::string& name);
bool Grants(const std::vector<Scope>& granted, Scope needed);

// Somebody who can prove who he is.
struct GatewayCredential {
  std::string name;    // 1 to 64 of A-Z a-z 0-9 . _ @ -; of a basic one the user's
  bool basic = false;  // user and password; else a bearer token
  // Of a token the SHA-256 in hex. Of a password "scrypt:N:r:p:SALT:KEY" in hex; it has all scopes.
  std::string hash;
  std::vector<Scope> scopes;
  Millis created_wall = 0;
};

struct GatewayWish {
  bool run = false;
  std::vector<std::string> listen;  // "127.0.0.1:8701", "unix:/path"
  std::string certificate;          // paths of PEM files; empty: no TLS
  std::string key;
  std::string client_ca;           // not empty: clients have to show a certificate of it
  std::vector<std::string> hosts;  // names of this machine that browsers may call it by
  std::vector<GatewayCredential> credentials;

  bool has_tls() const { return !certificate.empty(); }
};

inline constexpr const char* kDefaultGatewayListen = "127.0.0.1:8701";

// The path of "unix:/path" or "/path"; empty if it is none.
std::string UnixPathOf(const std::string& listen);
bool IsLoopback(const std::string& listen);

// kInvalid, with what to do, unless all of it can be had together: what listens off loopback needs
// TLS and somebody who can prove who he is.
Status CheckGateway(const GatewayWish& wish);
Status CheckCredentialName(const std::string& name);

// For clients; hashes are not shown.
struct GatewayView {
  GatewayWish wish;
  std::string state;  // off, starting, running, backoff
  int pid = 0;
  Millis started_wall = 0;
  std::string trouble;  // why it does not run though it is to; empty otherwise
};

}  // namespace slc
