/* What a fault test and slc-fault.so share: a page of memory in the file SLC_TEST_FAULTS names. The
 * test writes it, every process of ours that has the library loaded looks into it at each call.
 * Plain data: both sides map the same bytes. */
#pragma once

#include <atomic>
#include <cstdint>

namespace slc::fault {

/* One rule. It concerns calls named `call` ("fsync"; "*w": all that write to a file system) of
 * processes called `process` ("slcd", "slc-master"; empty: both). */
struct Rule {
  std::atomic<std::uint32_t> armed; /* written last; 0: no rule */
  char call[24];
  char process[16];
  char prefix[256];   /* only what lies below this path; empty: everything */
  std::int32_t error; /* errno; 0: the call is done, but see `part` and `hang` */
  std::uint32_t part; /* a write does only half of it */
  std::uint32_t hang; /* the call waits until the rule is disarmed, then is done */
  std::atomic<std::int64_t>
      before; /* calls to let pass; then one is hit, or with `all` every one */
  std::uint32_t all;
  std::atomic<std::uint32_t> hits;
};

struct Control {
  static constexpr int kRules = 4;
  Rule rules[kRules];
};

}  // namespace slc::fault
