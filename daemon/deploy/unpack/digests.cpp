#include "daemon/deploy/unpack/digests.h"

#include <array>

#include <openssl/crypto.h>
#include <openssl/evp.h>

namespace slc::unpack {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

Context Begin(const EVP_MD* kind) {
  Context context(::EVP_MD_CTX_new());
  if (context && ::EVP_DigestInit_ex(context.get(), kind, nullptr) != 1) context.reset();
  return context;
}

void Add(Context& context, std::string_view bytes) {
  if (context && ::EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1) {
    context.reset();
  }
}

// Empty if it failed on the way.
std::string Hex(const Context& context) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> value{};
  unsigned size = 0;
  if (!context || ::EVP_DigestFinal_ex(context.get(), value.data(), &size) != 1) return {};
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += kDigits[value[i] >> 4U];
    text += kDigits[value[i] & 15U];
  }
  return text;
}

}  // namespace

struct Digests::Impl {
  Context sha256;
  Context sha1;
};

Digests::Digests() : impl_(std::make_unique<Impl>()) {
  if (::OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) return;
  impl_->sha256 = Begin(::EVP_sha256());
  impl_->sha1 = Begin(::EVP_sha1());
}

Digests::~Digests() = default;

void Digests::Add(std::string_view bytes) {
  unpack::Add(impl_->sha256, bytes);
  unpack::Add(impl_->sha1, bytes);
}

Result<Digests::Values> Digests::Finish() {
  Values values{Hex(impl_->sha256), Hex(impl_->sha1)};
  if (values.sha256.empty() || values.sha1.empty()) {
    return Error{ErrorCode::kInternal, "OpenSSL could not compute the hashes"};
  }
  return values;
}

}  // namespace slc::unpack
