// Where a home may lie: nowhere that others can rename it away.
#include "common/base/safe_place.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include <doctest/doctest.h>

#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

std::string Refusal(const std::string& path) {
  const Status safe = CheckSafePlace(path);
  return safe ? std::string() : safe.error().message;
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("A path is safe below folders of our own, of root, and below sticky ones") {
  TempFolder folder;  // in /tmp
  folder.Write("a/b/file", "");
  CHECK(Refusal(folder / "a/b/home").empty());
  CHECK(Refusal(folder / "a/b").empty());
  CHECK(Refusal(folder / "none/of/these").empty());
  CHECK(Refusal("/").empty());
}

TEST_CASE("A folder above that others can write to is refused, and it says what to do") {
  TempFolder folder;
  folder.Write("a/b/file", "");
  const std::string open = folder / "a";
  REQUIRE(::chmod(open.c_str(), 0777) == 0);
  for (const char* below : {"a/b/home", "a/home", "a/b", "a/none/of/these"}) {
    CAPTURE(below);
    const std::string why = Refusal(folder / below);
    CHECK(Contains(why, open + " is writable by everybody"));
    CHECK(Contains(why, "chmod o-w " + open));
    const auto unsafe = FindUnsafePlace(folder / below);
    REQUIRE(unsafe);
    CHECK(unsafe->why + "; " + unsafe->what_to_do == why);
    CHECK(unsafe->what_to_do == "run: chmod o-w " + open);
  }
  // It is only the way: itself it is judged by whoever opens it.
  CHECK(Refusal(open).empty());
  REQUIRE(::chmod(open.c_str(), 01777) == 0);
  CHECK(Refusal(folder / "a/b/home").empty());
  if (::geteuid() != 0) return;
  REQUIRE(::chmod(open.c_str(), 0775) == 0);
  REQUIRE(::chown(open.c_str(), 0, 65534) == 0);
  CHECK(Contains(Refusal(folder / "a/b/home"), open + " is writable by its group"));
  // Root's group is trusted as root is.
  REQUIRE(::chown(open.c_str(), 0, 0) == 0);
  CHECK(Refusal(folder / "a/b/home").empty());
  REQUIRE(::chmod(open.c_str(), 0755) == 0);
  REQUIRE(::chown(open.c_str(), 65534, 0) == 0);
  CHECK(Contains(Refusal(folder / "a/b/home"), open + " belongs to uid 65534"));
}

TEST_CASE("Links on the way are followed, and must not be somebody else's") {
  TempFolder folder;
  folder.Write("open/in/file", "");
  folder.Write("closed/file", "");
  REQUIRE(::chmod((folder / "open").c_str(), 0777) == 0);
  REQUIRE(::symlink((folder / "open/in").c_str(), (folder / "closed/way").c_str()) == 0);
  CHECK(Contains(Refusal(folder / "closed/way/home"), folder / "open"));
  if (::geteuid() != 0) return;
  REQUIRE(::chmod((folder / "open").c_str(), 0755) == 0);
  CHECK(Refusal(folder / "closed/way/home").empty());
  REQUIRE(::lchown((folder / "closed/way").c_str(), 65534, 65534) == 0);
  CHECK(Contains(Refusal(folder / "closed/way/home"), "belongs to uid 65534"));
}

}  // namespace slc
