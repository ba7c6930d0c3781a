// A slc-master that passes its self-check and dies at once.
#include <cstdio>
#include <cstring>

#include "common/wire/self_check.h"

int main(int argc, char** argv) {
  constexpr int kDied = 70;
  if (argc != 2 || std::strcmp(argv[1], "--self-check") != 0) return kDied;
  std::puts(slc::EncodeSelfCheck(slc::DescribeSelf("slc-master")).c_str());
  return 0;
}
