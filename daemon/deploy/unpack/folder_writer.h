// FolderWriter: makes files, folders and links below one open folder, and nowhere else, whatever
// their paths.
//
// Each is made relative to that folder, and the kernel resolves (openat2: beneath it, through no
// symbolic link). Links are made last, when nothing is written any more. Nothing that exists is
// written to or replaced: of an archive that names one path twice nobody can tell which is meant,
// so it is refused.
//
// Modes are 0755 for folders and what is executable, else 0644, less the process' umask; no
// set-uid, set-gid, sticky bits, no owners, times or attributes. A hard link becomes a copy:
// releases are changed in place (npm rebuild), and a name must not change with another one.
//
// Errors: kInvalid is the archive's fault, kStorage the disk's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "daemon/deploy/unpack/core/limits.h"

namespace slc::unpack {

class FolderWriter {
 public:
  // `root`: not owned, must outlive this. Paths are relative to it, as CleanPath gives them.
  FolderWriter(int root, const Limits& limits) : root_(root), limits_(limits) {}

  // kInvalid unless there is nothing in it.
  Status CheckEmpty() const;
  // One that is there already is no error: archives name folders late, or not at all.
  Status MakeFolder(const std::string& path);
  // Append writes to the file that was begun last; the next call of any other kind ends it. `size`
  // is what it will have, so that one that is too large is refused at once.
  Status BeginFile(const std::string& path, std::uint64_t size, bool executable);
  Status Append(std::string_view bytes);
  // `from`: a file that was made here.
  Status CopyFile(const std::string& from, const std::string& path);
  // It is made by Finish.
  Status KeepLink(const std::string& path, const std::string& target);
  // Makes the links, and all of it durable.
  Status Finish();

  std::uint64_t entries() const { return entries_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  Status Count(const std::string& path);
  Status CountBytes(const std::string& path, std::uint64_t size);
  Status EndFile();
  Status EnterFolder(const std::string& folder);
  Status MakeEach(const std::string& folder);
  Error Trouble(const std::string& what, const std::string& path, int errno_value) const;

  int root_;
  Limits limits_;
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
  UniqueFd file_;
  std::string file_path_;
  UniqueFd folder_;  // the one that was entered last: most members lie beside the one before
  std::string folder_path_;
  struct Link {
    std::string path;
    std::string target;
  };
  std::vector<Link> links_;
  std::uint64_t link_bytes_ = 0;
};

}  // namespace slc::unpack
