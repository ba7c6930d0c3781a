// What the tests of logs share: a directory of their own, files as text, waiting by asking.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/base/log_names.h"
#include "common/base/text.h"

namespace slc::testing {

// A directory that is gone with the object.
class TempDir {
 public:
  TempDir() {
    std::array<char, 32> pattern{"/tmp/slc-log-test-XXXXXX"};
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempDir() {
    if (!RemoveTreeAt(AT_FDCWD, path_)) std::fprintf(stderr, "cannot remove %s\n", path_.c_str());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string ReadText(const std::string& path) {
  auto text = ReadFile(path, 1U << 30);
  return text ? *text : std::string();
}

inline void WriteText(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!WriteAll(fd.get(), text)) std::abort();
}

inline void AppendText(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!WriteAll(fd.get(), text)) std::abort();
}

inline std::string RunForOutput(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 65536> buffer;
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), got);
  }
  ::pclose(pipe);
  return output;
}

inline std::vector<std::string> FileNames(const std::string& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  auto names = ListDirectory(fd.get());
  return names ? *names : std::vector<std::string>();
}

inline bool Exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

// All that a stream's files hold, oldest first. A file may be compressed and vanish meanwhile.
inline std::string WholeStream(const std::string& directory, LogStream stream) {
  std::string text;
  std::string last;
  for (const std::string& name : FileNames(directory)) {
    auto parsed = ParseRotatedLogName(name);
    if (!parsed || parsed->stream != stream || parsed->temporary || parsed->stamp == last) continue;
    last = parsed->stamp;
    auto plain = parsed->compressed ? Result<std::string>(Error{})
                                    : ReadFile(directory + "/" + name, 1U << 30);
    parsed->compressed = true;
    text += plain ? *plain : RunForOutput("gzip -dc " + directory + "/" + parsed->FileName());
  }
  return text + ReadText(directory + "/" + CurrentLogName(stream));
}

// Asks every few milliseconds; false if it did not become true in time.
inline bool WaitUntil(const std::function<bool()>& condition, int seconds = 10) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// "000000 xxxx\n000001 xxxx\n...": `count` lines of `size` bytes with their ends.
inline std::string Numbered(int first, int count, std::size_t size = 100) {
  std::string text;
  for (int i = first; i < first + count; ++i) {
    std::string line = std::to_string(1000000 + i) + " ";
    line.resize(size - 1, 'x');
    text += line + "\n";
  }
  return text;
}

inline std::size_t CountLines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// How many writers' threads there are.
inline int Threads() {
  int count = 0;
  DIR* tasks = ::opendir("/proc/self/task");
  while (const dirent* entry = ::readdir(tasks)) {
    const std::string name = std::string("/proc/self/task/") + entry->d_name + "/comm";
    count += ReadText(name) == "slc-log\n" ? 1 : 0;
  }
  ::closedir(tasks);
  return count;
}

// Checks raw lines "N ..." of a file with gaps: nothing is missing that no gap tells of, in order.
inline void CheckNumbersWithGaps(const std::string& text, std::uint64_t produced,
                                 std::uint64_t dropped) {
  std::uint64_t next = 0;
  std::uint64_t reported = 0;
  for (const std::string& line : Split(text, '\n')) {
    if (StartsWith(line, "[slc: ")) {
      const auto count = std::strtoull(line.c_str() + 6, nullptr, 10);
      next += count;
      reported += count;
    } else if (!line.empty() && line[0] >= '0' && line[0] <= '9') {
      REQUIRE(std::strtoull(line.c_str(), nullptr, 10) == next);
      ++next;
    }
  }
  CHECK(next == produced);
  CHECK(reported == dropped);
}

}  // namespace slc::testing
