// The tar format, as npm packs: POSIX ustar, with pax records where a name or a size is too long
// for that. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "ctl/build/tree.h"

namespace slc::ctl {

inline constexpr std::size_t kTarBlock = 512;

// What stands before the content of an entry, which is called `prefix` + its path. Owner is 0. The
// time of folders and links, and of all within node_modules, is always the same, for it only tells
// when they were installed: equal trees make equal archives. Other files keep theirs: web servers
// make an ETag of it.
std::string TarHeader(const std::string& prefix, const TreeEntry& entry);

// The zeros behind `size` bytes of content.
std::string TarPadding(std::uint64_t size);

// The end of an archive.
std::string TarEnd();

}  // namespace slc::ctl
