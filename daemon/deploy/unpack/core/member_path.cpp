#include "daemon/deploy/unpack/core/member_path.h"

#include <algorithm>

#include "common/base/text.h"

namespace slc::unpack {
namespace {

Error Refusal(std::string_view name, const std::string& reason) {
  return Error{ErrorCode::kInvalid, ShowName(name) + " " + reason};
}

// Takes the part before the next '/' from the front; empty for "//" and at the end of "a/".
std::string_view TakePart(std::string_view& rest) {
  const std::size_t end = rest.find('/');
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

std::size_t DepthOf(std::string_view path) {
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

}  // namespace

std::string ShowName(std::string_view name) {
  constexpr std::size_t kShown = 200;
  std::string shown = Printable(name.substr(0, kShown));
  return name.size() > kShown ? shown + "..." : shown;
}

Result<std::string> CleanPath(std::string_view name) {
  if (name.empty()) return Error{ErrorCode::kInvalid, "a member has no name"};
  if (name.size() > kMostPathBytes) return Refusal(name, "is a name of more than 4095 bytes");
  if (name.find('\0') != std::string_view::npos) return Refusal(name, "has a NUL in its name");
  if (name.front() == '/') return Refusal(name, "is an absolute path");
  std::string path;
  std::string_view rest = name;
  while (!rest.empty()) {
    const std::string_view part = TakePart(rest);
    if (part.empty() || part == ".") continue;
    if (part == "..") return Refusal(name, "leads out of its folder by \"..\"");
    if (part.size() > kMostNameBytes) return Refusal(name, "has a part of more than 255 bytes");
    if (!path.empty()) path += '/';
    path += part;
  }
  if (DepthOf(path) > kMostDepth) return Refusal(name, "lies more than 64 folders deep");
  return path;
}

Result<std::string> TopFolder::Strip(const std::string& path, bool is_folder) {
  const std::size_t end = path.find('/');
  if (path.empty() && !is_folder) return Refusal(".", "is the folder itself, and no file");
  if (name_.empty()) name_ = path.empty() ? "." : path.substr(0, end);
  if (name_ == "." || path.empty()) return path;
  if (path.compare(0, end, name_) != 0) {
    return Refusal(path, "lies outside of the archive's top folder " + ShowName(name_) +
                             ": pack one folder, as npm pack does");
  }
  if (end != std::string::npos) return path.substr(end + 1);
  if (!is_folder) {
    return Refusal(path, "lies in no folder: pack one folder, as npm pack does");
  }
  return std::string();
}

Status CheckLinkTarget(const std::string& path, std::string_view target) {
  if (target.empty() || target.size() > kMostPathBytes ||
      target.find('\0') != std::string_view::npos) {
    return Refusal(path, "is a link to a path that cannot be");
  }
  if (target.front() == '/') {
    return Refusal(path, "is a link to the absolute path " + ShowName(target));
  }
  std::size_t up = 0;
  bool down = false;
  std::string_view rest = target;
  while (!rest.empty()) {
    const std::string_view part = TakePart(rest);
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      down = true;
    } else if (down) {
      return Refusal(path,
                     "is a link to " + ShowName(target) + ", where \"..\" stands behind a name");
    } else {
      ++up;
    }
  }
  if (up > DepthOf(path)) {
    return Refusal(path, "is a link to " + ShowName(target) + ", outside of the archive");
  }
  return Ok();
}

}  // namespace slc::unpack
