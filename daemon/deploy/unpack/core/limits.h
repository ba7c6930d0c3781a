// What an archive may ask of the machine. Pure values; slc-unpack's options say others.
#pragma once

#include <cstdint>

namespace slc::unpack {

struct Limits {
  // Files, folders and links, folders that only stand in names included. A large application with
  // its node_modules has some 40,000.
  std::uint64_t entries = 100'000;
  // Of all files together. Headers and padding, which cost no disk, may take as much again, and
  // kNearlyNothing.
  std::uint64_t bytes = std::uint64_t{1} << 30;
  // What was compressed may grow so many times, beyond kNearlyNothing. Code and JavaScript grow 4
  // to 10 times, the worst that gzip can do is 1032.
  std::uint64_t ratio = 200;
  // Seconds for all of it, the time to wait for input included. 0: no limit.
  unsigned seconds = 0;
};

// Bytes. So much is unpacked in the twentieth part of a second, whatever it is.
inline constexpr std::uint64_t kNearlyNothing = std::uint64_t{16} << 20;
// Of the names and targets of all symbolic links, which are kept in memory to the end.
inline constexpr std::uint64_t kMostLinkBytes = std::uint64_t{16} << 20;

}  // namespace slc::unpack
