// Connect: finds the slcd of our home, and starts it when there is none and the command may do
// that.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/environment.h"
#include "common/base/home.h"
#include "common/base/lock_holder.h"
#include "common/base/result.h"
#include "common/wire/client.h"
#include "ctl/channel.h"

namespace slc::ctl {

// What a command does when no slcd answers.
enum class WhenAbsent {
  kStart,            // start, run, create: also in an empty home
  kStartIfServices,  // all others: an empty home has an empty answer
  kStartIfMasters,   // shutdown: what does not run need not be started to be stopped
};

class Daemon : public Server {
 public:
  // `socket` as given by -C: that slcd and no other, and never start one. Empty: the one of our
  // home.
  Daemon(const std::string& socket, WhenAbsent when_absent);

  Result<std::unique_ptr<Channel>> Connect() override;
  Result<std::unique_ptr<Channel>> ConnectOnly() override;
  // Starts `slcd --replace`, which asks it once more and ends it if that is in vain. Returns when
  // it has taken its place, or need not.
  Status Replace() override;
  std::string place() const override;
  bool ours() const override { return own_home_; }
  Millis look_patience() const override;
  bool asks_whether_alive() const override { return true; }

 private:
  Result<std::unique_ptr<Channel>> Start();
  // Who has the lock of the home, as far as it has said so.
  std::optional<LockHolder> Holder() const;
  // A process that was killed has its lock for some milliseconds more.
  bool HolderHasEnded() const;
  // What to say if the slcd that holds the lock has no socket any more. `since`: for how long that
  // has been seen; to be kept between two calls.
  std::optional<Error> LostSocket(std::optional<Millis>& since) const;
  // What keeps it from answering and from ending, if that can be seen.
  std::optional<std::string> Obstacle() const;

  std::string socket_;
  bool own_home_ = true;
  WhenAbsent when_absent_;
  HomePaths paths_;
  std::optional<Error> no_home_;
};

// What slcd gets of our environment: what tells it its home and its language, and nothing else,
// since whoever comes first would decide for all services. Never our own SLC_COOKIE: we may run
// inside of a worker, and slcd must not be taken for one.
Environment DaemonEnvironment(const Environment& own);

// "sudo -u bob slc ctl ls": our own command as `user` would have to give it. `slc_home` is named
// when the home is not the user's default.
std::string SudoCommand(const std::string& user, const std::string& slc_home,
                        const std::vector<std::string>& arguments);

// The command line we were started with, for SudoCommand. Set once by main.
void RememberArguments(std::vector<std::string> arguments);

// The binary of slcd that belongs to this slc.
Result<std::string> DaemonProgram();

}  // namespace slc::ctl
