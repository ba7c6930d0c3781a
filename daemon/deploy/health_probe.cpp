#include "daemon/deploy/health_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/result.h"
#include "common/base/text.h"

namespace slc::deploy {
namespace {

constexpr std::size_t kStatusLine = 12;  // "HTTP/1.1 200"

// False: it is no address.
bool ToAddress(const std::string& text, std::uint16_t port, sockaddr_storage& storage,
               socklen_t& length) {
  auto* four = reinterpret_cast<sockaddr_in*>(&storage);
  const std::string host = text.empty() || text == "0.0.0.0" || text == "::" ? "127.0.0.1" : text;
  if (::inet_pton(AF_INET, host.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    length = sizeof(*four);
    return true;
  }
  auto* six = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET6, host.c_str(), &six->sin6_addr) != 1) return false;
  six->sin6_family = AF_INET6;
  six->sin6_port = htons(port);
  length = sizeof(*six);
  return true;
}

}  // namespace

HealthProbe::HealthProbe(uv::Loop& loop, Target target,
                         std::function<void(const std::string& failure)> done)
    : loop_(loop),
      target_(std::move(target)),
      done_(std::move(done)),
      next_(loop, [this] { Connect(); }),
      later_(loop, [this] {
        const auto tell = std::move(done_);
        const std::string failure = std::move(failure_);
        tell(failure);
      }) {
  Connect();
}

void HealthProbe::End(const std::string& failure) {
  failure_ = failure;
  if (!failure.empty()) {
    failure_ =
        "its health, " + target_.path + " at port " + std::to_string(target_.port) + ": " + failure;
  }
  if (poll_) poll_->Watch(false, false);
  later_.StartIn(0);
}

void HealthProbe::Connect() {
  sockaddr_storage address{};
  socklen_t length = 0;
  if (target_.port == 0) return End("it listens on no port");
  if (!ToAddress(target_.address, target_.port, address, length)) {
    return End("it listens on " + Printable(target_.address));
  }
  poll_.reset();
  sent_ = false;
  answer_.clear();
  socket_.reset(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) return End(SystemError("make a socket", errno).message);
  const int made = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length);
  if (made != 0 && errno != EINPROGRESS) return End(SystemError("connect", errno).message);
  poll_ = std::make_unique<uv::Poll>(loop_, socket_.get(), [this](uv::Poll::Ready) { OnReady(); });
  poll_->Watch(false, true);
}

void HealthProbe::OnReady() {
  if (!sent_) {
    int error = 0;
    socklen_t length = sizeof(error);
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return End(SystemError("connect", error).message);
    const std::string request = "GET " + target_.path +
                                " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: slcd\r\n"
                                "Accept: */*\r\nConnection: close\r\n\r\n";
    const ssize_t put = ::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL);
    // A new connection has room for so little.
    if (put != static_cast<ssize_t>(request.size())) return End("the question cannot be sent");
    sent_ = true;
    return poll_->Watch(true, false);
  }
  std::array<char, 256> buffer;
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return End(SystemError("receive", errno).message);
  if (got == 0) return End("it hung up without an answer");
  answer_.append(buffer.data(), static_cast<std::size_t>(got));
  if (answer_.size() >= kStatusLine) Judge();
}

void HealthProbe::Judge() {
  const bool http = StartsWith(answer_, "HTTP/1.");
  const std::int64_t status = http ? ParseInteger(answer_.substr(9, 3), 100, 599).value_or(0) : 0;
  if (status == 0) return End("what it answers is no HTTP");
  if (status >= 400) return End("it answers with status " + std::to_string(status));
  if (++well_ >= target_.times) return End({});
  // From within the callback of the poll that is replaced.
  poll_->Watch(false, false);
  next_.StartIn(0);
}

}  // namespace slc::deploy
