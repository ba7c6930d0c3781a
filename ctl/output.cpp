#include "ctl/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace slc::ctl {

namespace {

// Whoever gave us the descriptor may have made it non-blocking.
bool Write(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put >= 0) {
      text.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno == EAGAIN) {
      pollfd entry{fd, POLLOUT, 0};
      ::poll(&entry, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

void Print(std::string_view text) {
  if (Write(STDOUT_FILENO, text)) return;
  Complain(std::string("cannot write to standard output: ") + std::strerror(errno));
  ::_exit(kFailed);
}

void Complain(std::string_view message) { Remark("slc: " + std::string(message) + "\n"); }

void Remark(std::string_view text) {
  // Nobody is left to be told when this fails.
  static_cast<void>(Write(STDERR_FILENO, text));
}

std::string TookText(Millis span) {
  return span < 1000 ? std::to_string(span) + " ms" : FormatSpan(span);
}

bool IsTerminal(int fd) {
  if (::isatty(fd) != 1) return false;
  const char* kind = std::getenv("TERM");
  return kind != nullptr && kind[0] != '\0' && std::string_view(kind) != "dumb";
}

}  // namespace slc::ctl
