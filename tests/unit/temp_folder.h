// A folder for one test case, gone when it ends.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/base/unique_fd.h"

namespace slc {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = "/tmp/slc-test-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
    fd_ = UniqueFd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~TempFolder() {
    const UniqueFd parent(::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    static_cast<void>(RemoveTreeAt(parent.get(), path_.substr(5)).ok());
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  // Makes the file and the folders above it.
  void Write(const std::string& name, std::string_view content, mode_t mode = 0644) const {
    const std::string file = path_ + "/" + name;
    REQUIRE(MakeDirectories(file.substr(0, file.rfind('/'))).ok());
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    REQUIRE(WriteAll(fd.get(), content).ok());
  }
  // The file's content; "(none)" if there is no such file.
  std::string Read(const std::string& name) const {
    auto content = ReadFile(path_ + "/" + name);
    return content ? *content : "(none)";
  }
  bool Has(const std::string& name) const {
    return ::access((path_ + "/" + name).c_str(), F_OK) == 0;
  }

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace slc
