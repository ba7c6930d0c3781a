#include "tests/faults/changing.h"

#include <doctest/doctest.h>

namespace slc::test {
namespace {

// After a success there is one possibility, after a failure one more.
template <typename Value>
void Learn(std::set<Value>& possible, const std::optional<Value>& now, bool succeeded) {
  if (!now) return;
  if (succeeded) possible.clear();
  possible.insert(*now);
}

}  // namespace

Changing::Changing(World& world, Dice& dice, const std::string& name) : world_(world), dice_(dice) {
  app_ = world.StartApp("plain/server.js", {"--size", "1", "--name", name});
}

void Changing::Begin() {
  Finish();
  ++begun_;
  last_begun_ = BootNow();
  const auto begin = [&](const Words& command) { running_.emplace(world_.Begin(command)); };
  switch (dice_.Between(0, 4)) {
    case 0:
      new_size_ = static_cast<std::size_t>(dice_.Between(1, 3));
      return begin({"ctl", "set-size", app_.name, std::to_string(*new_size_)});
    case 1:
      new_value_ = std::to_string(++writes_);
      return begin({"ctl", "env-set", app_.name, "VALUE=" + *new_value_});
    case 2:
      new_runs_ = false;
      return begin({"ctl", "stop", app_.name});
    case 3:
      new_runs_ = true;
      return begin({"ctl", "start", app_.name});
    default:
      if (runs_ != std::set<bool>{true}) return begin({"ctl", "ls"});
      return begin({"ctl", "soft-restart", app_.name});
  }
}

void Changing::Stop() {
  Finish();
  world_.Must({"ctl", "stop", app_.name});
  runs_ = {false};
}

std::optional<Ran> Changing::Finish() {
  if (!running_) return std::nullopt;
  const Ran ran = running_->Wait();
  running_.reset();
  const bool succeeded = ran.code == 0;
  if (!succeeded) failed_.push_back({ran, last_begun_});
  Learn(runs_, new_runs_, succeeded);
  Learn(size_, new_size_, succeeded);
  Learn(value_, new_value_, succeeded);
  new_runs_.reset();
  new_size_.reset();
  new_value_.reset();
  return ran;
}

void Changing::CheckAgainstModel() {
  Finish();
  const ServiceView view = world_.View(app_.name);
  CHECK(runs_.count(view.wanted) == 1);
  world_.WaitForState(app_.name, view.wanted ? "running" : "stopped");
  CHECK(size_.count(std::stoul(view.size)) == 1);
  const auto value = view.environment.find("VALUE");
  CHECK(value_.count(value == view.environment.end() ? "" : value->second) == 1);
  CHECK(world_.ReadyPids(app_.name).size() == (view.wanted ? std::stoul(view.size) : 0));
}

}  // namespace slc::test
