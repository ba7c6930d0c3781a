#include "daemon/deploy/unpack/unpacker.h"

#include <utility>

#include "common/base/text.h"

namespace slc::unpack {

Status Unpacker::Add(std::string_view bytes) {
  digests_.Add(bytes);
  read_ += bytes.size();
  while (true) {
    const auto piece = gunzip_.Next(bytes);
    if (!piece) return piece.error();
    if (piece->empty()) return Ok();
    plain_ += piece->size();
    if (Status fits = CheckGrowth(); !fits) return fits;
    if (Status added = AddPlain(*piece); !added) return added;
  }
}

Status Unpacker::CheckGrowth() const {
  if (plain_ <= kNearlyNothing) return Ok();
  if (gunzip_.compressed() && plain_ / limits_.ratio > read_) {
    return Error{ErrorCode::kInvalid, "the archive grows to more than " +
                                          std::to_string(limits_.ratio) +
                                          " times its size when it is unpacked"};
  }
  if ((plain_ - kNearlyNothing) / 2 > limits_.bytes) {
    return Error{ErrorCode::kInvalid, "the archive unpacks to more than " +
                                          FormatBytes(2 * limits_.bytes) +
                                          ", most of it no content of files"};
  }
  return Ok();
}

Status Unpacker::AddPlain(std::string_view bytes) {
  while (true) {
    Status done = Ok();
    switch (reader_.Next(bytes)) {
      case TarReader::Event::kMore:
        return Ok();
      case TarReader::Event::kRefused:
        return reader_.error();
      case TarReader::Event::kMember:
        done = OnMember();
        break;
      case TarReader::Event::kData:
        done = writer_.Append(reader_.data());
        break;
      case TarReader::Event::kEnd:
        break;
    }
    if (!done) return done;
  }
}

Status Unpacker::OnMember() {
  const TarMember& member = reader_.member();
  const auto clean = CleanPath(member.path);
  if (!clean) return clean.error();
  const auto path = top_.Strip(*clean, member.kind == TarMember::Kind::kFolder);
  if (!path) return path.error();
  switch (member.kind) {
    case TarMember::Kind::kFolder:
      return writer_.MakeFolder(*path);
    case TarMember::Kind::kFile:
      return writer_.BeginFile(*path, member.size, member.executable);
    case TarMember::Kind::kSymlink:
      if (Status inside = CheckLinkTarget(*path, member.link); !inside) return inside;
      return writer_.KeepLink(*path, member.link);
    case TarMember::Kind::kHardlink: {
      // It names its target as a member, from the top.
      const auto target = CleanPath(member.link);
      if (!target) return target.error();
      const auto from = top_.Strip(*target, false);
      if (!from) return from.error();
      return writer_.CopyFile(*from, *path);
    }
  }
  return Ok();
}

Result<Unpacked> Unpacker::Finish() {
  if (read_ == 0) return Error{ErrorCode::kInvalid, "there is no archive: nothing was read"};
  if (Status whole = gunzip_.Finish(); !whole) return whole.error();
  if (Status whole = reader_.Finish(); !whole) return whole.error();
  if (Status finished = writer_.Finish(); !finished) return finished.error();
  if (writer_.entries() == 0) return Error{ErrorCode::kInvalid, "the archive holds nothing"};
  const auto digests = digests_.Finish();
  if (!digests) return digests.error();
  Unpacked unpacked;
  unpacked.sha256 = digests->sha256;
  unpacked.sha1 = digests->sha1;
  unpacked.read = read_;
  unpacked.bytes = writer_.bytes();
  unpacked.entries = writer_.entries();
  unpacked.top = top_.name();
  return unpacked;
}

}  // namespace slc::unpack
