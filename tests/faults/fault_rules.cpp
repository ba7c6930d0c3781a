#include "tests/faults/fault_rules.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include <doctest/doctest.h>

namespace slc::test {
namespace {

template <std::size_t Size>
void Copy(char (&target)[Size], const std::string& text) {
  REQUIRE(text.size() < Size);
  std::memcpy(target, text.c_str(), text.size() + 1);
}

}  // namespace

FaultRules::FaultRules(World& world) {
  const std::string path = world.folder() + "/faults";
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  REQUIRE(fd);
  REQUIRE(::ftruncate(fd.get(), sizeof(fault::Control)) == 0);
  void* page =
      ::mmap(nullptr, sizeof(fault::Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  REQUIRE(page != MAP_FAILED);
  control_ = new (page) fault::Control{};
  world.env()["SLC_TEST_FAULTS"] = path;
  world.Preload(BinaryPath("slc-fault.so"));
}

FaultRules::~FaultRules() {
  for (int place = 0; place < fault::Control::kRules; ++place) Disarm(place);
  ::munmap(control_, sizeof(fault::Control));
}

void FaultRules::Arm(const FaultRule& rule, int place) {
  Disarm(place);
  fault::Rule& shared = control_->rules[place];
  Copy(shared.call, rule.call);
  Copy(shared.process, rule.process);
  Copy(shared.prefix, rule.below);
  shared.error = rule.error;
  shared.part = rule.part ? 1 : 0;
  shared.hang = rule.hang ? 1 : 0;
  shared.all = rule.nth < 0 ? 1 : 0;
  shared.before = rule.nth < 0 ? 0 : rule.nth;
  shared.hits = 0;
  shared.armed.store(1, std::memory_order_release);
}

void FaultRules::Disarm(int place) { control_->rules[place].armed = 0; }

bool FaultRules::IsArmed(int place) const { return control_->rules[place].armed != 0; }

unsigned FaultRules::Hits(int place) const { return control_->rules[place].hits; }

}  // namespace slc::test
