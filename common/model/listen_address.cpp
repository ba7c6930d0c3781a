#include "common/model/listen_address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "common/base/text.h"

namespace slc {
namespace {

Error NotAnAddress(const std::string& text, const std::string& why) {
  return Error{ErrorCode::kInvalid, "--listen " + Printable(text) + ": " + why +
                                        "; for example 8080, 127.0.0.1:8080, [::1]:8080, "
                                        "/run/app.sock, admin=127.0.0.1:9000"};
}

bool IsName(const std::string& text) {
  constexpr std::size_t kMost = 64;
  return !text.empty() && text.size() <= kMost && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

bool IsNumeric(int family, const std::string& address) {
  in6_addr any{};
  return ::inet_pton(family == 6 ? AF_INET6 : AF_INET, address.substr(0, address.find('%')).c_str(),
                     &any) == 1;
}

}  // namespace

Result<ListenAddress> ParseListenAddress(const std::string& text) {
  ListenAddress result;
  std::string rest = text;
  const std::size_t equals = rest.find('=');
  if (equals != std::string::npos && rest.find('/') > equals) {
    result.name = rest.substr(0, equals);
    if (!IsName(result.name))
      return NotAnAddress(text, "'" + Printable(result.name) + "' is no name");
    rest = rest.substr(equals + 1);
  }
  if (StartsWith(rest, "unix:")) {
    result.path = rest.substr(5);
  } else if (StartsWith(rest, "/")) {
    result.path = rest;
  }
  if (!result.path.empty()) {
    if (result.path.find('\0') != std::string::npos) return NotAnAddress(text, "it holds a NUL");
    return result;
  }
  if (StartsWith(rest, "unix:")) return NotAnAddress(text, "the path is missing");
  const std::size_t colon = rest.rfind(':');
  std::string address = colon == std::string::npos ? "" : rest.substr(0, colon);
  const std::string port = colon == std::string::npos ? rest : rest.substr(colon + 1);
  if (address.size() >= 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
    result.family = 6;
  }
  const auto number = ParseInteger(port, 1, 65535);
  if (!number) return NotAnAddress(text, "'" + Printable(port) + "' is no port from 1 to 65535");
  result.port = static_cast<int>(*number);
  if (address == "*") address.clear();
  if ((!address.empty() || result.family == 6) && !IsNumeric(result.family, address)) {
    return NotAnAddress(text, "'" + Printable(address) + "' is no numeric address");
  }
  result.address = address;
  return result;
}

Status CheckListenAddresses(const std::vector<std::string>& texts) {
  // Each is a descriptor of slcd, of the master and of every worker.
  constexpr std::size_t kMost = 32;
  if (texts.size() > kMost) {
    return Error{ErrorCode::kInvalid, "--listen: " + std::to_string(kMost) + " addresses at most"};
  }
  std::vector<ListenAddress> seen;
  for (const std::string& text : texts) {
    auto address = ParseListenAddress(text);
    if (!address) return address.error();
    address->name.clear();
    if (std::find(seen.begin(), seen.end(), *address) != seen.end()) {
      return Error{ErrorCode::kInvalid, "--listen " + Printable(text) + " is there twice"};
    }
    seen.push_back(*address);
  }
  return Ok();
}

}  // namespace slc
