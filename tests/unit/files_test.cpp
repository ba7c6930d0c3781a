#include "common/base/files.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "common/base/crc32c.h"
#include "common/base/fd_passing.h"
#include "tests/unit/temp_folder.h"

namespace slc {

TEST_CASE("CRC-32C of the standard's examples") {
  CHECK(Crc32c("") == 0);
  CHECK(Crc32c("123456789") == 0xe3069283U);
  CHECK(Crc32c(std::string(32, '\0')) == 0x8a9136aaU);
  CHECK(Crc32c(std::string(32, '\xff')) == 0x62a8ab43U);
  // Of any length, whichever way it is calculated.
  std::string text;
  for (std::size_t length = 0; length < 40; ++length) {
    std::uint32_t crc = 0xffffffffU;
    for (const char c : text) {
      crc ^= static_cast<unsigned char>(c);
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
    }
    CAPTURE(length);
    CHECK(Crc32c(text) == (crc ^ 0xffffffffU));
    text += static_cast<char>(length * 37 + 11);
  }
}

TEST_CASE("A file is replaced as a whole, and the version before kept") {
  TempFolder folder;
  REQUIRE(ReplaceFileAt(folder.fd(), "a", "one", true));
  CHECK(folder.Read("a") == "one");
  CHECK_FALSE(folder.Has("a.prev"));
  REQUIRE(ReplaceFileAt(folder.fd(), "a", "two", true));
  REQUIRE(ReplaceFileAt(folder.fd(), "a", "three", true));
  CHECK(folder.Read("a") == "three");
  CHECK(folder.Read("a.prev") == "two");
  REQUIRE(ReplaceFileAt(folder.fd(), "a", "four", false));
  CHECK(folder.Read("a.prev") == "two");
  CHECK(ListDirectory(folder.fd())->size() == 2);
  struct stat info {};
  REQUIRE(::stat((folder / "a").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("What a killed writer left does not disturb the next one") {
  TempFolder folder;
  folder.Write("a", "old");
  folder.Write("a.tmp", "half");
  REQUIRE(::symlink("/etc/passwd", (folder / "a.prev.tmp").c_str()) == 0);
  REQUIRE(ReplaceFileAt(folder.fd(), "a", "new", true));
  CHECK(folder.Read("a") == "new");
  CHECK(folder.Read("a.prev") == "old");
  CHECK(ListDirectory(folder.fd())->size() == 2);
}

TEST_CASE("A write that fails leaves the old content and nothing else") {
  TempFolder folder;
  REQUIRE(ReplaceFileAt(folder.fd(), "a", "one", true));
  REQUIRE(ReplaceFileAt(folder.fd(), "a", "two", true));
  // Files may not grow beyond 1000 bytes: the write is cut short and then fails, as on a full disk.
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1000;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const Status written = ReplaceFileAt(folder.fd(), "a", std::string(5000, 'x'), true);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  REQUIRE_FALSE(written.ok());
  CHECK(written.error().message.find("a.tmp") != std::string::npos);
  CHECK(folder.Read("a") == "two");
  CHECK(folder.Read("a.prev") == "one");
  CHECK(ListDirectory(folder.fd())->size() == 2);
}

TEST_CASE("A file larger than the limit, or reached through a link, is not read") {
  TempFolder folder;
  folder.Write("a", "12345");
  CHECK(*ReadFile(folder / "a", 5) == "12345");
  CHECK_FALSE(ReadFile(folder / "a", 4));
  CHECK_FALSE(ReadFile(folder / "none"));
  CHECK_FALSE(ReadFile(folder.path()));
  REQUIRE(::symlink("a", (folder / "link").c_str()) == 0);
  CHECK(ReadFile(folder / "link"));
  CHECK_FALSE(ReadFileAt(folder.fd(), "link"));
  CHECK(*ReadFileAt(folder.fd(), "a") == "12345");
  // A pipe nobody writes to must not hold us up.
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(ReadFileAt(folder.fd(), "fifo")->empty());
}

TEST_CASE("A pipe in the place of a file is refused and not waited for") {
  TempFolder folder;
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(ReadFile(pipe).error().message == pipe + " is a pipe, not a file");
}

TEST_CASE("Folders are made with mode 0700, all that are missing") {
  TempFolder folder;
  REQUIRE(MakeDirectories(folder / "a/b/c"));
  REQUIRE(MakeDirectories(folder / "a/b/c"));
  struct stat info {};
  REQUIRE(::stat((folder / "a/b").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0700);
  folder.Write("file", "");
  CHECK_FALSE(MakeDirectories(folder / "file/x"));
}

TEST_CASE("A private folder is nobody else's, and no link") {
  TempFolder folder;
  CHECK(OpenPrivateDirectory(folder / "a/b", true));
  CHECK(OpenPrivateDirectory(folder / "none", false).error().code == ErrorCode::kNotFound);
  CHECK(OpenPrivateDirectoryAt(folder.fd(), "none", false).error().code == ErrorCode::kNotFound);
  REQUIRE(::symlink("a", (folder / "link").c_str()) == 0);
  CHECK_FALSE(OpenPrivateDirectory(folder / "link", true));
  CHECK_FALSE(OpenPrivateDirectoryAt(folder.fd(), "link", true));
  REQUIRE(::chmod((folder / "a").c_str(), 0770) == 0);
  const auto open = OpenPrivateDirectory(folder / "a", true);
  REQUIRE_FALSE(open.ok());
  CHECK(open.error().code == ErrorCode::kPermission);
  CHECK(open.error().message.find("chmod go-w") != std::string::npos);
  if (::geteuid() == 0) {
    REQUIRE(::chmod((folder / "a").c_str(), 0700) == 0);
    REQUIRE(::chown((folder / "a").c_str(), 65534, 65534) == 0);
    CHECK(OpenPrivateDirectory(folder / "a", true).error().code == ErrorCode::kPermission);
  }
}

TEST_CASE("A tree is removed, links in it are not followed") {
  TempFolder folder;
  folder.Write("keep/file", "x");
  folder.Write("tree/a/b/c", "x");
  REQUIRE(::symlink("../keep", (folder / "tree/link").c_str()) == 0);
  REQUIRE(RemoveTreeAt(folder.fd(), "tree"));
  REQUIRE(RemoveTreeAt(folder.fd(), "tree"));
  CHECK(*ListDirectory(folder.fd()) == std::vector<std::string>{"keep"});
  CHECK(folder.Has("keep/file"));
}

TEST_CASE("A lock has one holder, says who, and goes with its holder") {
  TempFolder folder;
  {
    auto lock = LockFileAt(folder.fd(), "lock", "pid 1\n");
    REQUIRE(lock);
    const auto second = LockFileAt(folder.fd(), "lock", "pid 22\n");
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().code == ErrorCode::kConflict);
    CHECK(second.error().message == "pid 1\n");
    CHECK((::fcntl(lock->get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
  auto next = LockFileAt(folder.fd(), "lock", "x");
  REQUIRE(next);
  CHECK(folder.Read("lock") == "x");
}

TEST_CASE("A lock tells of its holder alone, in as much as it is asked to") {
  TempFolder folder;
  folder.Write("lock", "somebody with a long name\n");
  auto lock = LockFileAt(folder.fd(), "lock", "us\n");
  REQUIRE(lock);
  CHECK(folder.Read("lock") == "us\n");
  const auto held = IsLockedAt(folder.fd(), "lock");
  CHECK((held && *held));
  *lock = UniqueFd();
  const auto let_go = IsLockedAt(folder.fd(), "lock");
  CHECK((let_go && !*let_go));
  const auto none = IsLockedAt(folder.fd(), "none");
  CHECK((none && !*none));
  // Where it cannot be told, nobody is to take it for free.
  REQUIRE(::symlinkat("lock", folder.fd(), "link") == 0);
  CHECK_FALSE(IsLockedAt(folder.fd(), "link"));
  CHECK_FALSE(IsLockedAt(-1, "lock"));
  CHECK(LockFileAt(folder.fd(), "lock", ""));
  CHECK(folder.Read("lock") == "us\n");
}

TEST_CASE("A lock whose file was removed is told from the one in its place") {
  const TempFolder folder;
  auto lost = LockFileAt(folder.fd(), "lock", "us");
  REQUIRE(lost);
  CHECK(IsFileAt(lost->get(), folder.fd(), "lock"));
  REQUIRE(::unlinkat(folder.fd(), "lock", 0) == 0);
  CHECK_FALSE(IsFileAt(lost->get(), folder.fd(), "lock"));
  auto taken = LockFileAt(folder.fd(), "lock", "them");
  REQUIRE(taken);
  CHECK_FALSE(IsFileAt(lost->get(), folder.fd(), "lock"));
  CHECK(IsFileAt(taken->get(), folder.fd(), "lock"));
}

TEST_CASE("A lock ends with a killed process") {
  TempFolder folder;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto lock = LockFileAt(folder.fd(), "lock", "child");
    static_cast<void>(!::write(ends[1], lock ? "y" : "n", 1));
    ::pause();
    ::_exit(0);
  }
  char answer = 0;
  REQUIRE(::read(ends[0], &answer, 1) == 1);
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK(answer == 'y');
  CHECK_FALSE(LockFileAt(folder.fd(), "lock", "us"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(LockFileAt(folder.fd(), "lock", "us"));
}

TEST_CASE("Of descriptors that find no room the first ones come, and it is told") {
  const SocketPair pair = MakeSocketPair(SOCK_SEQPACKET);
  std::vector<int> fds(5, pair.first.get());
  CHECK(SendWithFds(pair.first.get(), "five", fds.data(), fds.size()) == 4);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  // Room for two, wherever they are: others may be in use between them.
  int top = 0;
  for (int room = 0; room < 2; ++top) {
    if (::fcntl(top, F_GETFD) < 0) ++room;
  }
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(top);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  char buffer[16];
  const Received received = ReceiveWithFds(pair.second.get(), buffer, sizeof(buffer));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(received.bytes == 4);
  CHECK_FALSE(received.truncated);
  CHECK(received.lost_fds);
  CHECK(received.fds.size() == 2);
}

TEST_CASE("Descriptors travel with their message, whole or not at all") {
  SocketPair pair = MakeSocketPair(SOCK_SEQPACKET);
  REQUIRE(pair.first);
  TempFolder folder;
  folder.Write("a", "content");
  const UniqueFd file(::open((folder / "a").c_str(), O_RDONLY | O_CLOEXEC));
  std::vector<int> fds(kMaxFdsPerMessage, file.get());
  CHECK(SendWithFds(pair.first.get(), "hello", fds.data(), fds.size()) == 5);
  fds.push_back(file.get());
  CHECK(SendWithFds(pair.first.get(), "x", fds.data(), fds.size()) == -1);
  CHECK(errno == EINVAL);
  CHECK(SendWithFds(pair.first.get(), "bye", nullptr, 0) == 3);
  char buffer[4];
  Received first = ReceiveWithFds(pair.second.get(), buffer, sizeof(buffer));
  CHECK(first.bytes == 4);
  CHECK(first.truncated);
  REQUIRE(first.fds.size() == kMaxFdsPerMessage);
  CHECK((::fcntl(first.fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  Received second = ReceiveWithFds(pair.second.get(), buffer, sizeof(buffer));
  CHECK(second.bytes == 3);
  CHECK_FALSE(second.truncated);
  CHECK(second.fds.empty());
  CHECK(ReceiveWithFds(pair.second.get(), buffer, sizeof(buffer)).bytes == -1);
  CHECK(IsNoRoom(errno));
  pair.first.reset();
  CHECK(ReceiveWithFds(pair.second.get(), buffer, sizeof(buffer)).bytes == 0);
  CHECK(SendWithFds(pair.second.get(), "x", nullptr, 0) == -1);
  CHECK(errno == EPIPE);
}

TEST_CASE("A sender is told when there is no room, and never waits") {
  SocketPair pair = MakeSocketPair(SOCK_STREAM);
  const std::string frame(5000, 'x');
  long sent = 0;
  for (int i = 0; i < 10'000 && sent >= 0; ++i) {
    sent = SendWithFds(pair.first.get(), frame, nullptr, 0);
  }
  CHECK(sent == -1);
  CHECK(IsNoRoom(errno));
}

TEST_CASE("Only a regular file is read where a fifo could keep us waiting") {
  TempFolder folder;
  folder.Write("file", "content");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(*ReadRegularFile(folder / "file", 100) == "content");
  CHECK(ReadRegularFile(folder / "file", 3).error().code == ErrorCode::kInvalid);
  CHECK(ReadRegularFile(folder / "none", 100).error().code == ErrorCode::kNotFound);
  CHECK(ReadRegularFile(folder / "fifo", 100).error().message ==
        folder / "fifo" + " is not a regular file");
  CHECK_FALSE(ReadRegularFile(folder.path(), 100));
}

TEST_CASE("A descriptor has one owner") {
  UniqueFd a(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = a.get();
  UniqueFd b(std::move(a));
  CHECK_FALSE(a);  // NOLINT(bugprone-use-after-move)
  CHECK(b.get() == number);
  UniqueFd c = b.Duplicate();
  CHECK(c.get() != number);
  CHECK((::fcntl(c.get(), F_GETFD) & FD_CLOEXEC) != 0);
  errno = EXDEV;
  b.reset();
  CHECK(errno == EXDEV);
  CHECK(::fcntl(number, F_GETFD) == -1);
  CHECK_FALSE(b.Duplicate());
  const int left = c.release();
  CHECK(::close(left) == 0);
}

}  // namespace slc
