// What a killed master has left: each part is taken once, and the rest is named so that slcd lets
// go of it.
#include "daemon/master/predecessor.h"

#include <fcntl.h>

#include <doctest/doctest.h>

namespace slc {

TEST_CASE("What nobody takes from a predecessor is closed and named") {
  Predecessor predecessor;
  std::vector<UniqueFd> fds;
  for (int i = 0; i < 3; ++i) fds.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int stray = fds[1].get();
  predecessor.Collect({"listener/a", "listener/stray", "config/1"}, std::move(fds));
  CHECK(predecessor.Take("listener/a"));
  CHECK(predecessor.TakeConfigs().size() == 1);
  CHECK(predecessor.Forget() == std::vector<std::string>{"listener/stray"});
  CHECK(::fcntl(stray, F_GETFD) == -1);
  CHECK(predecessor.Forget().empty());
}

}  // namespace slc
