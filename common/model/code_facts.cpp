#include "common/model/code_facts.h"

#include <sys/stat.h>

#include <string_view>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/model/json_fields.h"

namespace slc {
namespace {

constexpr std::size_t kMost = 1U << 20;

bool IsCommit(std::string_view text) {
  return text.size() >= 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string FirstLine(const std::string& path) {
  const auto text = ReadFile(path, kMost);
  return text ? std::string(Trim(text->substr(0, text->find('\n')))) : std::string();
}

// What a reference of a repository points to; empty if it cannot be told.
std::string CommitOf(const std::string& git, const std::string& reference) {
  // Its name comes from a file, and becomes part of a path.
  if (!StartsWith(reference, "refs/") || reference.find("..") != std::string::npos) return {};
  std::string loose = FirstLine(git + "/" + reference);
  if (IsCommit(loose)) return loose;
  const auto packed = ReadFile(git + "/packed-refs", kMost);
  if (!packed) return {};
  for (const std::string& line : Split(*packed, '\n')) {
    if (!EndsWith(line, " " + reference)) continue;
    std::string commit = line.substr(0, line.size() - reference.size() - 1);
    if (IsCommit(commit)) return commit;
  }
  return {};
}

std::string HeadOf(const std::string& git) {
  constexpr std::string_view kReference = "ref: ";
  std::string head = FirstLine(git + "/HEAD");
  if (IsCommit(head)) return head;
  return StartsWith(head, kReference) ? CommitOf(git, head.substr(kReference.size()))
                                      : std::string();
}

std::string VersionIn(const std::string& file) {
  const auto text = ReadFile(file, kMost);
  if (!text) return {};
  const auto parsed = ParseJson(*text);
  if (!parsed || !parsed->is_object()) return {};
  const auto version = parsed->find("version");
  if (version == parsed->end() || !version->is_string()) return {};
  return version->get<std::string>().substr(0, 64);
}

}  // namespace

CodeFacts ReadCodeFacts(const std::string& directory, const std::string& script) {
  CodeFacts facts;
  facts.version = VersionIn(directory + "/package.json");
  facts.commit = HeadOf(directory + "/.git");
  struct stat info {};
  const std::string path = StartsWith(script, "/") ? script : directory + "/" + script;
  if (::stat(path.c_str(), &info) == 0) {
    facts.script_changed = Millis{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1000000;
  }
  return facts;
}

std::vector<std::string> DescribeCodeChanges(const CodeFacts& before, const CodeFacts& after) {
  constexpr std::size_t kShort = 10;  // of a commit
  std::vector<std::string> changes;
  if (before.version != after.version && !before.version.empty() && !after.version.empty()) {
    changes.push_back("package.json " + before.version + " -> " + after.version);
  }
  if (before.commit != after.commit && !before.commit.empty() && !after.commit.empty()) {
    changes.push_back("git " + before.commit.substr(0, kShort) + " -> " +
                      after.commit.substr(0, kShort));
  }
  if (before.script_changed != after.script_changed && before.script_changed > 0 &&
      after.script_changed > 0) {
    changes.push_back("the script was written " + FormatIso(after.script_changed));
  }
  return changes;
}

}  // namespace slc
