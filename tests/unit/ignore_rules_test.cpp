// What .gitignore files ignore, compared to git itself.
#include "daemon/core/ignore_rules.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/base/text.h"
#include "tests/unit/histories.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

namespace fs = std::filesystem;

bool Matches(const std::string& pattern, const std::string& path, bool is_folder = false) {
  const auto parsed = PathPattern::Parse(pattern);
  return parsed && parsed->Matches(path, is_folder);
}

// A tree of files and folders, "a/" being a folder, and .gitignore files in some of its folders.
struct Tree {
  std::set<std::string> files;
  std::set<std::string> folders;
  std::vector<std::pair<std::string, std::string>> ignores;  // folder and text
};

std::string DrawName(Random& random) {
  static const std::vector<std::string> kNames{"a",    "b",   "ab",   "ba", "abc", "x.js",
                                               "a.js", "foo", "foo.", ".a", "-a",  "[a]",
                                               "a b",  "aXb", "0",    "a*", "foob"};
  return kNames[random.Below(static_cast<unsigned>(kNames.size()))];
}

std::string DrawSegment(Random& random) {
  static const std::vector<std::string> kPieces{
      "a",    "b",     "ab",           "foo",   "*",   "*",   "*", "?", "**",   "[ab]", "[!a]",
      "[^b]", "[a-c]", "[[:alpha:]]",  ".js",   "\\*", "\\a", "x", ".", "[]a]", "[a-]", "[",
      "0",    "-",     "[[:digit:]x]", "[\\]]", " "};
  if (random.Chance(25)) return DrawName(random);
  if (random.Chance(15)) return "**";
  std::string text;
  for (auto pieces = random.Between(1, 4); pieces > 0; --pieces) {
    text += kPieces[random.Below(static_cast<unsigned>(kPieces.size()))];
  }
  return text;
}

std::string DrawPattern(Random& random) {
  std::string text = random.Chance(25) ? "!" : "";
  if (random.Chance(20)) text += "/";
  for (auto segments = random.Between(1, 3); segments > 0; --segments) {
    text += DrawSegment(random);
    if (segments > 1) text += "/";
  }
  if (random.Chance(20)) text += "/";
  if (random.Chance(5)) text += "  ";
  if (random.Chance(3)) text = "#" + text;
  return text;
}

Tree DrawTree(Random& random) {
  Tree tree;
  for (int i = 0; i < 25; ++i) {
    std::string path;
    for (auto depth = random.Between(0, 3); depth > 0; --depth) {
      path += DrawName(random);
      if (tree.files.count(path) > 0) path += "_";
      tree.folders.insert(path);
      path += "/";
    }
    path += DrawName(random);
    if (tree.folders.count(path) == 0) tree.files.insert(path);
  }
  std::vector<std::string> places{""};
  places.insert(places.end(), tree.folders.begin(), tree.folders.end());
  for (auto count = random.Between(1, 3); count > 0; --count) {
    std::string text;
    for (auto lines = random.Between(1, 6); lines > 0; --lines) text += DrawPattern(random) + "\n";
    tree.ignores.emplace_back(places[random.Below(static_cast<unsigned>(places.size()))], text);
  }
  return tree;
}

// What `git check-ignore` says of `paths` in `folder`.
std::set<std::string> AskGit(const TempFolder& folder, const std::vector<std::string>& paths) {
  {
    std::ofstream input(folder / "input", std::ios::binary);
    for (const std::string& path : paths) input << path << '\0';
  }
  const std::string command = "cd '" + folder.path() +
                              "/tree' && git -c core.excludesFile= check-ignore --no-index -z "
                              "--stdin < ../input > ../output";
  const int status = std::system(command.c_str());
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) <= 1);
  std::set<std::string> ignored;
  for (const std::string& path : Split(*ReadFile(folder / "output"), '\0')) {
    if (!path.empty()) ignored.insert(path);
  }
  return ignored;
}

}  // namespace

TEST_CASE("Ignore rules: patterns mean what they mean to git") {
  CHECK(Matches("*.js", "src/app.js"));
  CHECK_FALSE(Matches("/*.js", "src/app.js"));
  CHECK(Matches("src/*.js", "src/app.js"));
  CHECK_FALSE(Matches("src/*.js", "src/lib/app.js"));
  CHECK(Matches("src/**/*.js", "src/app.js"));
  CHECK(Matches("src/**/*.js", "src/a/b/app.js"));
  CHECK(Matches("**/app.js", "app.js"));
  // git takes what follows the plain beginning for a pattern of its own.
  CHECK(Matches("foo**/bar", "foox/y/bar"));
  CHECK(Matches("/ab**", "abc/x"));
  CHECK_FALSE(Matches("*b**/x", "ab/y/x"));
  CHECK(Matches("build/", "build", true));
  CHECK_FALSE(Matches("build/", "build", false));
  CHECK(Matches("a*b*c*d", "aXbXbXcXcXd"));
  CHECK_FALSE(Matches("a*b*c*d", "aXbXbXcXcX"));
  CHECK(Matches("\\!a", "!a"));
  CHECK(Matches("\\#a", "#a"));
  CHECK_FALSE(Matches("#a", "#a"));
  CHECK(Matches("a\\ ", "a "));
  CHECK(Matches("a  ", "a"));
  CHECK_FALSE(Matches("a?b", "a/b"));
  CHECK_FALSE(Matches("x/a[^b]b", "x/a/b"));
  CHECK_FALSE(PathPattern::Parse(""));
  CHECK_FALSE(PathPattern::Parse("/"));
  CHECK_FALSE(PathPattern::Parse("a\\"));
  CHECK_FALSE(PathPattern::Parse("a[b"));
}

TEST_CASE("Ignore rules: what git ignores is ignored, and nothing else") {
  TempFolder folder;
  REQUIRE(std::system(("git init -q '" + folder.path() + "/tree'").c_str()) == 0);
  RunHistories(60, [&](Random& random) -> std::string {
    const Tree tree = DrawTree(random);
    const std::string top = folder.path() + "/tree/";
    for (const auto& entry : fs::directory_iterator(top)) {
      if (entry.path().filename() != ".git") fs::remove_all(entry.path());
    }
    for (const std::string& each : tree.folders) fs::create_directories(top + each);
    for (const std::string& each : tree.files) std::ofstream(top + each) << "x";
    IgnoreRules rules;
    for (const auto& [place, text] : tree.ignores) {
      std::ofstream(top + place + "/.gitignore", std::ios::trunc) << text;
    }
    for (const auto& [place, text] : tree.ignores) {
      rules.Set(place, IgnoreFile::Parse(*ReadFile(top + place + "/.gitignore")));
    }
    std::vector<std::string> paths(tree.files.begin(), tree.files.end());
    paths.insert(paths.end(), tree.folders.begin(), tree.folders.end());
    const auto ignored = AskGit(folder, paths);
    std::string wrong;
    for (const std::string& path : paths) {
      const bool ours = rules.IgnoresAny(path, tree.folders.count(path) > 0);
      if (ours == (ignored.count(path) > 0)) continue;
      wrong +=
          "'" + path + "' is " + (ours ? "ignored, but not by git" : "ignored by git only") + "; ";
    }
    if (wrong.empty()) return {};
    for (const auto& [place, text] : tree.ignores) wrong += place + "/.gitignore:\n" + text;
    return wrong;
  });
}

TEST_CASE("Ignore rules: a pattern made to take long does not") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  const auto parsed = PathPattern::Parse("x/**/" + pattern + "b/**/c");
  REQUIRE(parsed);
  const auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(parsed->Matches("x/" + std::string(4000, 'a') + "/c", false));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}

}  // namespace slc
