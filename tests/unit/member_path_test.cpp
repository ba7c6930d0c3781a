#include "daemon/deploy/unpack/core/member_path.h"

#include <doctest/doctest.h>

using namespace slc;
using namespace slc::unpack;

namespace {

std::string Clean(const std::string& name) {
  const auto path = CleanPath(name);
  return path ? *path : "refused: " + path.error().message;
}

bool Refused(const std::string& name, const std::string& reason) {
  const auto path = CleanPath(name);
  return !path && path.error().message.find(reason) != std::string::npos;
}

}  // namespace

TEST_CASE("a member's name becomes a path below the folder, or is refused") {
  CHECK(Clean("package/a.js") == "package/a.js");
  CHECK(Clean("./package//lib/./a.js") == "package/lib/a.js");
  CHECK(Clean("package/lib/") == "package/lib");
  CHECK(Clean("./") == "");
  CHECK(Clean("a/...") == "a/...");
  CHECK(Clean("a\\..\\b") == "a\\..\\b");
  CHECK(Clean("a/\xff\xfe") == "a/\xff\xfe");
  CHECK(Refused("", "no name"));
  CHECK(Refused("/etc/passwd", "absolute"));
  CHECK(Refused("//etc", "absolute"));
  CHECK(Refused("..", "leads out"));
  CHECK(Refused("a/../b", "leads out"));
  CHECK(Refused("a/..", "leads out"));
  CHECK(Refused("./..//", "leads out"));
  CHECK(Refused(std::string("a\0b", 3), "NUL"));
  CHECK(Refused("a/" + std::string(256, 'n'), "255 bytes"));
  CHECK(Clean("a/" + std::string(255, 'n')) == "a/" + std::string(255, 'n'));
  std::string deep = "0";
  for (int i = 0; i < 64; ++i) deep += "/d";
  CHECK(Clean(deep) == deep);
  CHECK(Refused(deep + "/d", "64 folders deep"));
  CHECK(Refused(std::string(5000, 'n'), "4095 bytes"));
  // Names are shown, not obeyed.
  CHECK(Clean("/\x1b[2J").find("\\x1b[2J") != std::string::npos);
  CHECK(Clean("/" + std::string(1000, 'n')).size() < 300);
}

TEST_CASE("the one top folder is stripped, whatever its name") {
  TopFolder top;
  CHECK(top.name().empty());
  CHECK(*top.Strip("package", true) == "");
  CHECK(*top.Strip("package/a", false) == "a");
  CHECK(*top.Strip("package/package/a", false) == "package/a");
  CHECK(*top.Strip("", true) == "");
  CHECK(top.name() == "package");
  CHECK_FALSE(top.Strip("package2/a", false).ok());
  CHECK_FALSE(top.Strip("pack", true).ok());
  CHECK_FALSE(top.Strip("package", false).ok());
  CHECK_FALSE(TopFolder().Strip("a.js", false).ok());
}

TEST_CASE("an archive that begins with ./ has no top folder") {
  TopFolder top;
  CHECK(*top.Strip("", true) == "");
  CHECK(*top.Strip("a.js", false) == "a.js");
  CHECK(*top.Strip("lib/a.js", false) == "lib/a.js");
  CHECK(top.name() == ".");
  CHECK_FALSE(top.Strip("", false).ok());
}

TEST_CASE("symbolic links stay within the folder") {
  CHECK(CheckLinkTarget("node_modules/.bin/x", "../x/bin.js").ok());
  CHECK(CheckLinkTarget("a/b/c", "../../d").ok());
  CHECK(CheckLinkTarget("a/b", "..").ok());
  CHECK(CheckLinkTarget("a", ".").ok());
  CHECK(CheckLinkTarget("a", "b//./c/").ok());
  CHECK_FALSE(CheckLinkTarget("a", "").ok());
  CHECK_FALSE(CheckLinkTarget("a", "/").ok());
  CHECK_FALSE(CheckLinkTarget("a", "/etc/passwd").ok());
  CHECK_FALSE(CheckLinkTarget("a", "..").ok());
  CHECK_FALSE(CheckLinkTarget("a/b", "../..").ok());
  CHECK_FALSE(CheckLinkTarget("a/b/c", "./../.././../d").ok());
  // What a name leads to may be a link to somewhere higher.
  CHECK_FALSE(CheckLinkTarget("a/b/c", "d/../e").ok());
  CHECK_FALSE(CheckLinkTarget("a", std::string("b\0c", 3)).ok());
  CHECK_FALSE(CheckLinkTarget("a", std::string(5000, 'b')).ok());
}
