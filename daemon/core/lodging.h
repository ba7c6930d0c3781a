// Lodging: whether a later slcd would find the living master of an instance, by the run directory,
// the lock and the socket that were its own. Pure.
//
// A master makes its lock and its socket itself, the latter when the disk takes it, which may be
// never: only what was seen of this master and is not there any more was taken away.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/files.h"

namespace slc {

struct LodgingFacts {
  struct Socket {
    FileId file;
    std::int64_t changed = 0;  // ns; tells it from one before that had the same number
    bool operator==(const Socket&) const = default;
  };
  bool directory = false;
  std::optional<FileId> lock;
  std::optional<Socket> socket;
};

class Lodging {
 public:
  // A master is about to be launched. Its predecessor's lock file becomes its own, and a socket
  // that lies there is none of its.
  void Launch(const LodgingFacts& facts);
  // A living one has been found: what is there is its own.
  void Find(const LodgingFacts& facts);
  // What was taken away, for people; nullptr if nothing was.
  const char* Lost(const LodgingFacts& facts);

 private:
  std::optional<FileId> lock_;
  std::optional<FileId> socket_;
  std::optional<LodgingFacts::Socket> stale_;
};

}  // namespace slc
