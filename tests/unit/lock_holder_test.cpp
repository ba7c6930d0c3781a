#include "common/base/lock_holder.h"

#include <doctest/doctest.h>

using namespace slc;

TEST_CASE("Who has the lock is read back as it was written, and nothing else is") {
  const LockHolder holder{{123, 456789}, true};
  const auto read = ReadLockHolder(WriteLockHolder(holder));
  REQUIRE(read);
  CHECK(read->process == holder.process);
  CHECK(read->kept);
  CHECK_FALSE(ReadLockHolder("123 456789\n")->kept);
  for (const char* text : {"", "\n", "123\n", "123 456789", "-1 5\n", "pid 5\n", "5 x\n"}) {
    CAPTURE(text);
    CHECK_FALSE(ReadLockHolder(text));
  }
}
