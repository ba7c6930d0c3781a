#include "daemon/master/notice_desk.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <utility>

#include "common/base/log.h"
#include "common/base/text.h"

namespace slc {
namespace {

constexpr const char* kFolder = "/dev/shm/";
constexpr const char* kPrefix = "slc-notify-";
constexpr const char* kKeptBelow = "notify/";

std::string KeptName(uid_t user) { return kKeptBelow + std::to_string(user); }

// Nobody can have taken it before.
std::string RandomName() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) return {};
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(number));
  return kPrefix + std::string(text.data());
}

bool BindTo(int fd, const std::string& address) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (address.size() >= sizeof name.sun_path) return false;
  std::memcpy(name.sun_path, address.data(), address.size());
  if (address[0] == '@') name.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
  const mode_t before = ::umask(0177);
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&name), length) == 0;
  const int reason = errno;
  ::umask(before);
  errno = reason;
  return bound;
}

// As NOTIFY_SOCKET tells it; empty if it has none.
std::string AddressOf(int fd) {
  sockaddr_un name{};
  socklen_t length = sizeof name;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0) return {};
  constexpr socklen_t kHead = offsetof(sockaddr_un, sun_path);
  if (name.sun_family != AF_UNIX || length <= kHead) return {};
  std::string address(name.sun_path, length - kHead);
  if (address[0] == '\0') {
    address[0] = '@';
  } else {
    address.resize(std::strlen(address.c_str()));
  }
  return address;
}

bool HasFile(const std::string& address) { return address[0] == '/'; }

// Some remove what a user has in /dev/shm when that user logs out.
bool IsThere(const std::string& address, uid_t user) {
  if (!HasFile(address)) return true;
  struct stat info {};
  return ::lstat(address.c_str(), &info) == 0 && S_ISSOCK(info.st_mode) && info.st_uid == user;
}

// An empty descriptor with errno if there is none to be had.
UniqueFd MakeSocket(uid_t user) {
  const std::string name = RandomName();
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (name.empty() || !fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    return {};
  }
  const std::string path = kFolder + name;
  if (!BindTo(fd.get(), path)) {
    if (!BindTo(fd.get(), "@" + name)) return {};
    return fd;
  }
  if (user != ::geteuid() && ::lchown(path.c_str(), user, static_cast<gid_t>(-1)) != 0) {
    const int reason = errno;
    ::unlink(path.c_str());
    errno = reason;
    return {};
  }
  return fd;
}

// The sender, as the kernel knows it in our pid namespace; 0: it does not show there.
pid_t SenderOf(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS) continue;
    ucred sender{};
    std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
    return sender.pid;
  }
  return 0;
}

}  // namespace

void NoticeDesk::Adopt(Predecessor& predecessor) {
  for (auto& [text, fd] : predecessor.TakeBelow(kKeptBelow)) {
    const auto user = ParseInteger(text, 0, std::numeric_limits<uid_t>::max());
    std::string address = AddressOf(fd.get());
    if (!user || address.empty()) continue;
    Add(static_cast<uid_t>(*user), std::move(fd), std::move(address));
  }
}

std::string NoticeDesk::AddressFor(const GenerationConfig& config) {
  const uid_t user = config.has_run_as ? config.uid : ::geteuid();
  const auto found = sockets_.find(user);
  if (found != sockets_.end()) {
    if (IsThere(found->second.address, user)) return found->second.address;
    safekeeping_.Drop({KeptName(user)});
    sockets_.erase(found);
  }
  UniqueFd fd = MakeSocket(user);
  if (!fd) {
    log::Warn(std::string("no NOTIFY_SOCKET for workers (") + std::strerror(errno) +
              "): what they tell by sd_notify is not heard");
    return {};
  }
  safekeeping_.Store({KeptName(user), fd.get()});
  std::string address = AddressOf(fd.get());
  Add(user, std::move(fd), address);
  return address;
}

void NoticeDesk::Add(uid_t user, UniqueFd fd, std::string address) {
  Socket& socket = sockets_[user];
  socket.fd = std::move(fd);
  socket.address = std::move(address);
  socket.poll = std::make_unique<uv::Poll>(loop_, socket.fd.get(),
                                           [this, user](uv::Poll::Ready) { OnReadable(user); });
  socket.poll->Watch(!pause_.active(), false);
}

void NoticeDesk::OnReadable(uid_t user) {
  const Millis now = loop_.now();
  if (now - window_began_ >= kWindow) {
    window_began_ = now;
    read_in_window_ = 0;
  }
  // In between, connections are accepted.
  constexpr int kMostAtOnce = 16;
  const auto said =
      Read(sockets_.at(user).fd.get(), std::min(kMostAtOnce, kMostInWindow - read_in_window_));
  read_in_window_ += static_cast<int>(said.size());
  if (read_in_window_ >= kMostInWindow) {
    Listen(false);
    pause_.StartAt(window_began_ + kWindow);
  }
  Tell(said);
}

// What a stranger may have queued is left there.
void NoticeDesk::ReadDry() {
  constexpr int kMost = 64;
  std::vector<Said> all;
  for (const auto& [user, socket] : sockets_) {
    auto said = Read(socket.fd.get(), kMost);
    all.insert(all.end(), std::make_move_iterator(said.begin()),
               std::make_move_iterator(said.end()));
  }
  Tell(all);
}

std::vector<NoticeDesk::Said> NoticeDesk::Read(int fd, int most) {
  std::vector<Said> said;
  for (int i = 0; i < most; ++i) {
    std::array<char, kLongestNotice> text;
    // Room for the sender alone: descriptors that come along are closed by the kernel.
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control;
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t bytes = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (bytes < 0) break;
    Said& each = said.emplace_back();
    if ((message.msg_flags & MSG_TRUNC) != 0) continue;
    each.sender = SenderOf(message);
    each.notice = ParseWorkerNotice({text.data(), static_cast<std::size_t>(bytes)});
  }
  return said;
}

void NoticeDesk::Tell(const std::vector<Said>& said) const {
  for (const Said& each : said) {
    if (each.sender > 0) on_notice_(each.sender, each.notice);
  }
}

void NoticeDesk::Listen(bool on) {
  for (auto& [user, socket] : sockets_) socket.poll->Watch(on, false);
}

std::vector<KeptFd> NoticeDesk::KeptFds() const {
  std::vector<KeptFd> kept;
  for (const auto& [user, socket] : sockets_) kept.push_back({KeptName(user), socket.fd.get()});
  return kept;
}

void NoticeDesk::Close() {
  for (const auto& [user, socket] : sockets_) {
    if (HasFile(socket.address)) ::unlink(socket.address.c_str());
  }
  sockets_.clear();
}

}  // namespace slc
