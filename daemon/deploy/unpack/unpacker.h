// Unpacker: an archive in bytes, as they come, into an open folder. Where the parts meet: digests
// of what comes, gunzip, TarReader, and FolderWriter for each member; and the limits.
//
// After an error the folder holds a part of the archive, to be removed by whoever made it.
#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/model/unpacked.h"
#include "daemon/deploy/unpack/core/limits.h"
#include "daemon/deploy/unpack/core/member_path.h"
#include "daemon/deploy/unpack/core/tar_reader.h"
#include "daemon/deploy/unpack/digests.h"
#include "daemon/deploy/unpack/folder_writer.h"
#include "daemon/deploy/unpack/gunzip.h"

namespace slc::unpack {

class Unpacker {
 public:
  // `folder`: empty, not owned, must outlive this.
  Unpacker(int folder, const Limits& limits) : limits_(limits), writer_(folder, limits) {}

  Status Begin() const { return writer_.CheckEmpty(); }
  Status Add(std::string_view bytes);
  // There are no more bytes. All is durable if this is no error.
  Result<Unpacked> Finish();

 private:
  Status AddPlain(std::string_view bytes);
  Status OnMember();
  Status CheckGrowth() const;

  Limits limits_;
  Digests digests_;
  Gunzip gunzip_;
  TarReader reader_;
  TopFolder top_;
  FolderWriter writer_;
  std::uint64_t read_ = 0;   // bytes that came
  std::uint64_t plain_ = 0;  // bytes that became of them
};

}  // namespace slc::unpack
