#include "daemon/master/in_place.h"

#include "common/base/log.h"

namespace slc {
namespace {

constexpr Millis kLookAgain = 1;

}  // namespace

InPlace::InPlace(uv::Loop& loop, Instance& instance, std::string name, const rlimit& found_core,
                 Hands hands)
    : loop_(loop),
      instance_(instance),
      name_(std::move(name)),
      found_core_(found_core),
      hands_(std::move(hands)),
      timer_(loop, [this] { Look(); }) {}

void InPlace::Begin(const std::string& program) {
  if (moment_) return;
  if (const std::string hindrance = hands_.hindrance(); !hindrance.empty()) {
    return hands_.stayed(hindrance);
  }
  program_ = program;
  moment_.emplace(loop_.now());
  log::Info("supervisor goes on as " + program);
  instance_.PauseOutput();
  Look();
}

void InPlace::Look() {
  if (const std::string hindrance = hands_.hindrance(); !hindrance.empty()) return Stay(hindrance);
  std::string busy = instance_.HalfDone();
  if (busy.empty()) busy = hands_.half_done();
  using Deed = QuietMoment::Deed;
  switch (moment_->Look(busy, instance_.in_flight(), loop_.now())) {
    case Deed::kExecute:
      return Execute();
    case Deed::kGiveUp:
      return Stay(busy);
    case Deed::kHold:
      instance_.PauseAccepting();
      break;
    case Deed::kRelease:
      instance_.ResumeAccepting();
      break;
    case Deed::kWait:
      break;
  }
  timer_.StartIn(kLookAgain);
}

void InPlace::Execute() {
  Bequest bequest;
  Status added = instance_.Bequeath(bequest);
  if (!added) return Stay(added.error().message);
  hands_.bequeath(bequest);
  if (!instance_.CloseLogs()) return Stay("the disk of its log does not answer");
  const Error error = ExecuteInPlace(program_, {"slc-master", name_}, bequest, found_core_);
  Stay(error.message);
}

void InPlace::Stay(const std::string& reason) {
  moment_.reset();
  timer_.Stop();
  instance_.Resume();
  log::Warn("supervisor stays as it is: " + reason);
  hands_.stayed(reason);
}

}  // namespace slc
