#include "tests/faults/troubles.h"

#include <algorithm>
#include <limits>

#include "common/base/text.h"

namespace slc::test {
namespace {

// A disk that was full is tried again after a second, and a roll says at its end what it met at its
// begin: a second more to get there on two busy cores.
constexpr Millis kShortly = 3'000;
constexpr Millis kForEver = std::numeric_limits<Millis>::max() / 2;

struct Reason {
  const char* text;
  Words causes;
  std::ptrdiff_t times = 1;  // so many of them, taken together
  Millis lasts = kShortly;
};

const std::vector<Reason>& Reasons() {
  static const Words kKills{"kill slcd", "kill slcd and a master", "stop slcd"};
  static const std::vector<Reason> kReasons{
      {"No space left on device", {"No space left on device"}},
      {"Too many open files", {"Too many open files"}},
      {"Resource temporarily unavailable", {"Resource temporarily unavailable"}},
      {"Cannot allocate memory", {"Cannot allocate memory"}},
      {"No buffer space available", {"No buffer space available"}},
      {"Input/output error", {"Input/output error"}},
      // By libuv, which gets no pipe for its signals: in the self-check before an upgrade.
      {"killed by SIGABRT", {"Too many open files"}},
      // A slcd that could not start, for one of these, and whose own words found no room.
      {"the file system is full",
       {"Resource temporarily unavailable", "Cannot allocate memory", "Too many open files"}},
      // And it has not been tried again yet.
      {"changes cannot be recorded",
       {"No space left on device", "Input/output error", "Too many open files"}},
      {"an upgrade is under way already", {"upgrade"}},
      // The roll before, held up by another blow; or ended by a later one.
      {"is under way (", {"roll", "change"}},
      {"overtaken by a later", {"roll", "resize", "change"}},
      // Such a version is not tried again.
      {"died three times within 10 s of its start", kKills, 3, kForEver},
      // So often meanwhile.
      {"hung up before it answered; tried 4 times", kKills},
      // The worker that a roll had just started.
      {"killed by SIGKILL",
       {"kill a worker", "kill a master", "kill slcd and a master", "stop a master"}},
  };
  return kReasons;
}

}  // namespace

void Troubles::Add(const std::string& what, Millis from, Millis to) {
  troubles_.push_back({what, from, to});
}

bool Troubles::Explain(const Failed& command) const {
  return std::any_of(Reasons().begin(), Reasons().end(), [&](const Reason& reason) {
    if (!Contains(command.ran.err, reason.text)) return false;
    const auto met = std::count_if(troubles_.begin(), troubles_.end(), [&](const Trouble& each) {
      return std::count(reason.causes.begin(), reason.causes.end(), each.what) > 0 &&
             each.from <= command.begun + command.ran.took &&
             command.begun <= each.to + reason.lasts;
    });
    return met >= reason.times;
  });
}

}  // namespace slc::test
