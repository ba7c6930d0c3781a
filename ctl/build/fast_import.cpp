#include "ctl/build/fast_import.h"

#include <sys/stat.h>

namespace slc::ctl {
namespace {

std::string Data(std::uint64_t size) { return "data " + std::to_string(size) + "\n"; }

}  // namespace

std::string ImportPath(std::string_view path) {
  std::string quoted = "\"";
  for (const char c : path) {
    if (c == '\n') {
      quoted += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string ImportCommit(const std::string& ref, const std::string& author,
                         const std::string& committer, const std::string& message,
                         const std::string& parent) {
  return "commit " + ref + "\nauthor " + author + "\ncommitter " + committer + "\n" +
         Data(message.size()) + message + "\nfrom " + parent + "\ndeleteall\n";
}

std::string ImportFile(const TreeEntry& entry) {
  const char* mode = (entry.mode & S_IXUSR) != 0 ? "100755" : "100644";
  std::uint64_t size = entry.size;
  if (entry.kind == TreeEntry::Kind::kFolder) return {};
  if (entry.kind == TreeEntry::Kind::kLink) {
    mode = "120000";
    size = entry.target.size();
  }
  return std::string("M ") + mode + " inline " + ImportPath(entry.path) + "\n" + Data(size);
}

}  // namespace slc::ctl
