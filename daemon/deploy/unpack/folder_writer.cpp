#include "daemon/deploy/unpack/folder_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/beneath.h"
#include "common/base/files.h"
#include "common/base/text.h"
#include "daemon/deploy/unpack/core/member_path.h"

namespace slc::unpack {
namespace {

constexpr mode_t kPlain = 0644;
constexpr mode_t kExecutable = 0755;

std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

Error FolderWriter::Trouble(const std::string& what, const std::string& path,
                            int errno_value) const {
  Error error = SystemError(what + " " + ShowName(path), errno_value);
  switch (errno_value) {
    case EEXIST:
      return Error{ErrorCode::kInvalid, ShowName(path) + " stands in the archive more than once"};
    case ENOTDIR:
    case ELOOP:
      return Error{ErrorCode::kInvalid, ShowName(path) + " lies in what is no folder"};
    case ENAMETOOLONG:
      error.code = ErrorCode::kInvalid;
      return error;
    default:
      break;
  }
  error.code = ErrorCode::kStorage;
  if (const std::string room = DescribeRoom(root_); !room.empty()) error.message += "; " + room;
  return error;
}

Status FolderWriter::CheckEmpty() const {
  const auto names = ListDirectory(root_);
  if (!names) return names.error();
  if (names->empty()) return Ok();
  return Error{ErrorCode::kInvalid, "the folder to unpack into is not empty"};
}

Status FolderWriter::Count(const std::string& path) {
  if (entries_ >= limits_.entries) {
    return Error{ErrorCode::kInvalid, "the archive has more than " +
                                          std::to_string(limits_.entries) + " entries, " +
                                          ShowName(path) + " is one too many"};
  }
  ++entries_;
  return Ok();
}

Status FolderWriter::CountBytes(const std::string& path, std::uint64_t size) {
  if (size > limits_.bytes - bytes_) {
    return Error{ErrorCode::kInvalid, "the archive unpacks to more than " +
                                          FormatBytes(limits_.bytes) + ", " + ShowName(path) +
                                          " is too much"};
  }
  bytes_ += size;
  return Ok();
}

// A close can tell that what was written is not (NFS, quotas).
Status FolderWriter::EndFile() {
  if (!file_) return Ok();
  if (::close(file_.release()) != 0 && errno != EINTR) return Trouble("write", file_path_, errno);
  return Ok();
}

Status FolderWriter::EnterFolder(const std::string& folder) {
  if (folder_ && folder_path_ == folder) return Ok();
  const std::string path = folder.empty() ? "." : folder;
  folder_ = OpenBeneath(root_, path, O_PATH | O_DIRECTORY);
  if (!folder_ && errno == ENOENT) {
    if (Status made = MakeEach(folder); !made) return made;
    folder_ = OpenBeneath(root_, path, O_PATH | O_DIRECTORY);
  }
  if (!folder_) return Trouble("make", folder, errno);
  folder_path_ = folder;
  return Ok();
}

// Folders in which a member lies need not stand in the archive.
Status FolderWriter::MakeEach(const std::string& folder) {
  UniqueFd parent = OpenBeneath(root_, ".", O_PATH | O_DIRECTORY);
  std::size_t begin = 0;
  while (parent && begin < folder.size()) {
    const std::size_t end = std::min(folder.find('/', begin), folder.size());
    const std::string name = folder.substr(begin, end - begin);
    UniqueFd next = OpenBeneath(parent.get(), name, O_PATH | O_DIRECTORY);
    if (!next && errno == ENOENT) {
      if (Status counted = Count(folder); !counted) return counted;
      if (::mkdirat(parent.get(), name.c_str(), kExecutable) != 0) {
        return Trouble("make folder", folder.substr(0, end), errno);
      }
      next = OpenBeneath(parent.get(), name, O_PATH | O_DIRECTORY);
    }
    parent = std::move(next);
    begin = end + 1;
  }
  return parent ? Ok() : Status(Trouble("make folder", folder, errno));
}

Status FolderWriter::MakeFolder(const std::string& path) {
  if (Status ended = EndFile(); !ended) return ended;
  return EnterFolder(path);
}

Status FolderWriter::BeginFile(const std::string& path, std::uint64_t size, bool executable) {
  if (Status ended = EndFile(); !ended) return ended;
  if (Status counted = Count(path); !counted) return counted;
  if (Status counted = CountBytes(path, size); !counted) return counted;
  if (Status entered = EnterFolder(FolderOf(path)); !entered) return entered;
  file_ = OpenBeneath(folder_.get(), NameOf(path), O_WRONLY | O_CREAT | O_EXCL,
                      executable ? kExecutable : kPlain);
  if (!file_) return Trouble("create", path, errno);
  file_path_ = path;
  return Ok();
}

Status FolderWriter::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(file_.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Trouble("write", file_path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return Ok();
}

Status FolderWriter::CopyFile(const std::string& from, const std::string& path) {
  if (Status ended = EndFile(); !ended) return ended;
  const UniqueFd source = OpenBeneath(root_, from, O_RDONLY | O_NOFOLLOW);
  struct stat info {};
  if (!source || ::fstat(source.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return Error{ErrorCode::kInvalid, ShowName(path) + " is a hard link to " + ShowName(from) +
                                          ", which is no file that stands before it"};
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (Status begun = BeginFile(path, size, (info.st_mode & 0100) != 0); !begun) return begun;
  for (std::uint64_t copied = 0; copied < size;) {
    const ssize_t put = ::copy_file_range(source.get(), nullptr, file_.get(), nullptr,
                                          static_cast<std::size_t>(size - copied), 0);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return Trouble("copy to", path, put < 0 ? errno : EIO);
    copied += static_cast<std::uint64_t>(put);
  }
  return Ok();
}

Status FolderWriter::KeepLink(const std::string& path, const std::string& target) {
  if (Status ended = EndFile(); !ended) return ended;
  if (Status counted = Count(path); !counted) return counted;
  link_bytes_ += path.size() + target.size();
  if (link_bytes_ > kMostLinkBytes) {
    return Error{ErrorCode::kInvalid, "the names of the archive's symbolic links take more than " +
                                          FormatBytes(kMostLinkBytes)};
  }
  links_.push_back({path, target});
  return Ok();
}

Status FolderWriter::Finish() {
  if (Status ended = EndFile(); !ended) return ended;
  for (const Link& link : links_) {
    if (Status entered = EnterFolder(FolderOf(link.path)); !entered) return entered;
    if (::symlinkat(link.target.c_str(), folder_.get(), NameOf(link.path).c_str()) != 0) {
      return Trouble("make link", link.path, errno);
    }
  }
  if (::syncfs(root_) != 0) return Trouble("make durable", ".", errno);
  return Ok();
}

}  // namespace slc::unpack
