// What `git fast-import` reads: a commit with all files of a tree, byte by byte as they are. Pure.
#pragma once

#include <string>
#include <string_view>

#include "ctl/build/tree.h"

namespace slc::ctl {

// A commit on `ref` that has no files yet. `who`: "NAME <MAIL> SECONDS ZONE", as git has it.
std::string ImportCommit(const std::string& ref, const std::string& author,
                         const std::string& committer, const std::string& message,
                         const std::string& parent);

// What stands before the content of a file or a link, of `size` bytes; a line feed follows that.
// Empty for a folder, of which git keeps nothing.
std::string ImportFile(const TreeEntry& entry);

// A path in quotes.
std::string ImportPath(std::string_view path);

}  // namespace slc::ctl
