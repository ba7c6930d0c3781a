#include "tests/system/harness/outliving.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <doctest/doctest.h>

namespace slc::test {

void RunOutliving(const std::function<void()>& deed) {
  const pid_t child = ::fork();
  if (child < 0) FAIL("fork: ", std::strerror(errno));
  if (child == 0) {
    ::setsid();
    if (::fork() == 0) {
      const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
      for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
      deed();
    }
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
}

}  // namespace slc::test
