#include "ctl/build/tar_format.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace slc::ctl {
namespace {

// 26 October 1985, the time of every file that npm packs.
constexpr std::int64_t kNoTime = 499'162'500;
constexpr std::uint64_t kMostSize = (std::uint64_t{1} << 33) - 1;  // 11 octal digits

struct Header {
  char name[100];
  char mode[8];
  char uid[8];
  char gid[8];
  char size[12];
  char mtime[12];
  char checksum[8];
  char type;
  char target[100];
  char magic[6];
  char version[2];
  char owner[32];
  char group[32];
  char device_major[8];
  char device_minor[8];
  char prefix[155];
  char padding[12];
};
static_assert(sizeof(Header) == kTarBlock);

// Digits with zeros in front and a NUL behind.
template <std::size_t kSize>
void PutOctal(char (&field)[kSize], std::uint64_t value) {
  for (std::size_t i = kSize - 1; i-- > 0; value >>= 3U) {
    field[i] = static_cast<char>('0' + (value & 7U));
  }
}

// Cut if it is too long.
template <std::size_t kSize>
void PutText(char (&field)[kSize], const std::string& text) {
  std::memcpy(field, text.data(), std::min(text.size(), kSize));
}

// Where a long name can be cut in two, at a slash; npos if it cannot.
std::size_t CutOf(const std::string& name) {
  if (name.size() <= sizeof(Header::name)) return 0;
  // At the end is the slash of a folder.
  const std::size_t cut = name.rfind('/', std::min(sizeof(Header::prefix), name.size() - 2));
  const bool fits =
      cut != std::string::npos && cut > 0 && name.size() - cut - 1 <= sizeof(Header::name);
  return fits ? cut : std::string::npos;
}

bool KeepsTime(const TreeEntry& entry) {
  const bool installed = ("/" + entry.path).find("/node_modules/") != std::string::npos;
  return !installed && entry.changed > 0 && static_cast<std::uint64_t>(entry.changed) <= kMostSize;
}

std::string Block(const std::string& name, char type, mode_t mode, std::uint64_t size,
                  std::int64_t changed, const std::string& target) {
  Header header{};
  const std::size_t cut = CutOf(name);
  if (cut == 0 || cut == std::string::npos) {
    PutText(header.name, name);
  } else {
    PutText(header.prefix, name.substr(0, cut));
    PutText(header.name, name.substr(cut + 1));
  }
  PutOctal(header.mode, mode);
  PutOctal(header.uid, 0);
  PutOctal(header.gid, 0);
  PutOctal(header.size, std::min(size, kMostSize));
  PutOctal(header.mtime, static_cast<std::uint64_t>(changed));
  header.type = type;
  PutText(header.target, target);
  std::memcpy(header.magic, "ustar", 6);
  std::memcpy(header.version, "00", 2);
  PutOctal(header.device_major, 0);
  PutOctal(header.device_minor, 0);
  std::memset(header.checksum, ' ', sizeof(header.checksum));
  std::string block(kTarBlock, '\0');
  std::memcpy(block.data(), &header, sizeof(header));
  std::uint64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char digits[7] = {};
  PutOctal(digits, sum);
  std::memcpy(block.data() + offsetof(Header, checksum), digits, sizeof(digits));
  return block;
}

// "30 path=...\n": the number counts its own digits as well.
std::string PaxRecord(const std::string& key, const std::string& value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (rest + std::to_string(length).size() != length) {
    length = rest + std::to_string(length).size();
  }
  return std::to_string(length) + " " + key + "=" + value + "\n";
}

}  // namespace

std::string TarPadding(std::uint64_t size) {
  return std::string((kTarBlock - size % kTarBlock) % kTarBlock, '\0');
}

std::string TarEnd() { return std::string(2 * kTarBlock, '\0'); }

std::string TarHeader(const std::string& prefix, const TreeEntry& entry) {
  std::string name = prefix + entry.path;
  char type = '0';
  std::uint64_t size = 0;
  std::int64_t changed = kNoTime;
  switch (entry.kind) {
    case TreeEntry::Kind::kFile:
      size = entry.size;
      if (KeepsTime(entry)) changed = entry.changed;
      break;
    case TreeEntry::Kind::kFolder:
      type = '5';
      name += '/';
      break;
    case TreeEntry::Kind::kLink:
      type = '2';
      break;
  }
  std::string records;
  if (CutOf(name) == std::string::npos) records += PaxRecord("path", name);
  if (entry.target.size() > sizeof(Header::target)) records += PaxRecord("linkpath", entry.target);
  if (size > kMostSize) records += PaxRecord("size", std::to_string(size));
  std::string header;
  if (!records.empty()) {
    header = Block("PaxHeader", 'x', 0644, records.size(), changed, {}) + records +
             TarPadding(records.size());
  }
  return header + Block(name, type, entry.mode, size, changed, entry.target);
}

}  // namespace slc::ctl
