#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "ctl/build/build.h"
#include "ctl/build/fast_import.h"
#include "ctl/build/tar_format.h"
#include "ctl/build/tree.h"
#include "ctl/build/work_copy.h"
#include "tests/unit/temp_folder.h"

namespace slc::ctl {
namespace {

std::vector<std::string> Paths(const Tree& tree) {
  std::vector<std::string> paths;
  for (const TreeEntry& entry : tree.entries) paths.push_back(entry.path);
  return paths;
}

TreeEntry File(const std::string& path, std::uint64_t size = 0) {
  TreeEntry entry;
  entry.path = path;
  entry.mode = 0644;
  entry.size = size;
  entry.changed = 1'700'000'000;
  return entry;
}

// What GNU tar lists of an archive of these members.
std::string Listed(const std::vector<TreeEntry>& entries) {
  TempFolder home;
  std::string archive;
  for (const TreeEntry& entry : entries) {
    archive += TarHeader("package/", entry) + std::string(entry.size, 'x') + TarPadding(entry.size);
  }
  home.Write("a.tar", archive + TarEnd());
  const std::string command =
      "TZ=UTC tar -tvf " + home.path() + "/a.tar > " + home.path() + "/list 2>&1";
  CHECK(std::system(command.c_str()) == 0);
  return home.Read("list");
}

}  // namespace

TEST_CASE("a tree is sorted, and holds neither the repository nor litter") {
  TempFolder home;
  for (const char* name : {"b.js", "a/z.js", "a.js", ".git/HEAD", "node_modules/x/index.js",
                           "node_modules/x/.git/HEAD", "node_modules/.cache/big", ".npmrc",
                           ".DS_Store", "lib/._a.js", "lib/.a.js.swp", ".env", ".gitignore"}) {
    home.Write(name, "x");
  }
  REQUIRE(::chmod((home / "a.js").c_str(), 04755) == 0);
  REQUIRE(::symlink("../a.js", (home / "a/link").c_str()) == 0);
  REQUIRE(::mkfifo((home / "pipe").c_str(), 0600) == 0);
  auto tree = ListTree(home.path());
  REQUIRE(tree);
  CHECK(Paths(*tree) == std::vector<std::string>{".env", ".gitignore", "a", "a/link", "a/z.js",
                                                 "a.js", "b.js", "lib", "node_modules",
                                                 "node_modules/x", "node_modules/x/index.js"});
  CHECK(tree->left_out == std::vector<std::string>{".git", "node_modules/x/.git", "pipe"});
  CHECK(tree->entries[5].mode == 0755);
  CHECK(tree->entries[3].target == "../a.js");
  CHECK(tree->stray.empty());
  CHECK(CheckLinks(*tree).ok());

  TreeRules all;
  all.litter = true;
  all.skip = "node_modules";
  tree = ListTree(home.path(), all);
  REQUIRE(tree);
  CHECK(Paths(*tree) == std::vector<std::string>{".DS_Store", ".env", ".gitignore", ".npmrc", "a",
                                                 "a/link", "a/z.js", "a.js", "b.js", "lib",
                                                 "lib/._a.js", "lib/.a.js.swp"});
}

TEST_CASE("links that lead out of a folder are known") {
  CHECK_FALSE(LeadsOut("node_modules/.bin/x", "../x/bin.js"));
  CHECK_FALSE(LeadsOut("a/b", ".."));
  CHECK_FALSE(LeadsOut("b", "."));
  CHECK(LeadsOut("b", ".."));
  CHECK(LeadsOut("node_modules/lib", "../../lib"));
  CHECK(LeadsOut("a/b", "c/../../../d"));
  CHECK(LeadsOut("a", "/etc/passwd"));
  TempFolder home;
  REQUIRE(::symlink("../lib", (home / "lib").c_str()) == 0);
  const auto tree = ListTree(home.path());
  REQUIRE(tree);
  const Status good = CheckLinks(*tree);
  REQUIRE_FALSE(good);
  CHECK(good.error().message.find("lib is a symbolic link out of the app's folder, to ../lib") ==
        0);
}

TEST_CASE("a file that becomes shorter while it is read is an error, one that grows is cut") {
  TempFolder home;
  home.Write("f", "12345");
  TreeEntry entry = File("f", 3);
  std::string read;
  const auto take = [&](std::string_view piece) {
    read += piece;
    return Ok();
  };
  CHECK(ReadEntry(home.path(), entry, take).ok());
  CHECK(read == "123");
  entry.size = 6;
  const Status longer = ReadEntry(home.path(), entry, take);
  REQUIRE_FALSE(longer);
  CHECK(longer.error().code == ErrorCode::kConflict);
}

TEST_CASE("members are what tar takes them for") {
  TreeEntry folder = File("lib");
  folder.kind = TreeEntry::Kind::kFolder;
  folder.mode = 0755;
  TreeEntry link = File("node_modules/.bin/x");
  link.kind = TreeEntry::Kind::kLink;
  link.mode = 0777;
  link.target = "../x/bin.js";
  CHECK(Listed({File("a.js", 5), folder, link, File("node_modules/x/a.js", 512)}) ==
        "-rw-r--r-- 0/0               5 2023-11-14 22:13 package/a.js\n"
        "drwxr-xr-x 0/0               0 1985-10-26 08:15 package/lib/\n"
        "lrwxrwxrwx 0/0               0 1985-10-26 08:15 package/node_modules/.bin/x -> "
        "../x/bin.js\n"
        "-rw-r--r-- 0/0             512 1985-10-26 08:15 package/node_modules/x/a.js\n");
}

TEST_CASE("names and targets of any length and any bytes come through") {
  std::vector<TreeEntry> entries;
  std::vector<std::string> names;
  for (const std::size_t length : {90U, 92U, 93U, 99U, 100U, 101U, 150U, 154U, 155U, 156U, 200U,
                                   254U, 255U, 256U, 300U, 1000U}) {
    std::string cut;
    while (cut.size() < length) cut += std::string(std::min<std::size_t>(49, length), 'd') + "/";
    cut.resize(length);
    cut.back() = 'f';
    // And one that cannot be cut in two.
    for (const std::string& name : {cut, std::string(std::min<std::size_t>(length, 255), 'n')}) {
      entries.push_back(File(name, 3));
      names.push_back(name);
    }
  }
  TreeEntry folder = File(std::string(99, 'a') + "/" + std::string(91, 'b'));
  folder.kind = TreeEntry::Kind::kFolder;
  entries.push_back(folder);
  names.push_back(folder.path + "/");
  TreeEntry link = File("link");
  link.kind = TreeEntry::Kind::kLink;
  link.target = std::string(150, 't');
  entries.push_back(link);
  names.push_back("link -> " + link.target);
  entries.push_back(File("umläut =1\n", 1));
  names.push_back("umläut =1\\n");
  const std::string list = Listed(entries);
  std::size_t at = 0;
  for (const std::string& name : names) {
    INFO(name);
    const std::string wanted = " package/" + name + "\n";
    at = list.find(wanted, at);
    REQUIRE(at != std::string::npos);
    at += wanted.size() - 1;
  }
}

TEST_CASE("sizes beyond what ustar can say stand in a record of their own") {
  const std::string header = TarHeader("package/", File("big", std::uint64_t{9} << 30));
  CHECK(header.size() == 3 * kTarBlock);
  CHECK(header.find("19 size=9663676416\n") == kTarBlock);
  CHECK(TarPadding(0).empty());
  CHECK(TarPadding(1).size() == 511);
  CHECK(TarPadding(512).empty());
}

TEST_CASE("what git imports holds paths in quotes, modes and sizes") {
  CHECK(ImportPath("a \"b\\c\nd") == "\"a \\\"b\\\\c\\nd\"");
  TreeEntry entry = File("a.js", 12);
  CHECK(ImportFile(entry) == "M 100644 inline \"a.js\"\ndata 12\n");
  entry.mode = 0755;
  CHECK(ImportFile(entry) == "M 100755 inline \"a.js\"\ndata 12\n");
  entry.kind = TreeEntry::Kind::kLink;
  entry.target = "../b";
  CHECK(ImportFile(entry) == "M 120000 inline \"a.js\"\ndata 4\n");
  entry.kind = TreeEntry::Kind::kFolder;
  CHECK(ImportFile(entry).empty());
}

TEST_CASE("an archive is called after the package, whatever that is called") {
  CHECK(ArchiveName("acme-api", "1.2.3-rc.1+5") == "acme-api-1.2.3-rc.1+5.tgz");
  CHECK(ArchiveVersion("1.2.3-rc.1+5") == "1.2.3-rc.1+5");
  CHECK(ArchiveVersion("") == "0.0.0");
  CHECK(ArchiveVersion("../../x") == "0.0.0");
}

TEST_CASE("a copy to build in lies beside the folder, holds its files, and goes") {
  TempFolder home;
  home.Write("app/lib/a.js", "a", 0755);
  home.Write("app/.npmrc", "b");
  home.Write("app/node_modules/x/a.js", "c");
  home.Write("app/.git/HEAD", "d");
  REQUIRE(::symlink("lib/a.js", (home / "app/link").c_str()) == 0);
  std::string path;
  {
    auto copy = WorkCopy::Make(home / "app");
    REQUIRE(copy);
    path = copy->path();
    CHECK(path.rfind(home.path() + "/.slc-build-", 0) == 0);
    REQUIRE(copy->Fill(home / "app").ok());
    TreeRules all;
    all.litter = true;
    const auto tree = ListTree(path, all);
    REQUIRE(tree);
    CHECK(Paths(*tree) == std::vector<std::string>{".npmrc", "lib", "lib/a.js", "link"});
    CHECK(tree->entries[2].mode == 0755);
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("what a killed build has left is removed, what another builds in is not") {
  TempFolder home;
  home.Write("app/a.js", "a");
  home.Write(".slc-build-dead01/a.js", "a");
  home.Write(".slc-build-alive1/a.js", "a");
  const UniqueFd alive(::open((home / ".slc-build-alive1").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(::flock(alive.get(), LOCK_EX | LOCK_NB) == 0);
  const auto copy = WorkCopy::Make(home / "app");
  REQUIRE(copy);
  CHECK_FALSE(home.Has(".slc-build-dead01"));
  CHECK(home.Has(".slc-build-alive1/a.js"));
}

}  // namespace slc::ctl
