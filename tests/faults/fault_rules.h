// FaultRules: the test's hand on slc-fault.so (preload/): which calls of slcd and masters fail or
// are done by half.
#pragma once

#include <string>

#include "tests/faults/preload/control.h"
#include "tests/system/harness.h"

namespace slc::test {

struct FaultRule {
  std::string call;        // as in preload/fault.cpp; "*w": all that write to a file system
  std::string process;     // "slcd", "slc-master"; empty: both
  std::string below = {};  // a path; empty: everywhere
  int error = 0;
  bool hang = false;  // instead, until Disarm()
  bool part = false;  // instead, half of a write is done
  int nth = 0;        // from 0; -1: every one
};

class FaultRules {
 public:
  // Before anything of the world is started.
  explicit FaultRules(World& world);
  ~FaultRules();
  FaultRules(const FaultRules&) = delete;
  FaultRules& operator=(const FaultRules&) = delete;

  void Arm(const FaultRule& rule, int place = 0);
  void Disarm(int place = 0);
  bool IsArmed(int place = 0) const;
  // Calls that were hit since Arm().
  unsigned Hits(int place = 0) const;

 private:
  fault::Control* control_ = nullptr;
};

}  // namespace slc::test
