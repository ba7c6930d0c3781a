// The memfd a master leaves behind, whole or torn: slcd and a successor read it.
#include "daemon/master/snapshot.h"

#include "common/base/unique_fd.h"
#include "common/wire/snapshot_format.h"
#include "tests/fuzz/fuzz.h"

namespace slc {
namespace {

void CheckSuccessor(UniqueFd memfd, const SnapshotContent& left) {
  auto snapshot = Snapshot::Continue(std::move(memfd));
  fuzz::Check(snapshot.ok(), "a snapshot that can be read can be continued");
  for (const char* state : {"", "{}", "{\"service\":1}"}) {
    if (!snapshot->Write(state)) continue;
    const auto read = ReadSnapshot(snapshot->fd());
    fuzz::Check(read.ok() && read->state == state, "what the successor wrote is read");
    fuzz::Check(read->seq > left.seq, "what the successor wrote is newer");
  }
}

}  // namespace
}  // namespace slc

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  const std::string image = fuzz::Text(data, size);
  auto made = MakeMemfd("fuzz", image);
  fuzz::Check(made.ok(), "there are memfds");
  UniqueFd memfd(*made);
  const auto content = ReadSnapshot(memfd.get());
  if (!content) return 0;
  fuzz::Check(image.find(content->state) != std::string::npos, "a state is what was written");
  // No master counts that far.
  if (content->seq < UINT64_MAX / 2) CheckSuccessor(std::move(memfd), *content);
  return 0;
}
