#include "daemon/gateway/credentials.h"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "common/base/text.h"

namespace slc::gateway {
namespace {

constexpr std::size_t kTokenBytes = 32;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kKeyBytes = 32;
// 128 * N * r bytes, 16 MB. OpenSSL refuses more than 32 MB unless told.
constexpr std::uint64_t kN = 16384;
constexpr std::uint64_t kR = 8;
constexpr std::uint64_t kP = 1;
constexpr std::uint64_t kMostMemory = 64ULL << 20;

using Bytes = std::vector<unsigned char>;

std::string Hex(const Bytes& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<Bytes> FromHex(const std::string& text) {
  const auto value = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = value(text[i]);
    const int low = value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<unsigned char>(high << 4 | low));
  }
  return bytes;
}

Result<Bytes> RandomBytes(std::size_t count) {
  Bytes bytes(count);
  if (RAND_bytes(bytes.data(), static_cast<int>(count)) != 1) {
    return Error{ErrorCode::kSystem, "the kernel gives no random numbers"};
  }
  return bytes;
}

std::optional<Bytes> Derive(const std::string& password, const Bytes& salt, std::uint64_t n,
                            std::uint64_t r, std::uint64_t p, std::size_t size) {
  Bytes key(size);
  if (EVP_PBE_scrypt(password.data(), password.size(), salt.data(), salt.size(), n, r, p,
                     kMostMemory, key.data(), key.size()) != 1) {
    return std::nullopt;
  }
  return key;
}

}  // namespace

Result<std::string> NewToken() {
  auto bytes = RandomBytes(kTokenBytes);
  if (!bytes) return bytes.error();
  return "slc_" + Hex(*bytes);
}

std::string HashToken(const std::string& token) {
  Bytes digest(SHA256_DIGEST_LENGTH);
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return Hex(digest);
}

Result<std::string> HashPassword(const std::string& password) {
  auto salt = RandomBytes(kSaltBytes);
  if (!salt) return salt.error();
  const auto key = Derive(password, *salt, kN, kR, kP, kKeyBytes);
  if (!key) return Error{ErrorCode::kSystem, "scrypt: out of memory"};
  return "scrypt:" + std::to_string(kN) + ":" + std::to_string(kR) + ":" + std::to_string(kP) +
         ":" + Hex(*salt) + ":" + Hex(*key);
}

bool IsPasswordOf(const std::string& password, const std::string& hash) {
  constexpr std::int64_t kMost = 1 << 20;
  const std::vector<std::string> parts = Split(hash, ':');
  if (parts.size() != 6 || parts[0] != "scrypt") return false;
  const auto n = ParseInteger(parts[1], 2, kMost);
  const auto r = ParseInteger(parts[2], 1, kMost);
  const auto p = ParseInteger(parts[3], 1, kMost);
  const auto salt = FromHex(parts[4]);
  const auto key = FromHex(parts[5]);
  if (!n || !r || !p || !salt || !key || key->empty()) return false;
  const auto derived =
      Derive(password, *salt, static_cast<std::uint64_t>(*n), static_cast<std::uint64_t>(*r),
             static_cast<std::uint64_t>(*p), key->size());
  return derived && CRYPTO_memcmp(derived->data(), key->data(), key->size()) == 0;
}

bool SameSecret(const std::string& one, const std::string& other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace slc::gateway
