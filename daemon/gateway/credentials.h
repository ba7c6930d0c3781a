// Secrets by which clients prove who they are, and what is kept of them. OpenSSL's; random numbers
// are the kernel's.
#pragma once

#include <string>

#include "common/base/result.h"

namespace slc::gateway {

// "slc_" and 256 random bits in hex. As long as that, a plain hash is enough: nobody tries them
// all.
Result<std::string> NewToken();
// SHA-256, in hex.
std::string HashToken(const std::string& token);

// "scrypt:N:r:p:SALT:KEY", SALT and KEY in hex: 16 MB and some 50 ms for each guess.
Result<std::string> HashPassword(const std::string& password);
// Takes as long as a guess does. False for a hash that cannot be read.
bool IsPasswordOf(const std::string& password, const std::string& hash);

// In a time that does not tell where they differ.
bool SameSecret(const std::string& one, const std::string& other);

}  // namespace slc::gateway
