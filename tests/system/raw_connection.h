// RawConnection: one TCP connection over which a test says exactly what it wants, byte by byte:
// kept alive, upgraded, or left half way through a request.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "tests/system/harness.h"

namespace slc::test {

class RawConnection {
 public:
  // Connects to 127.0.0.1; connected() tells whether it worked.
  explicit RawConnection(std::uint16_t port)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      end_ = std::string("connect: ") + std::strerror(errno);
      fd_.reset();
    }
  }

  bool connected() const { return static_cast<bool>(fd_); }

  bool Send(const std::string& text) {
    return fd_ && ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                      static_cast<ssize_t>(text.size());
  }
  // A GET that keeps the connection.
  bool SendGet(const std::string& path) {
    return Send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }

  // Takes in what has arrived, waiting up to `timeout` for the first byte. False if nothing came.
  bool Receive(Millis timeout) {
    if (!fd_ || !end_.empty()) return false;
    pollfd entry{fd_.get(), POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(timeout)) <= 0) return false;
    std::array<char, 65536> buffer;
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) received_.append(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0) end_ = "FIN";
    if (got < 0) end_ = std::strerror(errno);
    return true;
  }

  // Waits until `part` has arrived; false when the connection ends or `timeout` passes before.
  bool WaitFor(const std::string& part, Millis timeout = 10'000) {
    const Millis deadline = BootNow() + timeout;
    while (!Contains(received_, part)) {
      const Millis left = deadline - BootNow();
      if (left <= 0 || !Receive(left)) return false;
    }
    return true;
  }
  // Waits until the server has closed the connection; false if it has not within `timeout`.
  bool WaitForEnd(Millis timeout) {
    const Millis deadline = BootNow() + timeout;
    while (end_.empty()) {
      const Millis left = deadline - BootNow();
      if (left <= 0 || !Receive(left)) return !end_.empty();
    }
    return true;
  }
  // The next whole answer with a Content-Length, taken out of what has been received; "" if none
  // comes.
  std::string Answer(Millis timeout = 10'000) {
    const Millis deadline = BootNow() + timeout;
    while (true) {
      const std::size_t head = received_.find("\r\n\r\n");
      if (head != std::string::npos) {
        const std::size_t at = received_.find("Content-Length: ");
        const std::size_t length =
            at < head ? std::strtoul(received_.c_str() + at + 16, nullptr, 10) : 0;
        if (received_.size() >= head + 4 + length) {
          std::string answer = received_.substr(0, head + 4 + length);
          received_.erase(0, answer.size());
          return answer;
        }
      }
      const Millis left = deadline - BootNow();
      if (left <= 0 || !Receive(left)) return {};
    }
  }

  const std::string& received() const { return received_; }
  // "FIN", or why it ended otherwise; empty while it is open.
  const std::string& end() const { return end_; }
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::string received_;
  std::string end_;
};

}  // namespace slc::test
