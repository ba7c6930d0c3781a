// A folder for one test case, gone when it ends.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "common/base/files.h"
#include "common/base/unique_fd.h"

namespace slc::ctl {

class Scratch {
 public:
  Scratch() {
    std::string pattern = "/tmp/slc-ctl-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~Scratch() {
    const UniqueFd parent(::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    static_cast<void>(RemoveTreeAt(parent.get(), path_.substr(5)).ok());
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  // Makes the file and the folders above it.
  void Write(const std::string& name, const std::string& content) const {
    const std::string file = path_ + "/" + name;
    if (!MakeDirectories(file.substr(0, file.rfind('/')))) std::abort();
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd || !WriteAll(fd.get(), content)) std::abort();
  }
  void Folder(const std::string& name) const {
    if (!MakeDirectories(path_ + "/" + name)) std::abort();
  }

 private:
  std::string path_;
};

}  // namespace slc::ctl
