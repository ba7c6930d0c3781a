// A tar archive, in pieces whose sizes the first byte gives: never a crash, no content that was not
// sent, and the same is read whatever the pieces are. Every other first byte has headers repaired.
#include "daemon/deploy/unpack/core/member_path.h"
#include "daemon/deploy/unpack/core/tar_reader.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/tar_repair.h"

namespace {

using namespace slc;
using namespace slc::unpack;

// A path that is clean stays within what it is relative to.
void CheckPath(const std::string& name) {
  const auto path = CleanPath(name);
  if (!path) return;
  const std::string within = "/" + *path + "/";
  fuzz::Check(within.find("/../") == std::string::npos, "no path leads up");
  fuzz::Check(path->empty() || within.find("//") == std::string::npos, "no path is absolute");
  fuzz::Check(*CleanPath(path->empty() ? "." : *path) == *path, "what is clean stays as it is");
}

std::string Read(std::string_view bytes, std::size_t piece) {
  TarReader reader;
  std::string read;
  std::uint64_t left = 0;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    std::string_view rest = bytes.substr(at, piece);
    while (true) {
      const std::size_t before = rest.size();
      const TarReader::Event event = reader.Next(rest);
      fuzz::Check(rest.size() <= before, "bytes are taken from the front");
      if (event == TarReader::Event::kMore) {
        fuzz::Check(rest.empty(), "more is asked for when all was taken");
        break;
      }
      if (event == TarReader::Event::kRefused) return read + "\nrefused " + reader.error().message;
      if (event == TarReader::Event::kEnd) read += "\nend\n";
      if (event == TarReader::Event::kData) {
        const std::string_view data = reader.data();
        fuzz::Check(!data.empty() && bytes.find(data) != std::string_view::npos,
                    "content is what was sent");
        fuzz::Check(data.size() <= left, "content is no longer than was said");
        left -= data.size();
        read += data;
      }
      if (event == TarReader::Event::kMember) {
        fuzz::Check(left == 0, "a member comes when the one before is whole");
        left = reader.member().size;
        CheckPath(reader.member().path);
        read += "\nmember " + reader.member().path + " " + reader.member().link + "\n";
      }
    }
  }
  return read + (reader.Finish() ? "\nwhole" : "\ncut off");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 1) fuzz::RepairTar(bytes);
  fuzz::Check(Read(bytes, bytes.size()) == Read(bytes, 1U + data[0]), "pieces change nothing");
  return 0;
}
