// ControlLink: the master's side of its connection to slcd.
//
// Listens on master.sock in the instance's run directory, so that any later slcd finds it, and
// starts with the socketpair its maker left. The disk is asked for that file on a thread: one that
// hangs keeps no master from taking over. Until it answers the file is missing or a dead master's;
// a slcd that looks for us then knows from the lock that we live, and looks again. Obeys only the
// newest link, and never a daemon with a lower epoch than one it has seen. When the daemon vanishes
// without a word, starts a new one after two seconds (losers of the daemon's lock exit by
// themselves). When it is there and does not ping, starts one that replaces it (`slcd --replace`,
// which asks it once more before).
#pragma once

#include <sys/resource.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "common/wire/packet_socket.h"
#include "daemon/master/standing.h"

namespace slc {

class ControlLink {
 public:
  struct Events {
    // From the ruling daemon only; Hello is handled here.
    std::function<void(link::Packet packet, std::vector<UniqueFd> fds)> on_packet;
    // A new daemon rules: it must be told everything.
    std::function<void()> on_linked;
    // The link our maker left is gone before Listen(): nobody will ever speak to us.
    std::function<void()> on_cut_off;
  };

  // `first` may be empty. `directory` is the instance's run directory (not owned).
  ControlLink(uv::Loop& loop, int directory, UniqueFd first, Events events);
  ~ControlLink();

  // Has master.sock bound, unless it is `inherited`; until then only the first link exists. A disk
  // that has no room for it is asked again every second.
  void Listen(UniqueFd inherited);
  // The disk has not answered yet; until it does this process can neither end nor execute another
  // image.
  bool binding() const { return binder_ && !binder_->idle(); }
  // What to start when the daemon vanishes.
  struct Revival {
    std::string daemon_program;  // empty: nobody
    std::string home;
    std::optional<rlimit> nofile;  // of open files, as the daemon before was given it
    std::optional<rlimit> core;    // of core dumps, the same
  };
  void SetRevival(Revival revival) { revival_ = std::move(revival); }
  // Dropped if there is no link: a new daemon is told the state anyway.
  // False if there was one, and no descriptor left to keep what found no room there.
  bool Send(const link::Packet& packet, const std::vector<int>& fds = {});
  bool linked() const { return ruler_ != 0; }
  Epoch daemon_epoch() const { return highest_epoch_; }

  // --- when the master goes on as another image
  DaemonStanding standing() const;
  // -1 if no daemon rules.
  int ruler_fd() const;
  int listener() const { return listener_.get(); }
  // All that was sent has left.
  bool flushed() const;
  // The first link is the ruling one of the image before.
  void GoOn(const DaemonStanding& standing);

 private:
  using LinkId = int;
  struct Candidate {
    std::unique_ptr<PacketSocket> socket;
    Epoch epoch = 0;
  };
  void Bind();
  void OnBound(Result<UniqueFd> listener);
  void Accept();
  void AddCandidate(UniqueFd socket);
  void OnPacket(LinkId id, link::Packet packet, std::vector<UniqueFd> fds);
  void OnHello(LinkId id, const link::Hello& hello);
  void OnClosed(LinkId id);
  void Rule(LinkId id, const DaemonStanding& standing);
  void Revive();
  void Heard();
  void AwaitPing();
  void OnSilence();
  // Starts a daemon, with this option if there is one.
  void Start(const std::string& option, const std::string& why);
  void WatchRevived(const ProcessIdentity& process, UniqueFd pidfd);
  void OnRevivedEnded(pid_t pid);

  uv::Loop& loop_;
  int directory_;
  Events events_;
  std::map<LinkId, Candidate> links_;
  LinkId last_link_ = 0;
  LinkId ruler_ = 0;
  Epoch highest_epoch_ = 0;
  ProcessIdentity daemon_;  // that of the ruling link
  bool revive_allowed_ = true;
  int revivals_ = 0;      // tries since the last link
  int replacements_ = 0;  // tries since the last word of the daemon
  Millis heard_ = 0;      // of the ruling daemon
  Revival revival_;
  // A daemon we started is our child, and ours to reap when it ends.
  struct Revived {
    ProcessIdentity process;
    UniqueFd pidfd;
    std::unique_ptr<uv::Poll> end;
  };
  std::map<pid_t, Revived> revived_;
  std::unique_ptr<uv::DiskThread> binder_;  // until master.sock is bound
  UniqueFd listener_;
  uv::Timer accept_again_;
  uv::Timer bind_again_;
  bool findable_ = false;  // Listen() was called
  bool bind_failed_ = false;
  uv::Timer revive_timer_;
  uv::Timer silence_timer_;
  uv::Timer sweep_;  // lets go of what was replaced or has ended, outside its own callback
  std::vector<LinkId> doomed_;
  std::vector<pid_t> ended_;
  std::unique_ptr<uv::Poll> poll_;
};

}  // namespace slc
