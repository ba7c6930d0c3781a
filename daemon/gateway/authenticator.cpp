#include "daemon/gateway/authenticator.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/letters.h"
#include "common/base/text.h"
#include "daemon/gateway/credentials.h"

namespace slc::gateway {
namespace {

// One at a time; who comes when so many wait is told to come again.
constexpr std::size_t kMostChecks = 8;
constexpr std::size_t kMostRemembered = 256;
constexpr Millis kComeAgain = 1'000;

std::optional<std::string> DecodeBase64(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    int value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = c - 'A';
    } else if (c >= 'a' && c <= 'z') {
      value = c - 'a' + 26;
    } else if (c >= '0' && c <= '9') {
      value = c - '0' + 52;
    } else if (c == '+' || c == '/') {
      value = c == '+' ? 62 : 63;
    } else {
      return std::nullopt;
    }
    bits = bits << 6 | static_cast<unsigned>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes;
}

// What stands behind the scheme; empty if it is another one.
std::string_view Behind(const std::string& header, const char* scheme) {
  const std::size_t blank = header.find(' ');
  if (blank == std::string::npos || !SameLetters(header.substr(0, blank), scheme)) return {};
  return Trim(std::string_view(header).substr(blank + 1));
}

const std::vector<Scope> kEverything{Scope::kAdmin};

}  // namespace

std::optional<UserAndPassword> ParseBasic(const std::string& header) {
  const auto decoded = DecodeBase64(Behind(header, "basic"));
  if (!decoded) return std::nullopt;
  const std::size_t colon = decoded->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return UserAndPassword{decoded->substr(0, colon), decoded->substr(colon + 1)};
}

std::string ParseBearer(const std::string& header) { return std::string(Behind(header, "bearer")); }

Authenticator::Authenticator(uv::Loop& loop, Owner owner) : loop_(loop), owner_(std::move(owner)) {}
Authenticator::~Authenticator() = default;

void Authenticator::SetCredentials(std::vector<GatewayCredential> credentials, bool certificates) {
  credentials_ = std::move(credentials);
  certificates_ = certificates;
  good_.clear();
}

Authenticator::Verdict Authenticator::ByKernel(const http::ClientAddress& address) const {
  if (address.uid && *address.uid == owner_.uid) {
    return {Principal{"user " + owner_.name, kEverything}, 0, {}};
  }
  if (address.uid && *address.uid == 0) return {Principal{"user root", kEverything}, 0, {}};
  const std::string whom =
      address.uid ? "uid " + std::to_string(*address.uid) : std::string("whoever this is");
  return {std::nullopt, 0,
          "only " + owner_.name + (owner_.uid == 0 ? "" : " and root") + " may ask here, not " +
              whom + "; others need a token, which " + owner_.name + " makes: slc token add NAME"};
}

// One of the same name as a token may do what that may.
std::optional<Principal> Authenticator::ByCertificate(const std::string& name) const {
  if (!certificates_ || name.empty()) return std::nullopt;
  const auto found =
      std::find_if(credentials_.begin(), credentials_.end(),
                   [&](const GatewayCredential& one) { return !one.basic && one.name == name; });
  return Principal{"certificate of " + Printable(name),
                   found == credentials_.end() ? kEverything : found->scopes};
}

const GatewayCredential* Authenticator::FindToken(const std::string& token) const {
  const std::string hash = HashToken(token);
  for (const GatewayCredential& one : credentials_) {
    if (!one.basic && SameSecret(one.hash, hash)) return &one;
  }
  return nullptr;
}

Authenticator::Verdict Authenticator::Accept(const GatewayCredential& credential,
                                             const std::string& address) {
  throttle_.Succeed(address);
  const char* kind = credential.basic ? "user " : "token ";
  return {
      Principal{kind + credential.name, credential.basic ? kEverything : credential.scopes}, 0, {}};
}

Authenticator::Verdict Authenticator::Reject(const std::string& address,
                                             const std::string& reason) {
  throttle_.Fail(address, loop_.now());
  return {std::nullopt, 0, reason};
}

void Authenticator::Check(const http::RequestHead& head, const http::ClientAddress& address,
                          Done done) {
  if (address.local) return done(ByKernel(address));
  if (const auto principal = ByCertificate(address.certificate)) return done({principal, 0, {}});
  if (credentials_.empty()) return done(ByKernel(address));
  const Millis wait = throttle_.Wait(address.text, loop_.now());
  if (wait > 0) return done({std::nullopt, wait, "too many wrong tokens or passwords"});
  const std::string* header = head.Find("authorization");
  // To be asked is no failure: clients of the original always come without first.
  if (header == nullptr) return done({std::nullopt, 0, "a token, or user and password, is needed"});
  std::string token = ParseBearer(*header);
  const auto basic = ParseBasic(*header);
  if (basic && StartsWith(basic->password, "slc_")) token = basic->password;
  if (!token.empty()) {
    const GatewayCredential* credential = FindToken(token);
    return done(credential != nullptr ? Accept(*credential, address.text)
                                      : Reject(address.text, "this token is not known"));
  }
  if (!basic) return done(Reject(address.text, "what Authorization says is not understood"));
  CheckPassword(basic->user, basic->password, HashToken(*header), address.text, std::move(done));
}

struct Authenticator::PasswordCheck {
  std::string user;
  std::string password;
  std::string hash;  // what it is compared with
  bool known = false;
  bool good = false;
};

void Authenticator::CheckPassword(const std::string& user, const std::string& password,
                                  const std::string& header, const std::string& address,
                                  Done done) {
  const auto find = [this](const std::string& name) {
    return std::find_if(
        credentials_.begin(), credentials_.end(),
        [&](const GatewayCredential& one) { return one.basic && one.name == name; });
  };
  const auto credential = find(user);
  const auto remembered = good_.find(header);
  if (remembered != good_.end() && credential != credentials_.end() && remembered->second == user) {
    return done(Accept(*credential, address));
  }
  if (checks_ >= kMostChecks) {
    return done({std::nullopt, kComeAgain, "too many passwords are being checked"});
  }
  auto check = std::make_shared<PasswordCheck>();
  check->user = user;
  check->password = password;
  check->known = credential != credentials_.end();
  // An unknown user takes as long as a known one.
  const auto any = std::find_if(credentials_.begin(), credentials_.end(),
                                [](const GatewayCredential& one) { return one.basic; });
  if (any == credentials_.end()) return done(Reject(address, "no user has a password here"));
  check->hash = check->known ? credential->hash : any->hash;
  if (!thread_) {
    auto made = uv::DiskThread::Make(loop_);
    if (!made) return done({std::nullopt, kComeAgain, made.error().message});
    thread_ = std::move(*made);
  }
  ++checks_;
  thread_->Run([check] { check->good = IsPasswordOf(check->password, check->hash); },
               [this, check, find, header, address, done = std::move(done)] {
                 --checks_;
                 // It may have been removed meanwhile.
                 const auto now = find(check->user);
                 const bool stands = now != credentials_.end() && now->hash == check->hash;
                 if (!check->known || !check->good || !stands) {
                   return done(Reject(address, "user or password is wrong"));
                 }
                 if (good_.size() >= kMostRemembered) good_.clear();
                 good_[header] = check->user;
                 done(Accept(*now, address));
               });
}

}  // namespace slc::gateway
