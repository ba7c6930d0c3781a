#include "common/http/url.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/base/letters.h"
#include "common/base/text.h"
#include "common/http/target.h"

namespace slc::http {
namespace {

Error Wrong(const std::string& what) {
  return Error{ErrorCode::kUsage,
               what + "; it is written http://HOST:PORT, https://, http+ssh://HOST or unix:/PATH"};
}

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// What would be an option to a program that is given it is no name.
bool IsHostName(std::string_view text) {
  return !text.empty() && text.size() <= 253 && text.front() != '-' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return IsLetterOrDigit(c) || c == '.' || c == '-' || c == '_'; });
}

bool IsAddress6(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return IsLetterOrDigit(c) || c == ':' || c == '.' || c == '%';
  });
}

struct Named {
  std::string_view prefix;
  Url::Scheme scheme;
};
constexpr std::array<Named, 5> kSchemes{{{"http://", Url::Scheme::kHttp},
                                         {"https://", Url::Scheme::kHttps},
                                         {"http+ssh://", Url::Scheme::kSsh},
                                         {"http+unix://", Url::Scheme::kUnix},
                                         {"unix:", Url::Scheme::kUnix}}};

const Named* FindScheme(std::string_view text) {
  for (const Named& named : kSchemes) {
    if (Lower(text.substr(0, named.prefix.size())) == named.prefix) return &named;
  }
  return nullptr;
}

// "user:password", both encoded.
Status ReadCredentials(std::string_view text, Url& url) {
  const std::size_t colon = text.find(':');
  const bool has_password = colon != std::string_view::npos;
  auto user = PercentDecode(text.substr(0, colon));
  auto password = PercentDecode(has_password ? text.substr(colon + 1) : std::string_view());
  if (!user || !password) return Wrong("the user or the password in the URL is not well encoded");
  if (user->empty()) return Wrong("the URL has no user before the '@'");
  if (url.scheme == Url::Scheme::kSsh && !has_password) {
    if (!IsHostName(*user)) return Wrong("'" + Printable(*user) + "' is no login for ssh");
    url.login = std::move(*user);
    return Ok();
  }
  if (user->find(':') != std::string::npos) return Wrong("a user's name cannot hold a ':'");
  url.user = std::move(*user);
  url.password = std::move(*password);
  return Ok();
}

Status ReadHost(std::string_view text, Url& url) {
  std::string_view port;
  if (StartsWith(text, "[")) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return Wrong("the address in the URL has no ']'");
    url.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!IsAddress6(url.host)) return Wrong("'" + Printable(url.host) + "' is no address");
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    url.host = text.substr(0, colon);
    port = text.substr(colon);
    if (url.host.empty()) url.host = "127.0.0.1";
    if (!IsHostName(url.host)) return Wrong("'" + Printable(url.host) + "' is no host");
  }
  if (port.empty()) return Ok();
  const auto number = ParseInteger(port.substr(1), 1, 65535);
  if (port.front() != ':' || !number) {
    return Wrong("'" + Printable(port.substr(1)) + "' is no port");
  }
  url.port = static_cast<std::uint16_t>(*number);
  return Ok();
}

std::string HostAndPort(const Url& url) {
  const bool brackets = url.host.find(':') != std::string::npos;
  return (brackets ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port);
}

}  // namespace

std::string Url::authority() const {
  if (scheme == Scheme::kUnix) return "localhost";
  // As ssh is told: the server hears of no other name.
  if (scheme == Scheme::kSsh) return "127.0.0.1:" + std::to_string(port);
  return HostAndPort(*this);
}

std::string Url::shown() const {
  switch (scheme) {
    case Scheme::kHttp:
      return "http://" + HostAndPort(*this);
    case Scheme::kHttps:
      return "https://" + HostAndPort(*this);
    case Scheme::kSsh:
      return "http+ssh://" + (login.empty() ? "" : login + "@") + HostAndPort(*this);
    case Scheme::kUnix:
      break;
  }
  return "unix:" + path;
}

bool IsLoopback(const Url& url) {
  return url.scheme == Url::Scheme::kUnix || url.host == "localhost" || url.host == "::1" ||
         StartsWith(url.host, "127.");
}

bool LooksLikeUrl(std::string_view text) {
  return text.find("://") != std::string_view::npos || FindScheme(text) != nullptr;
}

Result<Url> ParseUrl(std::string_view text) {
  const Named* named = FindScheme(text);
  if (named == nullptr) {
    const std::size_t mark = text.find("://");
    if (mark == std::string_view::npos) return Wrong("the URL does not begin with http://");
    return Wrong("'" + Printable(text.substr(0, mark)) + "://' is not known here");
  }
  Url url;
  url.scheme = named->scheme;
  std::string_view rest = text.substr(named->prefix.size());
  if (url.scheme == Url::Scheme::kUnix) {
    while (StartsWith(rest, "//")) rest.remove_prefix(1);
    url.path = rest;
    if (rest.empty() || rest.find('\0') != std::string_view::npos) {
      return Wrong("the URL names no socket");
    }
    return url;
  }
  // A password may hold anything that is not encoded, but for a slash.
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view path = rest.substr(slash);
  rest = rest.substr(0, slash);
  const std::size_t at = rest.rfind('@');
  if (at != std::string_view::npos) {
    if (Status read = ReadCredentials(rest.substr(0, at), url); !read) return read.error();
    rest.remove_prefix(at + 1);
  }
  if (Status read = ReadHost(rest, url); !read) return read.error();
  if (!path.empty() && path != "/" && path != "/api" && path != "/api/") {
    return Wrong("the URL of a process manager has no path");
  }
  return url;
}

std::string Base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t block = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      block = block << 8U | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += k <= count ? kDigits[block >> (18 - 6 * k) & 63U] : '=';
    }
  }
  return text;
}

std::string PercentEncode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (IsLetterOrDigit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kHex[byte >> 4U];
    encoded += kHex[byte & 15U];
  }
  return encoded;
}

}  // namespace slc::http
