#include "daemon/master/in_place.h"

#include "common/base/log.h"

namespace slc {
namespace {

constexpr Millis kPatience = 2000;
constexpr Millis kLongestHold = 100;
constexpr Millis kLookAgain = 1;

}  // namespace

InPlace::InPlace(uv::Loop& loop, Instance& instance, std::string name, FoundLimits limits,
                 Hands hands)
    : loop_(loop),
      instance_(instance),
      name_(std::move(name)),
      limits_(limits),
      hands_(std::move(hands)),
      timer_(loop, [this] { Look(); }) {}

void InPlace::Begin(const std::string& program) {
  if (!program_.empty()) return;
  if (const std::string hindrance = hands_.hindrance(); !hindrance.empty()) {
    return hands_.stayed(hindrance);
  }
  program_ = program;
  began_ = loop_.now();
  log::Info("supervisor goes on as " + program);
  instance_.PauseOutput();
  Look();
}

void InPlace::Look() {
  if (const std::string hindrance = hands_.hindrance(); !hindrance.empty()) return Stay(hindrance);
  if (const std::string busy = instance_.HalfDone(); !busy.empty()) {
    if (loop_.now() - began_ >= kPatience) return Stay(busy);
    return timer_.StartIn(kLookAgain);
  }
  if (!held_) {
    held_ = loop_.now();
    instance_.PauseAccepting();
  }
  if (instance_.in_flight() > 0 && loop_.now() - *held_ < kLongestHold) {
    return timer_.StartIn(kLookAgain);
  }
  Execute();
}

void InPlace::Execute() {
  Bequest bequest;
  Status added = instance_.Bequeath(bequest);
  if (!added) return Stay(added.error().message);
  hands_.bequeath(bequest);
  instance_.CloseLogs();
  const Error error = ExecuteInPlace(program_, {"slc-master", name_}, bequest, limits_);
  Stay(error.message);
}

void InPlace::Stay(const std::string& reason) {
  program_.clear();
  held_.reset();
  timer_.Stop();
  instance_.Resume();
  log::Warn("supervisor stays as it is: " + reason);
  hands_.stayed(reason);
}

}  // namespace slc
