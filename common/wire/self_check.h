// Self-check: what slcd and slc-master print when they are started with --self-check, a line of
// JSON, after they have done what they need to run at all. A running program asks its successor so
// before it gives way to it.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/base/version.h"

namespace slc {

// How what a process image leaves to the next one is written down, see inheritance.h.
inline constexpr std::uint32_t kInheritanceForm = 1;

struct SelfCheck {
  std::string program;  // slcd, slc-master
  std::string version;
  ProtocolRange control;
  ProtocolRange link;
  std::uint32_t inheritance = 0;
};

SelfCheck DescribeSelf(const std::string& program);
std::string EncodeSelfCheck(const SelfCheck& check);
// kInvalid if it is not the answer of `program`.
Result<SelfCheck> DecodeSelfCheck(const std::string& program, const std::string& text);

// kProtocol, with the reason, if `next` cannot go on with what `running` is in the middle of.
Status CanFollow(const SelfCheck& running, const SelfCheck& next);

}  // namespace slc
