// Plays the supervisor that NOTIFY_SOCKET names.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/fd_passing.h"
#include "common/base/unique_fd.h"

namespace slc {

// A variable of our environment, as long as this lives.
class Setting {
 public:
  Setting(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Setting() { ::unsetenv(name_); }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  const char* name_;
};

// At `path`, "@name" for an abstract socket.
class NotifyListener {
 public:
  explicit NotifyListener(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)), setting_("NOTIFY_SOCKET", path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  }

  struct Said {
    std::string text;
    std::vector<UniqueFd> fds;
  };
  Said Next() {
    std::array<char, 4096> buffer{};
    Received received = ReceiveWithFds(socket_.get(), buffer.data(), buffer.size());
    if (received.bytes < 0) return {"(nothing)", {}};
    return {std::string(buffer.data(), static_cast<std::size_t>(received.bytes)),
            std::move(received.fds)};
  }

 private:
  UniqueFd socket_;
  Setting setting_;
};

}  // namespace slc
