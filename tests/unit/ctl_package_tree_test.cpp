#include <unistd.h>

#include <doctest/doctest.h>

#include "ctl/package_tree.h"
#include "tests/unit/ctl_scratch.h"

namespace slc::ctl {
namespace {

std::string Text(const Scratch& scratch, std::optional<std::uint32_t> depth = {}) {
  auto tree = ReadPackages(scratch.path(), depth);
  return tree ? PackagesText(*tree) : tree.error().message;
}

}  // namespace

TEST_CASE("Packages are drawn as the original drew them") {
  const Scratch scratch;
  scratch.Write("package.json",
                R"({"name":"app","version":"1.2.3","dependencies":{"a":"1","c":"1"}})");
  CHECK(Text(scratch) == "app@1.2.3\n ├──a@1 missing\n └──c@1 missing\n");
  scratch.Write("node_modules/a/package.json",
                R"({"name":"a","version":"1.0.0","dependencies":{"b":"2","@x/y":"3"}})");
  scratch.Write("node_modules/a/node_modules/b/package.json", R"({"name":"b","version":"2.0.0"})");
  scratch.Write("node_modules/@x/y/package.json", R"({"name":"@x/y","version":"3.0.0"})");
  scratch.Write("node_modules/c/package.json",
                R"({"name":"c","version":"1.1.0","dependencies":{"b":"3"}})");
  scratch.Write("node_modules/b/package.json", R"({"name":"b","version":"3.0.0"})");
  CHECK(Text(scratch) ==
        "app@1.2.3\n"
        " ├──┬a@1.0.0\n"
        " │  ├──@x/y@3.0.0\n"
        " │  └──b@2.0.0\n"
        " └──┬c@1.1.0\n"
        "    └──b@3.0.0\n");
  CHECK(Text(scratch, 0) == "app@1.2.3\n ├──a@1.0.0\n └──c@1.1.0\n");
}

TEST_CASE("Circles end, and what was shown before is not shown again") {
  const Scratch scratch;
  scratch.Write("package.json",
                R"({"name":"app","version":"1.0.0","dependencies":{"a":"1","b":"1"}})");
  scratch.Write("node_modules/a/package.json",
                R"({"name":"a","version":"1.0.0","dependencies":{"b":"1"}})");
  scratch.Write("node_modules/b/package.json",
                R"({"name":"b","version":"1.0.0","dependencies":{"a":"1"}})");
  CHECK(Text(scratch) ==
        "app@1.0.0\n ├──┬a@1.0.0\n │  └──┬b@1.0.0\n │     └──a@1.0.0 deduped\n"
        " └──b@1.0.0 deduped\n");
}

TEST_CASE("What is installed but cannot be read as a package is said to be invalid") {
  const Scratch scratch;
  scratch.Write("package.json",
                R"({"name":"app","version":"1.0.0","dependencies":{"a":"1","b":"1"}})");
  scratch.Write("node_modules/a/package.json", R"({"name":"a", oops)");
  scratch.Write("node_modules/b/README", "package.json was lost");
  scratch.Write("node_modules/c/package.json", "[]");
  CHECK(Text(scratch) == "app@1.0.0\n ├──a@ invalid\n ├──b@ invalid\n └──c@ invalid\n");
}

TEST_CASE("Optional packages may be absent, undeclared ones are listed") {
  const Scratch scratch;
  scratch.Write(
      "package.json",
      R"({"name":"app","version":"1.0.0","optionalDependencies":{"o":"1"},"devDependencies":{"d":"1"}})");
  scratch.Write("node_modules/stray/package.json", R"({"name":"stray","version":"9.0.0"})");
  scratch.Write("node_modules/.bin/x", "");
  CHECK(Text(scratch) == "app@1.0.0\n └──stray@9.0.0\n");
}

TEST_CASE("Links as pnpm makes them are followed to where a package really lies") {
  const Scratch scratch;
  scratch.Write("package.json", R"({"name":"app","version":"1.0.0","dependencies":{"a":"1"}})");
  scratch.Write("node_modules/.pnpm/a@1/node_modules/a/package.json",
                R"({"name":"a","version":"1.0.0","dependencies":{"b":"1"}})");
  scratch.Write("node_modules/.pnpm/a@1/node_modules/b/package.json",
                R"({"name":"b","version":"2.0.0"})");
  REQUIRE(::symlink(".pnpm/a@1/node_modules/a", (scratch / "node_modules/a").c_str()) == 0);
  CHECK(Text(scratch) == "app@1.0.0\n └──┬a@1.0.0\n    └──b@2.0.0\n");
}

TEST_CASE("A folder that is no package is an error") {
  const Scratch scratch;
  CHECK(Text(scratch).find("package.json") != std::string::npos);
}

}  // namespace slc::ctl
