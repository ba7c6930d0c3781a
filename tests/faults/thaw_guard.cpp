#include "tests/faults/thaw_guard.h"

#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/base/time.h"
#include "tests/system/harness/outliving.h"

namespace slc::test {
namespace {

// Four times what the longest freeze takes: by then we hang ourselves.
constexpr Millis kMost = 120'000;

void Guard(int program, int folder) {
  pollfd entry{program, POLLIN, 0};
  ::poll(&entry, 1, static_cast<int>(kMost));
  char word = 0;
  const bool leave = (entry.revents & POLLIN) != 0 && ::read(program, &word, 1) == 1;
  if (!leave) ::ioctl(folder, FITHAW, nullptr);
}

}  // namespace

ThawGuard::ThawGuard(int folder) {
  int ends[2] = {-1, -1};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  ours_ = UniqueFd(ends[1]);
  const UniqueFd its(ends[0]);
  RunOutliving([&] {
    ours_.reset();
    Guard(its.get(), folder);
  });
}

void ThawGuard::Leave() {
  const char word = 1;
  // Fails if its patience was over: then the hang was shorter than the test believes.
  CHECK(::send(ours_.get(), &word, 1, MSG_NOSIGNAL) == 1);
}

}  // namespace slc::test
