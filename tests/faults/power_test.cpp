// Power loss at random moments of a storm of commands: what was acknowledged is there afterwards,
// what was under way has happened or not, and slcd starts without help.
#include <algorithm>
#include <csignal>
#include <optional>

#include <doctest/doctest.h>

#include "common/base/text.h"
#include "tests/faults/faults.h"
#include "tests/faults/loop_disk.h"

using namespace slc;
using namespace slc::test;

namespace {

// What a service is to be, as far as commands can tell it.
struct Form {
  bool there = false;
  bool removing = false;  // still there, but not for long
  bool runs = false;
  int size = 1;
  std::string value;
};

std::string Text(const Form& form) {
  if (!form.there) return "not there";
  if (form.removing) return "about to be removed";
  return std::string(form.runs ? "runs" : "stopped") + ", size " + std::to_string(form.size) +
         ", VALUE '" + form.value + "'";
}

// A service that one command after another changes; it sleeps, nothing else.
class Victim {
 public:
  Victim(World& world, Dice& dice, std::string name)
      : world_(world), dice_(dice), name_(std::move(name)) {}

  // Takes note of a command that has ended, and begins the next.
  void GoOn() {
    if (command_ && !command_->HasEnded()) return;
    TakeNote();
    Begin();
  }

  // The power is gone: a command that has not ended by now was not acknowledged.
  void Stop() {
    if (command_ && !command_->HasEnded()) command_->Signal(SIGKILL);
    if (command_) command_->Wait();
    TakeNote();
  }

  int acknowledged() const { return acknowledged_; }

  // Afterwards it is as it was before the command under way, or as that was to make it.
  void CheckAndSettle() {
    std::string last;
    const auto fits = [&] {
      const Form now = Look();
      last = Text(now);
      if (last != Text(before_) && last != Text(after_)) return false;
      before_ = after_ = now;
      return true;
    };
    // A removal that was recorded is brought to its end when slcd is up.
    const Millis deadline = BootNow() + 5'000;
    while (!fits() && BootNow() < deadline) LetPass(10);
    const bool good = last == Text(before_) || last == Text(after_);
    CHECK_MESSAGE(good, name_, " is: ", last, "; was: ", Text(before_),
                  "; under way: ", Text(after_), " by: ", verb_);
  }

 private:
  Form Look() {
    Form form;
    const auto view = world_.TryView(name_);
    if (!view) return form;
    form.there = true;
    const std::string file = world_.home() + "/services/" + std::to_string(view->id) + ".json";
    form.removing = Contains(ReadText(file), "\"removing\": true");
    form.runs = view->wanted;
    form.size = std::atoi(view->size.c_str());
    const auto value = view->environment.find("VALUE");
    if (value != view->environment.end()) form.value = value->second;
    return form;
  }

  void Begin() {
    const int choice = before_.there ? static_cast<int>(dice_.Between(0, 9)) : 0;
    after_ = before_;
    Words words;
    if (!before_.there) {
      after_ = Form{true, false, true, static_cast<int>(dice_.Between(1, 2)), {}};
      words = {"start",
               "/bin/sleep",
               "--name",
               name_,
               "--no-wait",
               "--size",
               std::to_string(after_.size),
               "--",
               "100000"};
    } else if (choice == 0) {
      after_ = Form{};
      words = {"ctl", "remove", name_};
    } else if (choice <= 3) {
      after_.size = static_cast<int>(dice_.Between(1, 3));
      words = {"ctl", "set-size", name_, std::to_string(after_.size)};
    } else if (choice <= 6) {
      after_.value = std::to_string(dice_.Between(1, 1000000));
      words = {"ctl", "env-set", name_, "VALUE=" + after_.value, "--no-restart"};
    } else if (before_.runs) {
      after_.runs = false;
      words = {"ctl", "stop", name_};
    } else {
      // It would wait for readiness, which is a second of life for what is not Node; then the storm
      // would be one of waiting.
      after_.runs = true;
      words = {"start", "/bin/sleep", "--name", name_, "--no-wait", "--", "100000"};
    }
    verb_ = Join(words, " ");
    command_.emplace(world_.Begin(words));
  }

  // Done: what the command was to do is so. Else it counts as under way.
  void TakeNote() {
    if (!command_) return;
    const Ran& ran = command_->Wait();
    if (ran.code == 0) {
      before_ = after_;
      ++acknowledged_;
    }
    command_.reset();
  }

  World& world_;
  Dice& dice_;
  const std::string name_;
  Form before_;
  Form after_;
  std::string verb_;
  std::optional<Running> command_;
  int acknowledged_ = 0;
};

}  // namespace

TEST_SUITE("power") {
  TEST_CASE("power is lost in the middle of a storm of commands") {
    if (!CanMount()) return;
    const int cuts = Blows(100);
    Dice dice;
    World world;
    LoopDisk disk(world, world.home(), 32);
    std::vector<Victim> victims;
    for (const char* name : {"one", "two", "three"}) victims.emplace_back(world, dice, name);
    // What slcd and masters had not written of their logs is gone with the power.
    world.ExpectInLog("storage: ");
    world.ExpectInLog("the journal ");
    world.ExpectInLog("records of the last second");
    std::vector<Millis> up;
    for (int cut = 0; cut < cuts; ++cut) {
      INFO("cut ", cut);
      const Millis moment = BootNow() + dice.Between(0, 700);
      while (BootNow() < moment) {
        for (Victim& victim : victims) victim.GoOn();
        LetPass(2);
      }
      disk.CutPower();
      for (Victim& victim : victims) victim.Stop();
      KillEverything(world);
      disk.Reboot();
      // Without help: `ls` starts slcd if there are services, and says so if not.
      const Ran ran = world.Must({"ctl", "ls"});
      up.push_back(ran.took);
      for (Victim& victim : victims) victim.CheckAndSettle();
      for (const ServiceView& view : world.Views()) CHECK(view.state != "quarantined");
    }
    int acknowledged = 0;
    for (const Victim& victim : victims) acknowledged += victim.acknowledged();
    MESSAGE(cuts, " cuts of the power, ", acknowledged,
            " changes acknowledged before, all there; slcd up after ", Percentile(up, 50),
            " ms (median), ", Percentile(up, 100), " ms at most");
    CHECK(acknowledged > cuts);
    for (const ServiceView& view : world.Views()) world.Must({"ctl", "remove", view.name});
    world.End();
  }
}
