#include "daemon/missing_descriptors.h"

#include <doctest/doctest.h>

using namespace slc;

TEST_CASE("That descriptors are missing is told once, and once that none is any more") {
  uv::Loop loop;
  MissingDescriptors missing(loop, [](const std::vector<std::string>&) {});
  CHECK_FALSE(missing.Begun());
  CHECK_FALSE(missing.Over());
  missing.Add("a");
  missing.Add("b");
  CHECK(missing.Begun() == 2);
  CHECK_FALSE(missing.Begun());
  // Asked for again, and in vain.
  missing.Add("a");
  missing.Remove("b");
  missing.Add("c");
  CHECK_FALSE(missing.Begun());
  CHECK_FALSE(missing.Over());
  missing.Remove("a");
  missing.Remove("c");
  CHECK(missing.Over() == 3);
  CHECK_FALSE(missing.Over());
  missing.Add("a");
  CHECK(missing.Begun() == 1);
  // Another master's are another matter.
  missing.Clear();
  CHECK_FALSE(missing.Over());
}

TEST_CASE("What is missing is asked for until it has come") {
  uv::Loop loop;
  int asked = 0;
  MissingDescriptors* self = nullptr;
  MissingDescriptors missing(loop, [&](const std::vector<std::string>& names) {
    CHECK(names == std::vector<std::string>{"a"});
    if (++asked == 2) {
      self->Remove("a");
      return loop.Stop();
    }
    self->AskLater();
  });
  self = &missing;
  missing.Add("a");
  missing.AskLater();
  loop.Run();
  CHECK(asked == 2);
}
