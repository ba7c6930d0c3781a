#include "daemon/deploy/unpack/core/tar_reader.h"

#include <algorithm>
#include <utility>

#include "common/base/text.h"

namespace slc::unpack {
namespace {

using Kind = TarMember::Kind;

constexpr char kPaxMember = 'x';
constexpr char kPaxGlobal = 'g';
constexpr char kGnuName = 'L';
constexpr char kGnuLink = 'K';

bool IsExtra(char type) {
  return type == kPaxMember || type == kPaxGlobal || type == kGnuName || type == kGnuLink;
}

bool IsZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

std::optional<Kind> KindOf(char type) {
  switch (type) {
    case '0':
    case '7':  // "contiguous", which nothing on Linux is
      return Kind::kFile;
    case '1':
      return Kind::kHardlink;
    case '2':
      return Kind::kSymlink;
    case '5':
      return Kind::kFolder;
    default:
      return std::nullopt;
  }
}

std::string DescribeType(char type) {
  switch (type) {
    case '3':
      return "a character device";
    case '4':
      return "a block device";
    case '6':
      return "a fifo";
    case 'S':
      return "a sparse file";
    case 'D':
    case 'M':
    case 'V':
      return "a part of a backup";
    default:
      return "of the unknown type " + Printable(std::string_view(&type, 1));
  }
}

}  // namespace

TarReader::Event TarReader::Refuse(std::string reason) {
  state_ = State::kRefused;
  error_ = Error{ErrorCode::kInvalid, std::move(reason)};
  return Event::kRefused;
}

// True when the block is whole.
bool TarReader::FillBlock(std::string_view& bytes) {
  const std::size_t piece = std::min(bytes.size(), kTarBlock - block_.size());
  block_.append(bytes.substr(0, piece));
  bytes.remove_prefix(piece);
  return block_.size() == kTarBlock;
}

TarReader::Event TarReader::Next(std::string_view& bytes) {
  while (true) {
    switch (state_) {
      case State::kRefused:
        return Event::kRefused;
      case State::kEnded:
        if (!IsZero(bytes)) return Refuse("something follows the end of the archive");
        bytes = {};
        return Event::kMore;
      case State::kHeader:
        if (!FillBlock(bytes)) return Event::kMore;
        if (const auto event = OnBlock()) return *event;
        break;
      case State::kExtra:
      case State::kContent: {
        if (left_ > 0 && bytes.empty()) return Event::kMore;
        const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_));
        data_ = bytes.substr(0, piece);
        bytes.remove_prefix(piece);
        left_ -= piece;
        if (state_ == State::kContent) {
          if (left_ == 0) state_ = State::kPadding;
          if (piece > 0) return Event::kData;
          break;
        }
        extra_.append(data_);
        if (left_ > 0) break;
        if (const auto event = EndExtra()) return *event;
        break;
      }
      case State::kPadding: {
        const std::size_t piece = std::min(bytes.size(), padding_);
        bytes.remove_prefix(piece);
        padding_ -= piece;
        if (padding_ > 0) return Event::kMore;
        state_ = State::kHeader;
        break;
      }
    }
  }
}

Status TarReader::Finish() const {
  if (state_ == State::kEnded) return Ok();
  if (state_ == State::kRefused) return error_;
  return Error{ErrorCode::kInvalid, "the archive is cut off"};
}

std::optional<TarReader::Event> TarReader::OnBlock() {
  const std::string block = std::exchange(block_, {});
  if (IsZero(block)) return OnZeroBlock();
  if (one_zero_block_) return Refuse("half of an end stands within the archive: it is damaged");
  auto header = DecodeTarHeader(block);
  if (!header) return Refuse(header.error().message);
  if (IsExtra(header->type)) return BeginExtra(*header);
  return BeginMember(*header);
}

std::optional<TarReader::Event> TarReader::OnZeroBlock() {
  if (has_next_) return Refuse("the archive ends within a member");
  if (!std::exchange(one_zero_block_, true)) return std::nullopt;
  state_ = State::kEnded;
  return Event::kEnd;
}

std::optional<TarReader::Event> TarReader::BeginExtra(const TarHeader& header) {
  if (header.size > kMostExtra) {
    return Refuse("the archive has a header of " + std::to_string(header.size) +
                  " bytes; at most " + std::to_string(kMostExtra) + " are read");
  }
  // Global records say nothing of one member, and may not come between one and its own.
  if (header.type == kPaxGlobal && has_next_) {
    return Refuse("a global pax header stands within a member");
  }
  extra_type_ = header.type;
  extra_.clear();
  BeginContent(State::kExtra, header.size);
  return std::nullopt;
}

std::optional<TarReader::Event> TarReader::EndExtra() {
  state_ = State::kPadding;
  if (extra_type_ == kGnuName || extra_type_ == kGnuLink) {
    std::optional<std::string>& target = extra_type_ == kGnuName ? next_.path : next_.link;
    std::string_view name = extra_;
    // It ends with one NUL.
    if (!name.empty() && name.back() == '\0') name.remove_suffix(1);
    if (target) return Refuse("a member has two names");
    if (name.empty() || name.find('\0') != std::string_view::npos) {
      return Refuse("a long name is empty or holds a NUL");
    }
    target = std::string(name);
    has_next_ = true;
    return std::nullopt;
  }
  const auto records = DecodePaxRecords(extra_);
  if (!records) return Refuse(records.error().message);
  if (extra_type_ == kPaxGlobal) {
    if (!records->path && !records->link && !records->size) return std::nullopt;
    return Refuse("a global pax header gives all members one name, link or size");
  }
  // Also against GNU's long names: which of the two counts is told differently by different tars.
  if (has_next_) return Refuse("a member has two headers that describe it");
  next_ = *records;
  has_next_ = true;
  return std::nullopt;
}

TarReader::Event TarReader::BeginMember(const TarHeader& header) {
  const PaxRecords said = std::exchange(next_, {});
  has_next_ = false;
  member_ = TarMember{};
  member_.path = said.path.value_or(header.name);
  member_.link = said.link.value_or(header.link);
  member_.size = said.size.value_or(header.size);
  member_.executable = (header.mode & 0111) != 0;
  const std::string shown = Printable(member_.path.substr(0, 200));
  const auto kind = KindOf(header.type);
  if (!kind) return Refuse(shown + " is " + DescribeType(header.type) + ", which is not unpacked");
  member_.kind = *kind;
  const bool links = *kind == Kind::kSymlink || *kind == Kind::kHardlink;
  if (*kind != Kind::kFile && member_.size > 0)
    return Refuse(shown + " is no file, but has content");
  if (links && member_.link.empty()) return Refuse(shown + " is a link to nothing");
  if (!links && said.link) return Refuse(shown + " is no link, but links to something");
  if (*kind == Kind::kFile && EndsWith(member_.path, "/")) {
    return Refuse(shown + " is a file with the name of a folder");
  }
  BeginContent(State::kContent, member_.size);
  return Event::kMember;
}

void TarReader::BeginContent(State state, std::uint64_t size) {
  state_ = state;
  left_ = size;
  padding_ = static_cast<std::size_t>((kTarBlock - size % kTarBlock) % kTarBlock);
}

}  // namespace slc::unpack
