#include "common/base/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace slc {
namespace {

constexpr std::array<std::uint32_t, 256> MakeTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    // 0x82f63b78 is the Castagnoli polynomial 0x1edc6f41 with its bits reversed.
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0x82f63b78U : 0U);
    table[i] = value;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kTable = MakeTable();

std::uint32_t ByTable(std::uint32_t crc, std::string_view data) {
  for (const char c : data) {
    crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ (crc >> 8);
  }
  return crc;
}

#if defined(__x86_64__)
// The instruction is for just this polynomial: eight bytes in the time that the table takes for
// one. Each look at a service checks a snapshot of it.
__attribute__((target("sse4.2"))) std::uint32_t ByInstruction(std::uint32_t crc,
                                                              std::string_view data) {
  std::uint64_t wide = crc;
  while (data.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data(), sizeof word);
    wide = __builtin_ia32_crc32di(wide, word);
    data.remove_prefix(sizeof word);
  }
  return ByTable(static_cast<std::uint32_t>(wide), data);
}

bool HasInstruction() {
  static const bool has = __builtin_cpu_supports("sse4.2") > 0;
  return has;
}
#endif

}  // namespace

std::uint32_t Crc32c(std::string_view data) {
  constexpr std::uint32_t kStart = 0xffffffffU;
#if defined(__x86_64__)
  if (HasInstruction()) return ByInstruction(kStart, data) ^ 0xffffffffU;
#endif
  return ByTable(kStart, data) ^ 0xffffffffU;
}

}  // namespace slc
