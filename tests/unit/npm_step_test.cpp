#include "daemon/deploy/core/npm_step.h"

#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "daemon/deploy/package_facts.h"
#include "tests/unit/temp_folder.h"

using namespace slc;
using namespace slc::deploy;

namespace {

NpmStep Of(const TempFolder& folder, bool skip = false) {
  const auto facts = ReadPackageFacts(folder.fd());
  REQUIRE_MESSAGE(facts.ok(), facts.error().message);
  return ChooseNpmStep(*facts, skip);
}

std::string Command(const NpmStep& step) {
  return step.arguments.empty() ? "" : step.arguments.front();
}

bool Says(const NpmStep& step, const std::string& text) {
  const bool says = step.reason.find(text) != std::string::npos;
  if (!says) MESSAGE(step.reason);
  return says;
}

constexpr const char* kTwo = R"({"dependencies": {"express": "4", "@acme/log": "1"}})";

}  // namespace

TEST_CASE("npm does nothing where nothing is asked of it") {
  TempFolder folder;
  CHECK(Says(Of(folder), "there is no package.json"));
  for (const char* text : {"{}", R"({"dependencies": {}, "devDependencies": {"mocha": "1"}})",
                           R"({"scripts": {"start": "node ."}})", R"({"dependencies": 1})"}) {
    CAPTURE(text);
    folder.Write("package.json", text);
    CHECK(Command(Of(folder)).empty());
    CHECK(Says(Of(folder), "names no dependencies"));
  }
  folder.Write("package.json", kTwo);
  CHECK(Command(Of(folder, true)).empty());
  CHECK(Says(Of(folder, true), "skipped"));
}

TEST_CASE("npm installs what a lock says, or else the newest") {
  TempFolder folder;
  folder.Write("package.json", kTwo);
  CHECK(Of(folder).arguments ==
        std::vector<std::string>{"install", "--omit=dev", "--no-audit", "--no-fund"});
  CHECK(Says(Of(folder), "no package-lock.json"));
  folder.Write("yarn.lock", "");
  CHECK(Says(Of(folder), "npm does not read yarn.lock"));
  folder.Write("package-lock.json", "{}");
  CHECK(Command(Of(folder)) == "ci");
  CHECK(Says(Of(folder), "package-lock.json says what to install"));
  folder.Write("npm-shrinkwrap.json", "{}");
  CHECK(Says(Of(folder), "npm-shrinkwrap.json says what to install"));
}

TEST_CASE("node_modules that were packed are wanted as they are, if they are whole") {
  TempFolder folder;
  folder.Write("package.json", kTwo);
  folder.Write("package-lock.json", "{}");
  folder.Write("node_modules/express/index.js", "");
  // As npm pack has it with bundled dependencies.
  CHECK(Command(Of(folder)) == "ci");
  CHECK(Says(Of(folder), "node_modules lacks @acme/log, and package-lock.json"));
  REQUIRE(::mkdir((folder / "node_modules/@acme").c_str(), 0755) == 0);
  REQUIRE(::symlink("../../packages/log", (folder / "node_modules/@acme/log").c_str()) == 0);
  CHECK(Of(folder).arguments == std::vector<std::string>{"rebuild"});
  CHECK(Says(Of(folder), "node_modules is in the pack"));
  // Those that may be absent are no reason.
  folder.Write(
      "package.json",
      R"({"dependencies": {"express": "4", "no": "1"}, "optionalDependencies": {"no": "1"}})");
  CHECK(Command(Of(folder)) == "rebuild");
  PackageFacts many;
  many.package_json = many.dependencies = many.node_modules = true;
  many.absent = {"a", "b", "c", "d", "e"};
  CHECK(Says(ChooseNpmStep(many, false), "lacks a, b, c and 2 more, and there is no"));
}

TEST_CASE("what is built at installation, and workspaces, are installed without dependencies too") {
  for (const char* text : {R"({"scripts": {"postinstall": "make"}})", R"({"workspaces": ["a"]})",
                           R"({"optionalDependencies": {"fsevents": "2"}})"}) {
    CAPTURE(text);
    TempFolder folder;
    folder.Write("package.json", text);
    CHECK(Command(Of(folder)) == "install");
  }
  TempFolder folder;
  folder.Write("package.json", "{}");
  folder.Write("binding.gyp", "{}");
  CHECK(Command(Of(folder)) == "install");
}

TEST_CASE("facts of a package are those of the folder, and of nothing that a link leads to") {
  TempFolder folder;
  TempFolder other;
  other.Write("package.json", kTwo);
  other.Write("express/index.js", "");
  REQUIRE(::symlink((other / "package.json").c_str(), (folder / "package.json").c_str()) == 0);
  CHECK(Says(Of(folder), "there is no package.json"));
  REQUIRE(::unlink((folder / "package.json").c_str()) == 0);
  REQUIRE(::mkfifo((folder / "package.json").c_str(), 0600) == 0);
  CHECK(Says(Of(folder), "there is no package.json"));
  REQUIRE(::unlink((folder / "package.json").c_str()) == 0);
  folder.Write("package.json", R"({"dependencies": {"express": "4", "../../../etc": "1"}})");
  REQUIRE(::symlink(other.path().c_str(), (folder / "node_modules").c_str()) == 0);
  auto facts = ReadPackageFacts(folder.fd());
  REQUIRE(facts.ok());
  CHECK_FALSE(facts->node_modules);
  CHECK(facts->absent.size() == 2);
  for (const char* text : {"", "[]", "{", "\"text\"", "{\"dependencies\": \xff}"}) {
    CAPTURE(text);
    folder.Write("package.json", text);
    CHECK_FALSE(ReadPackageFacts(folder.fd()).ok());
  }
}
