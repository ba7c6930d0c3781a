// Digests: SHA-256 and SHA-1 of the same bytes, as they come. SHA-1 is what StrongLoop's clients
// know a release by; nothing is proven by it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace slc::unpack {

class Digests {
 public:
  // Reads no configuration of OpenSSL's: it would be a file of somebody's.
  Digests();
  ~Digests();
  Digests(const Digests&) = delete;
  Digests& operator=(const Digests&) = delete;

  void Add(std::string_view bytes);
  struct Values {
    std::string sha256;  // hex
    std::string sha1;
  };
  // To be called once. kInternal if OpenSSL could not.
  Result<Values> Finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slc::unpack
