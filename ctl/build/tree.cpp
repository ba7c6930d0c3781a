#include "ctl/build/tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/base/unique_fd.h"

namespace slc::ctl {
namespace {

// Deeper than any node_modules; who is here has a folder mounted into itself.
constexpr int kMostDepth = 200;

Result<std::string> ReadLink(int folder, const std::string& name) {
  std::string target(4096, '\0');
  const ssize_t size = ::readlinkat(folder, name.c_str(), target.data(), target.size());
  if (size < 0) return SystemError("read the link", errno);
  target.resize(static_cast<std::size_t>(size));
  return target;
}

struct Walk {
  Tree tree;
  TreeRules rules;

  Status Take(int folder, const std::string& prefix, const std::string& name, int depth);
  Status Enter(int folder, const std::string& prefix, int depth);
};

Status Walk::Enter(int folder, const std::string& prefix, int depth) {
  if (depth > kMostDepth) return Error{ErrorCode::kInvalid, prefix + ": nested too deeply"};
  auto names = ListDirectory(folder);
  if (!names) return names.error().During(prefix);
  for (const std::string& name : *names) {
    if (Status taken = Take(folder, prefix, name, depth); !taken) return taken;
  }
  return Ok();
}

Status Walk::Take(int folder, const std::string& prefix, const std::string& name, int depth) {
  TreeEntry entry;
  entry.path = prefix + name;
  if (name == ".git") {
    tree.left_out.push_back(entry.path);
    return Ok();
  }
  if (!rules.litter && IsLitter(name)) return Ok();
  struct stat info {};
  if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    // Gone meanwhile.
    return errno == ENOENT ? Ok() : Status(SystemError("look at " + entry.path, errno));
  }
  entry.mode = info.st_mode & 0777U;
  entry.changed = info.st_mtim.tv_sec;
  if (S_ISREG(info.st_mode)) {
    entry.size = static_cast<std::uint64_t>(info.st_size);
    tree.entries.push_back(std::move(entry));
    return Ok();
  }
  if (S_ISLNK(info.st_mode)) {
    auto target = ReadLink(folder, name);
    if (!target) return target.error().During(entry.path);
    entry.kind = TreeEntry::Kind::kLink;
    entry.target = std::move(*target);
    if (LeadsOut(entry.path, entry.target)) tree.stray.push_back(entry);
    tree.entries.push_back(std::move(entry));
    return Ok();
  }
  if (!S_ISDIR(info.st_mode)) {
    tree.left_out.push_back(entry.path);
    return Ok();
  }
  // What tools keep there for the next time can be larger than all the rest.
  if (name == rules.skip || EndsWith(entry.path, "node_modules/.cache")) return Ok();
  const UniqueFd below(
      ::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!below) return SystemError("open " + entry.path, errno);
  const std::string within = entry.path + "/";
  entry.kind = TreeEntry::Kind::kFolder;
  tree.entries.push_back(std::move(entry));
  return Enter(below.get(), within, depth + 1);
}

}  // namespace

bool IsLitter(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kNames{
      ".svn", ".hg", "CVS", ".DS_Store", "Thumbs.db", "npm-debug.log", ".npmrc"};
  if (std::find(kNames.begin(), kNames.end(), name) != kNames.end()) return true;
  const bool swap = StartsWith(name, ".") && EndsWith(name, ".swp");
  return swap || StartsWith(name, "._");
}

bool LeadsOut(std::string_view path, std::string_view target) {
  if (StartsWith(target, "/")) return true;
  // The folders that the link lies in.
  auto depth = std::count(path.begin(), path.end(), '/');
  for (const std::string& part : Split(target, '/')) {
    if (part.empty() || part == ".") continue;
    depth += part == ".." ? -1 : 1;
    if (depth < 0) return true;
  }
  return false;
}

Status CheckLinks(const Tree& tree) {
  if (tree.stray.empty()) return Ok();
  const TreeEntry& first = tree.stray.front();
  std::string message = Printable(first.path) + " is a symbolic link out of the app's folder, to " +
                        Printable(first.target);
  if (tree.stray.size() > 1) {
    message += ", and " + std::to_string(tree.stray.size() - 1) + " more are";
  }
  return Error{ErrorCode::kInvalid,
               message +
                   "; it would lead nowhere where the release is unpacked: copy what it leads "
                   "to, or install that as a package that `npm pack` has made"};
}

Result<Tree> ListTree(const std::string& folder, const TreeRules& rules) {
  const UniqueFd root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return SystemError("open " + folder, errno);
  Walk walk;
  walk.rules = rules;
  if (Status done = walk.Enter(root.get(), "", 0); !done) return done.error().During(folder);
  return std::move(walk.tree);
}

Status ReadEntry(const std::string& folder, const TreeEntry& entry,
                 const std::function<Status(std::string_view)>& take) {
  const std::string path = folder + "/" + entry.path;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file) return SystemError("open " + path, errno);
  std::array<char, 64U << 10> buffer;
  std::uint64_t left = entry.size;
  while (left > 0) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    const ssize_t got = ::read(file.get(), buffer.data(), most);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read " + path, errno);
    if (got == 0) {
      return Error{ErrorCode::kConflict, path +
                                             " became shorter while it was read; build again "
                                             "when nothing writes there"};
    }
    const auto count = static_cast<std::size_t>(got);
    if (Status taken = take({buffer.data(), count}); !taken) return taken;
    left -= count;
  }
  return Ok();
}

}  // namespace slc::ctl
