// NoticeDesk: hears what workers that are not Node tell of themselves by sd_notify(3):
// NOTIFY_SOCKET names a datagram socket of ours. One for each user that workers run as, made with
// the first worker that needs it; slcd keeps it, so a successor hears the same workers.
//
// The kernel tells which process has sent a datagram; who that is, is the owner's business. Only
// the workers' user can send, except where the socket has no file (see AddressFor). Who sends
// faster than it can mean is read at kMostInWindow a window; the senders wait in the kernel
// meanwhile.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "common/model/generation.h"
#include "common/uv/loop.h"
#include "common/uv/poll.h"
#include "common/uv/timer.h"
#include "daemon/master/core/worker_notice.h"
#include "daemon/master/predecessor.h"
#include "daemon/master/safekeeping.h"

namespace slc {

class NoticeDesk {
 public:
  using OnNotice = std::function<void(pid_t sender, const WorkerNotice& notice)>;

  static constexpr Millis kWindow = 100;
  static constexpr int kMostInWindow = 100;

  NoticeDesk(uv::Loop& loop, Safekeeping& safekeeping, OnNotice on_notice)
      : loop_(loop),
        safekeeping_(safekeeping),
        on_notice_(std::move(on_notice)),
        pause_(loop, [this] { Listen(true); }) {}

  void Adopt(Predecessor& predecessor);

  // NOTIFY_SOCKET of a worker with that config; empty if the system gives none. A path where memory
  // is (/dev/shm): some programs know no other kind, and it needs no disk. Where there is none it
  // is an abstract name, "@...".
  std::string AddressFor(const GenerationConfig& config);

  // Reads what has been sent by now: the last words of a worker that has ended.
  void ReadDry();

  std::vector<KeptFd> KeptFds() const;
  // The end of the instance: removes the files.
  void Close();

 private:
  struct Socket {
    UniqueFd fd;
    std::string address;
    std::unique_ptr<uv::Poll> poll;
  };
  struct Said {
    pid_t sender = 0;
    WorkerNotice notice;
  };

  void Add(uid_t user, UniqueFd fd, std::string address);
  void OnReadable(uid_t user);
  // At most `most` datagrams.
  static std::vector<Said> Read(int fd, int most);
  void Tell(const std::vector<Said>& said) const;
  void Listen(bool on);

  uv::Loop& loop_;
  Safekeeping& safekeeping_;
  OnNotice on_notice_;
  std::map<uid_t, Socket> sockets_;
  uv::Timer pause_;
  Millis window_began_ = 0;
  int read_in_window_ = 0;
};

}  // namespace slc
