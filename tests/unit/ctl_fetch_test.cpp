// A file is there when its result is whole, and else nothing is.
#include <poll.h>
#include <sys/socket.h>

#include <filesystem>
#include <memory>

#include <doctest/doctest.h>

#include "common/base/fd_passing.h"
#include "common/wire/frame.h"
#include "ctl/inspect/fetch.h"
#include "tests/unit/temp_folder.h"

namespace slc::ctl {
namespace {

const std::string kEnd(4, '\0');
constexpr FetchHow kQuick{"", 100, true};

// What a worker has written; it has ended unless `open`.
StreamSource Stream(const std::string& bytes, UniqueFd* open = nullptr) {
  SocketPair pair = MakeSocketPair(SOCK_STREAM);
  REQUIRE(::send(pair.second.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
  if (open != nullptr) *open = std::move(pair.second);
  auto reader = std::make_shared<UniqueFd>(std::move(pair.first));
  auto buffer = std::make_shared<std::string>();
  return [reader, buffer](Millis limit) -> Result<std::optional<std::string_view>> {
    pollfd entry{reader->get(), POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(limit)) <= 0) return std::optional<std::string_view>();
    buffer->resize(1024);
    const ssize_t got = ::recv(reader->get(), buffer->data(), buffer->size(), 0);
    REQUIRE(got >= 0);
    return std::optional(std::string_view(*buffer).substr(0, static_cast<std::size_t>(got)));
  };
}

std::size_t FilesIn(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("A whole result becomes a file that only its owner reads, in place of what was there") {
  const TempFolder folder;
  const std::string path = folder.path() + "/x.cpuprofile";
  for (const char* content : {"{}", "{\"again\":1}"}) {
    const auto size = FetchFile(Stream(EncodeFrame(content) + kEnd), path, kQuick);
    REQUIRE(size);
    CHECK(*size == std::string(content).size());
    CHECK(std::filesystem::file_size(path) == *size);
    CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::all) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    CHECK(FilesIn(folder.path()) == 1);
  }
}

TEST_CASE("Of a result that does not become whole nothing is left") {
  const TempFolder folder;
  const std::string path = folder.path() + "/x.heapsnapshot";
  UniqueFd open;
  const auto fetch = [&](const StreamSource& stream, const std::string& to) {
    const auto size = FetchFile(stream, to, kQuick);
    REQUIRE_FALSE(size);
    CHECK(FilesIn(folder.path()) == 0);
    return size.error();
  };
  CHECK(fetch(Stream(EncodeFrame("half")), path).code == ErrorCode::kUnreachable);
  CHECK(fetch(Stream(EncodeFrame("half"), &open), path).code == ErrorCode::kTimeout);
  std::string failed = EncodeFrame("no memory");
  failed[0] = static_cast<char>(0x80);
  const Error error = fetch(Stream(EncodeFrame("half") + failed), path);
  CHECK(error.message.find("no memory") != std::string::npos);
  CHECK(fetch(Stream(kEnd + "more"), path).code == ErrorCode::kProtocol);
  // Where it cannot be made, or its name is taken by a folder.
  CHECK(fetch(Stream(kEnd), folder.path() + "/no/x").code == ErrorCode::kSystem);
  CHECK(fetch(Stream(kEnd), folder.path()).code == ErrorCode::kInvalid);
}

TEST_CASE("Whether a file can be made is known before anything is asked for") {
  const TempFolder folder;
  CHECK(CanFetchTo(folder / "x.cpuprofile"));
  CHECK(CanFetchTo("x.cpuprofile"));
  CHECK_FALSE(CanFetchTo(folder.path()));
  CHECK_FALSE(CanFetchTo(folder / "no/x"));
  CHECK_FALSE(CanFetchTo(folder / std::string(250, 'x')));
  CHECK(FilesIn(folder.path()) == 0);
}

TEST_CASE("What a killed slc of the same pid has left is in nobody's way") {
  const TempFolder folder;
  const std::string path = folder / "x";
  folder.Write(".x." + std::to_string(::getpid()) + ".part", "old");
  CHECK(FetchFile(Stream(EncodeFrame("new") + kEnd), path, kQuick));
  CHECK(folder.Read("x") == "new");
  CHECK(FilesIn(folder.path()) == 1);
}

TEST_CASE("Who was stopped for long still takes what lay there meanwhile") {
  const StreamSource stream = Stream(EncodeFrame("whole") + kEnd);
  unsigned looks = 0;
  const StreamSource late = [&](Millis limit) -> Result<std::optional<std::string_view>> {
    if (looks++ > 0) return stream(limit);
    ::poll(nullptr, 0, 2 * static_cast<int>(kQuick.patience));
    return std::optional<std::string_view>();
  };
  const auto text = FetchText(late, 100, kQuick);
  REQUIRE(text);
  CHECK(*text == "whole");
}

TEST_CASE("What is too long, or comes in drops, is given up") {
  const TempFolder folder;
  FetchHow how = kQuick;
  how.most = 3;
  CHECK(FetchFile(Stream(EncodeFrame("abc") + kEnd), folder / "x", how));
  CHECK(FetchFile(Stream(EncodeFrame("abcd") + kEnd), folder / "y", how).error().code ==
        ErrorCode::kProtocol);
  const std::string drop = EncodeFrame("x");
  const StreamSource drops = [&](Millis) -> Result<std::optional<std::string_view>> {
    ::poll(nullptr, 0, 50);
    return std::optional(std::string_view(drop));
  };
  const auto slow = FetchFile(drops, folder / "z", kQuick);
  REQUIRE_FALSE(slow);
  CHECK_MESSAGE(slow.error().message.find("too slowly") != std::string::npos, slow.error().message);
  CHECK(FilesIn(folder.path()) == 1);
}

TEST_CASE("A text has its limit") {
  const auto whole = FetchText(Stream(EncodeFrame("abc") + kEnd), 3, kQuick);
  REQUIRE(whole);
  CHECK(*whole == "abc");
  CHECK_FALSE(FetchText(Stream(EncodeFrame("abcd") + kEnd), 3, kQuick));
}

}  // namespace slc::ctl
