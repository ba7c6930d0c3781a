#include "tests/system/harness/http.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/base/unique_fd.h"
#include "common/model/json_fields.h"
#include "tests/system/harness/basics.h"

namespace slc::test {
namespace {

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

struct Address {
  std::string host = "127.0.0.1";
  std::uint16_t port = 80;
  std::string path = "/";
};

Address ParseUrl(const std::string& url) {
  const std::string scheme = "http://";
  if (!StartsWith(url, scheme)) FAIL("Get() speaks http only: ", url);
  std::string rest = url.substr(scheme.size());
  Address address;
  if (const std::size_t slash = rest.find('/'); slash != std::string::npos) {
    address.path = rest.substr(slash);
    rest.resize(slash);
  }
  const std::size_t colon = rest.rfind(':');
  const auto port = ParseInteger(rest.substr(colon + 1), 1, 65535);
  if (colon == std::string::npos || !port) FAIL("Get() needs a port: ", url);
  address.port = static_cast<std::uint16_t>(*port);
  address.host = rest.substr(0, colon);
  if (address.host == "localhost") address.host = "127.0.0.1";
  return address;
}

UniqueFd ConnectTo(const Address& address, std::string& error) {
  const bool six = address.host.find(':') != std::string::npos;
  UniqueFd fd(::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int done = -1;
  if (six) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(address.port);
    to.sin6_addr = in6addr_loopback;
    done = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to);
  } else {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(address.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    done = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to);
  }
  if (done != 0) {
    error = std::string("connect: ") + std::strerror(errno);
    return {};
  }
  return fd;
}

// Without the sizes in front of the pieces.
std::string Dechunk(const std::string& text) {
  std::string body;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find("\r\n", at);
    if (end == std::string::npos) break;
    const std::size_t size = std::strtoul(text.c_str() + at, nullptr, 16);
    if (size == 0) break;
    body += text.substr(end + 2, size);
    at = end + 2 + size + 2;
  }
  return body;
}

Response ParseResponse(const std::string& text) {
  Response response;
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos || !StartsWith(text, "HTTP/1.1 ")) {
    response.error = "no whole answer, " + std::to_string(text.size()) + " bytes";
    return response;
  }
  response.status = std::atoi(text.c_str() + 9);
  for (const std::string& line : LinesOf(text.substr(0, end))) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    response.headers[Lower(line.substr(0, colon))] = std::string(Trim(line.substr(colon + 1)));
  }
  response.body = text.substr(end + 4);
  if (response.headers["transfer-encoding"] == "chunked") response.body = Dechunk(response.body);
  const auto length = response.headers.find("content-length");
  if (length != response.headers.end() &&
      response.body.size() != std::strtoul(length->second.c_str(), nullptr, 10)) {
    response.status = 0;
    response.error = "the body was cut";
  }
  return response;
}

}  // namespace

nlohmann::json Response::json() const {
  auto parsed = ParseJson(body);
  if (!parsed) FAIL("no JSON: status ", status, " ", error, " ", body);
  return *parsed;
}

Response Get(const std::string& url, Millis timeout) {
  const Address address = ParseUrl(url);
  Response response;
  const Millis deadline = BootNow() + timeout;
  const UniqueFd fd = ConnectTo(address, response.error);
  if (!fd) return response;
  const std::string request = "GET " + address.path +
                              " HTTP/1.1\r\nHost: localhost:" + std::to_string(address.port) +
                              "\r\nConnection: close\r\n\r\n";
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    response.error = std::string("send: ") + std::strerror(errno);
    return response;
  }
  std::string text;
  std::array<char, 65536> buffer{};
  while (true) {
    pollfd entry{fd.get(), POLLIN, 0};
    const Millis left = deadline - BootNow();
    if (left <= 0 || ::poll(&entry, 1, static_cast<int>(left)) == 0) {
      response.error = "no answer within " + std::to_string(timeout) + " ms";
      return response;
    }
    const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0) return ParseResponse(text);
    if (got < 0) {
      response.error = std::string("receive: ") + std::strerror(errno);
      return response;
    }
  }
}

}  // namespace slc::test
