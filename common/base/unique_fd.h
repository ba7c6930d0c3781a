// UniqueFd owns one file descriptor and closes it. Move-only. -1 means "none".
#pragma once

#include <utility>

namespace slc {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  // Gives up ownership.
  int release() { return std::exchange(fd_, -1); }
  // Closes what is owned and takes `fd`. errno is preserved.
  void reset(int fd = -1);
  // A close-on-exec duplicate; empty with errno set when the system refuses.
  UniqueFd Duplicate() const;

 private:
  int fd_ = -1;
};

}  // namespace slc
