// The socket that NOTIFY_SOCKET names: who sends is told by the kernel, and it is not read faster
// than it should be.
#include "daemon/master/notice_desk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/fd_passing.h"
#include "common/base/time.h"
#include "daemon/master/control_link.h"

namespace slc {
namespace {

std::ptrdiff_t CountOpenFiles() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

struct Heard {
  pid_t sender = 0;
  WorkerNotice notice;
};

// A desk without a slcd.
class Desk {
 public:
  Desk()
      : directory_(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)),
        link_(loop_, directory_.get(), UniqueFd(), ControlLink::Events{}),
        safekeeping_(link_, 1) {
    desk_.emplace(loop_, safekeeping_, [this](pid_t sender, const WorkerNotice& notice) {
      heard.push_back({sender, notice});
    });
  }
  ~Desk() { desk_->Close(); }
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  NoticeDesk& operator*() { return *desk_; }
  NoticeDesk* operator->() { return &*desk_; }
  void RunFor(Millis span) {
    uv::Timer timer(loop_, [this] { loop_.Stop(); });
    timer.StartIn(span);
    loop_.Run();
  }

  std::vector<Heard> heard;

 private:
  uv::Loop loop_;
  UniqueFd directory_;
  ControlLink link_;
  Safekeeping safekeeping_;
  std::optional<NoticeDesk> desk_;
};

// As sd_notify sends. False if there is no room.
bool Send(const std::string& address, const std::string& text, const std::vector<int>& fds = {}) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  REQUIRE(address.size() < sizeof name.sun_path);
  std::memcpy(name.sun_path, address.data(), address.size());
  if (address[0] == '@') name.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&name), length) == 0);
  return SendWithFds(socket.get(), text, fds.data(), fds.size()) >= 0;
}

}  // namespace

TEST_CASE("A notice comes with the process that has sent it") {
  Desk desk;
  const std::string address = desk->AddressFor(GenerationConfig{});
  CHECK(address.rfind("/dev/shm/slc-notify-", 0) == 0);
  CHECK(desk->AddressFor(GenerationConfig{}) == address);
  struct stat info {};
  REQUIRE(::stat(address.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  REQUIRE(Send(address, "READY=1"));
  const pid_t child = ::fork();
  if (child == 0) {
    Send(address, "STATUS=of a child");
    ::_exit(0);
  }
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  desk->ReadDry();
  REQUIRE(desk.heard.size() == 2);
  CHECK(desk.heard[0].sender == ::getpid());
  CHECK(desk.heard[0].notice.ready);
  CHECK(desk.heard[1].sender == child);
  CHECK(desk.heard[1].notice.status == "of a child");
  desk->Close();
  CHECK(::stat(address.c_str(), &info) != 0);
}

TEST_CASE(
    "Descriptors that come with a notice are not taken, and one that is too long is no notice") {
  Desk desk;
  const std::string address = desk->AddressFor(GenerationConfig{});
  const auto before = CountOpenFiles();
  REQUIRE(Send(address, "READY=1\nFDSTORE=1", std::vector<int>(50, STDIN_FILENO)));
  REQUIRE(Send(address, "READY=1\n" + std::string(kLongestNotice, 'x')));
  REQUIRE(Send(address, ""));
  desk->ReadDry();
  CHECK(CountOpenFiles() == before);
  REQUIRE(desk.heard.size() == 2);
  CHECK(desk.heard[0].notice.ready);
  CHECK(desk.heard[1].notice == WorkerNotice{});
}

TEST_CASE("Where nothing can be made in /dev/shm the socket has an abstract name") {
  if (::geteuid() != 0) {
    MESSAGE("not as root: not looked at");
    return;
  }
  const pid_t child = ::fork();
  if (child == 0) {
    // Of its own.
    bool well = ::unshare(CLONE_NEWNS) == 0 &&
                ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                ::mount("none", "/dev/shm", "tmpfs", MS_RDONLY, nullptr) == 0;
    if (!well) ::_exit(2);
    Desk desk;
    const std::string address = desk->AddressFor(GenerationConfig{});
    well = address.rfind("@slc-notify-", 0) == 0 && Send(address, "READY=1");
    desk->ReadDry();
    well = well && desk.heard.size() == 1 && desk.heard[0].sender == ::getpid();
    well = well && desk->AddressFor(GenerationConfig{}) == address;
    ::_exit(well ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WEXITSTATUS(status) == 2) {
    MESSAGE("no mounts here: not looked at");
    return;
  }
  CHECK(status == 0);
}

TEST_CASE("A socket whose file has gone is made anew for the next worker") {
  Desk desk;
  const std::string first = desk->AddressFor(GenerationConfig{});
  REQUIRE(::unlink(first.c_str()) == 0);
  const std::string second = desk->AddressFor(GenerationConfig{});
  CHECK(second != first);
  REQUIRE(Send(second, "READY=1"));
  desk->ReadDry();
  CHECK(desk.heard.size() == 1);
  CHECK(desk->KeptFds().size() == 1);
}

TEST_CASE("A successor hears those that know the socket of its predecessor") {
  Desk before;
  const std::string address = before->AddressFor(GenerationConfig{});
  REQUIRE(before->KeptFds().size() == 1);
  // Said while nobody was there.
  REQUIRE(Send(address, "STOPPING=1"));
  Predecessor left;
  std::vector<UniqueFd> fds;
  fds.emplace_back(::fcntl(before->KeptFds()[0].fd, F_DUPFD_CLOEXEC, 0));
  left.Collect({before->KeptFds()[0].name}, std::move(fds));
  Desk after;
  after->Adopt(left);
  CHECK(left.Forget().empty());
  CHECK(after->AddressFor(GenerationConfig{}) == address);
  after.RunFor(20);
  REQUIRE(after.heard.size() == 1);
  CHECK(after.heard[0].notice.stopping);
}

TEST_CASE("Who sends without end is not read faster than a window allows, and others are heard") {
  Desk desk;
  const std::string address = desk->AddressFor(GenerationConfig{});
  const pid_t flood = ::fork();
  if (flood == 0) {
    for (;;) Send(address, "STATUS=again and again");
  }
  const Millis began = BootNow();
  constexpr Millis kSpan = 500;
  desk.RunFor(kSpan);
  const auto windows = (BootNow() - began) / NoticeDesk::kWindow + 1;
  CHECK(static_cast<Millis>(desk.heard.size()) <= windows * NoticeDesk::kMostInWindow);
  CHECK(desk.heard.size() > 0);
  const pid_t worker = ::fork();
  if (worker == 0) {
    // It waits for room, as sd_notify does.
    while (!Send(address, "READY=1")) ::usleep(100);
    ::_exit(0);
  }
  bool ready = false;
  const Millis deadline = BootNow() + 10'000;
  while (!ready && BootNow() < deadline) {
    desk.heard.clear();
    desk.RunFor(NoticeDesk::kWindow);
    for (const Heard& each : desk.heard) ready = ready || (each.sender == worker);
  }
  CHECK(ready);
  ::kill(flood, SIGKILL);
  ::waitpid(flood, nullptr, 0);
  ::waitpid(worker, nullptr, 0);
}

}  // namespace slc
