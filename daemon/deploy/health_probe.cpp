#include "daemon/deploy/health_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/process.h"
#include "common/base/result.h"
#include "common/base/tcp_peer.h"
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

// 127.0.0.1 to 127.0.0.254: whatever lies on loopback may be taken.
sockaddr_in SourceOf(unsigned attempt) {
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + attempt % 254);
  return source;
}

bool Holds(pid_t pid, std::uint64_t socket) {
  const std::vector<std::uint64_t> sockets = SocketsOf(pid);
  return std::find(sockets.begin(), sockets.end(), socket) != sockets.end();
}

// "" if the status is one of somebody who is well.
std::string FailureOf(const std::string& answer) {
  const bool http = StartsWith(answer, "HTTP/1.");
  const std::int64_t status = http ? ParseInteger(answer.substr(9, 3), 100, 599).value_or(0) : 0;
  if (status == 0) return "what it answers is no HTTP";
  return status >= 400 ? "it answers with status " + std::to_string(status) : std::string();
}

}  // namespace

HealthProbe::HealthProbe(uv::Loop& loop, Target target,
                         std::function<void(const std::string& failure)> done)
    : loop_(loop),
      target_(std::move(target)),
      done_(std::move(done)),
      next_(loop, [this] { Connect(); }),
      silence_(loop, [this] { OnSilence(); }),
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
  silence_.Stop();
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
  const auto* four = reinterpret_cast<const sockaddr_in*>(&address);
  const bool loopback =
      address.ss_family == AF_INET && four->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
  if (target_.sticky && loopback) {
    const sockaddr_in source = SourceOf(tried_);
    // Without one the kernel chooses.
    static_cast<void>(
        ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&source), sizeof(source)));
  }
  ++tried_;
  const int made = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length);
  if (made != 0 && errno != EINPROGRESS) return End(SystemError("connect", errno).message);
  poll_ = std::make_unique<uv::Poll>(loop_, socket_.get(), [this](uv::Poll::Ready) { OnReady(); });
  poll_->Watch(false, true);
  if (target_.worker != 0) silence_.StartIn(kPatience);
}

void HealthProbe::OnReady() {
  if (!sent_) {
    int error = 0;
    socklen_t length = sizeof(error);
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return End(SystemError("connect", error).message);
    const std::string request = "GET " + target_.path +
                                " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: slcd\r\n"
                                "Accept: */*\r\n\r\n";
    const ssize_t put = ::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL);
    // A new connection has room for so little.
    if (put != static_cast<ssize_t>(request.size())) return End("the question cannot be sent");
    sent_ = true;
    return poll_->Watch(true, false);
  }
  std::array<char, 256> buffer;
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return OnAnswer(SystemError("receive", errno).message);
  if (got == 0) return OnAnswer("it hung up without an answer");
  answer_.append(buffer.data(), static_cast<std::size_t>(got));
  if (answer_.size() >= kStatusLine) OnAnswer(FailureOf(answer_));
}

void HealthProbe::OnAnswer(const std::string& failure) {
  if (target_.worker == 0) {
    if (!failure.empty()) return End(failure);
    return Next();
  }
  switch (Whose()) {
    case Who::kMeant:
      return End(failure);
    case Who::kAnother:
      break;
    case Who::kUnknown:
      ++unknown_;
      if (not_well_.empty()) not_well_ = failure;
      break;
  }
  Next();
}

// The one that is meant may take its time: that is for whoever waits for all this.
void HealthProbe::OnSilence() {
  const Who who = Whose();
  if (sent_ && who == Who::kMeant) return;
  if (who != Who::kAnother) {
    ++unknown_;
    if (not_well_.empty()) not_well_ = "it has not answered for " + FormatSpan(kPatience);
  }
  Next();
}

HealthProbe::Who HealthProbe::Whose() const {
  const auto peer = FindTcpPeer(socket_.get());
  if (!peer) return Who::kUnknown;
  if (Holds(target_.worker, peer->inode)) return Who::kMeant;
  const std::vector<pid_t> children = ChildrenOf(target_.worker);
  const bool child = std::any_of(children.begin(), children.end(),
                                 [&](pid_t pid) { return Holds(pid, peer->inode); });
  return child ? Who::kMeant : Who::kAnother;
}

void HealthProbe::Next() {
  if (tried_ < target_.tries) {
    // From within the callback of the poll that is replaced.
    if (poll_) poll_->Watch(false, false);
    silence_.Stop();
    next_.StartIn(0);
    return;
  }
  if (target_.worker == 0) return End({});
  if (unknown_ > 0) return End(not_well_);
  End("none of " + std::to_string(tried_) + " connections came to the new worker");
}

}  // namespace slc::deploy
