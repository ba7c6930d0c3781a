#include "common/model/gateway.h"

#include <algorithm>
#include <iterator>

#include "common/base/text.h"
#include "common/model/listen_address.h"

namespace slc {
namespace {

constexpr const char* kScopeNames[] = {"read", "operate", "deploy", "admin"};
constexpr std::size_t kMostNameBytes = 64;
constexpr std::size_t kMostListeners = 16;
// A file of a few kilobytes; who needs more users has a proxy in front.
constexpr std::size_t kMostCredentials = 256;

bool NeedsProof(const GatewayWish& wish) {
  return wish.credentials.empty() && wish.client_ca.empty();
}

}  // namespace

const char* ScopeName(Scope scope) { return kScopeNames[static_cast<std::size_t>(scope)]; }

Result<Scope> ParseScope(const std::string& name) {
  const auto found = std::find(std::begin(kScopeNames), std::end(kScopeNames), name);
  if (found == std::end(kScopeNames)) {
    return Error{ErrorCode::kInvalid, "'" + Printable(name.substr(0, kMostNameBytes)) +
                                          "' is no scope: read, operate, deploy or admin"};
  }
  return kAllScopes[found - std::begin(kScopeNames)];
}

bool Grants(const std::vector<Scope>& granted, Scope needed) {
  return std::any_of(granted.begin(), granted.end(), [needed](Scope one) {
    return one == needed || one == Scope::kAdmin || needed == Scope::kRead;
  });
}

std::string UnixPathOf(const std::string& listen) {
  constexpr std::string_view kScheme = "unix:";
  if (StartsWith(listen, "/")) return listen;
  return StartsWith(listen, kScheme) ? listen.substr(kScheme.size()) : std::string();
}

bool IsLoopback(const std::string& listen) {
  if (!UnixPathOf(listen).empty()) return true;
  const auto parsed = ParseListenAddress(listen);
  return parsed && (StartsWith(parsed->address, "127.") || parsed->address == "::1");
}

Status CheckCredentialName(const std::string& name) {
  const bool good = !name.empty() && name.size() <= kMostNameBytes &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '@';
                    });
  if (good) return Ok();
  return Error{ErrorCode::kInvalid, "'" + Printable(name.substr(0, kMostNameBytes)) +
                                        "' is no name for a token or user: 1 to 64 letters, "
                                        "digits and . _ @ - only"};
}

Status CheckGateway(const GatewayWish& wish) {
  if (wish.credentials.size() > kMostCredentials) {
    return Error{ErrorCode::kInvalid,
                 "there are " + std::to_string(kMostCredentials) +
                     " tokens and users already; remove one: slc token ls, slc token rm NAME"};
  }
  if (wish.certificate.empty() != wish.key.empty()) {
    return Error{ErrorCode::kInvalid, "--tls-cert and --tls-key go together"};
  }
  if (!wish.client_ca.empty() && !wish.has_tls()) {
    return Error{ErrorCode::kInvalid, "--client-ca needs --tls-cert and --tls-key"};
  }
  if (wish.run && wish.listen.empty()) {
    return Error{ErrorCode::kInvalid, "there is nowhere to listen; give --listen ADDR:PORT"};
  }
  if (wish.listen.size() > kMostListeners) {
    return Error{ErrorCode::kInvalid, "more than " + std::to_string(kMostListeners) + " --listen"};
  }
  for (const std::string& listen : wish.listen) {
    const std::string path = UnixPathOf(listen);
    if (!path.empty()) {
      if (path[0] == '/') continue;
      return Error{ErrorCode::kInvalid, "the path of --listen " + Printable(listen) +
                                            " has to be a whole one: unix:/run/slc.sock"};
    }
    auto parsed = ParseListenAddress(listen);
    if (!parsed) return parsed.error();
    if (IsLoopback(listen)) continue;
    if (!wish.has_tls()) {
      return Error{ErrorCode::kInvalid,
                   Printable(listen) +
                       " can be reached from other machines, and what is sent there could be read "
                       "on the way: give --tls-cert FILE and --tls-key FILE, or listen on "
                       "127.0.0.1 and come by ssh: ssh -L 8701:127.0.0.1:8701 HOST"};
    }
    if (NeedsProof(wish)) {
      return Error{ErrorCode::kInvalid,
                   Printable(listen) +
                       " can be reached from other machines, and nobody would have to prove who "
                       "he is: make a token first (slc token add NAME), or give --http-auth "
                       "USER:PASS or --client-ca FILE"};
    }
  }
  return Ok();
}

}  // namespace slc
