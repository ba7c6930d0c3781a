#include "daemon/master/control_link.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "common/base/backoff.h"
#include "common/base/environment.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/wire/control_server.h"

namespace slc {
namespace {

constexpr Millis kReviveAfter = 2000;
constexpr Millis kLongestRevivePause = 60000;
// A daemon pings every 10 s. One that is half of that late is asked by a process of its own, for
// another 10 s: so one that is stopped has a successor before 30 s have passed.
constexpr Millis kPingPatience = 15000;

// Masters of many instances must not all start one in the same moment.
Millis Jitter(Millis width) { return (static_cast<Millis>(::getpid()) * 7919) % width; }

}  // namespace

ControlLink::ControlLink(uv::Loop& loop, int directory, UniqueFd first, Events events)
    : loop_(loop),
      directory_(directory),
      events_(std::move(events)),
      accept_again_(loop, [this] { poll_->Watch(true, false); }),
      bind_again_(loop, [this] { Bind(); }),
      revive_timer_(loop, [this] { Revive(); }),
      silence_timer_(loop, [this] { OnSilence(); }),
      sweep_(loop, [this] {
        for (const LinkId id : doomed_) links_.erase(id);
        doomed_.clear();
        for (const pid_t pid : ended_) revived_.erase(pid);
        ended_.clear();
        if (listener_) binder_.reset();
      }) {
  if (first) AddCandidate(std::move(first));
}

ControlLink::~ControlLink() = default;

void ControlLink::Listen(UniqueFd inherited) {
  findable_ = true;
  if (inherited) return OnBound(std::move(inherited));
  Bind();
}

void ControlLink::Bind() {
  // Of slcds that were killed one after another while we were stopped: each has left a connection.
  constexpr int kBacklog = 128;
  if (!binder_) {
    auto thread = uv::DiskThread::Make(loop_);
    if (!thread) return OnBound(thread.error());
    binder_ = std::move(*thread);
  }
  const auto listener = std::make_shared<Result<UniqueFd>>(UniqueFd());
  binder_->Run(
      [listener, directory = directory_] {
        *listener = ListenOnUnixSocket(directory, "master.sock", SOCK_SEQPACKET, kBacklog);
      },
      [this, listener] { OnBound(std::move(*listener)); });
}

void ControlLink::OnBound(Result<UniqueFd> listener) {
  constexpr Millis kBindAgain = 1000;
  if (!listener) {
    if (!bind_failed_) {
      log::Failure("a later slcd cannot reach this master: " + listener.error().message +
                   "; tried again every second");
    }
    bind_failed_ = true;
    return bind_again_.StartIn(kBindAgain);
  }
  if (bind_failed_) log::Info("a later slcd can reach this master again");
  bind_failed_ = false;
  listener_ = std::move(*listener);
  poll_ = std::make_unique<uv::Poll>(loop_, listener_.get(), [this](uv::Poll::Ready) { Accept(); });
  poll_->Watch(true, false);
  sweep_.StartIn(0);
}

void ControlLink::Accept() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    // Out of descriptors or memory: the socket stays readable, so looking again at once would spin.
    constexpr Millis kRetryWhenExhausted = 50;
    poll_->Watch(false, false);
    accept_again_.StartIn(kRetryWhenExhausted);
    return;
  }
  auto peer = PeerOf(socket.get());
  if (!peer || (peer->uid != ::geteuid() && peer->uid != 0)) return;
  AddCandidate(std::move(socket));
}

void ControlLink::AddCandidate(UniqueFd socket) {
  const LinkId id = ++last_link_;
  links_[id].socket = std::make_unique<PacketSocket>(
      loop_, std::move(socket),
      PacketSocket::Events{[this, id](link::Packet packet, std::vector<UniqueFd> fds) {
                             OnPacket(id, std::move(packet), std::move(fds));
                           },
                           [this, id](const std::string&) { OnClosed(id); }});
}

bool ControlLink::Send(const link::Packet& packet, const std::vector<int>& fds) {
  const auto found = links_.find(ruler_);
  if (found == links_.end() || found->second.socket->closed()) return true;
  return found->second.socket->Send(packet, fds);
}

void ControlLink::OnPacket(LinkId id, link::Packet packet, std::vector<UniqueFd> fds) {
  if (const auto* hello = std::get_if<link::Hello>(&packet)) return OnHello(id, *hello);
  if (id != ruler_) return;  // a replaced daemon has nothing to say
  Heard();
  if (const auto* ping = std::get_if<link::Ping>(&packet)) Send(link::Pong{ping->number});
  if (const auto* leaving = std::get_if<link::Leaving>(&packet)) {
    revive_allowed_ = leaving->revive;
    return;
  }
  events_.on_packet(std::move(packet), std::move(fds));
}

void ControlLink::OnHello(LinkId id, const link::Hello& hello) {
  if (hello.epoch < highest_epoch_ || !hello.protocol.Meets(OwnVersion().link)) {
    log::Warn("refused a daemon of epoch " + std::to_string(hello.epoch) + ", protocol " +
              std::to_string(hello.protocol.newest));
    // It should know why, and leave us alone.
    link::MasterHello answer;
    answer.master = IdentifySelf();
    answer.in_charge = true;
    links_[id].socket->Send(answer);
    doomed_.push_back(id);
    sweep_.StartIn(0);
    return;
  }
  if (ruler_ != 0 && ruler_ != id) {
    doomed_.push_back(ruler_);
    sweep_.StartIn(0);
  }
  Rule(id, DaemonStanding{hello.epoch, hello.daemon, hello.revive, {}});
  events_.on_linked();
}

void ControlLink::Rule(LinkId id, const DaemonStanding& standing) {
  ruler_ = id;
  highest_epoch_ = standing.epoch;
  links_[id].epoch = standing.epoch;
  daemon_ = standing.process;
  revive_allowed_ = standing.revive;
  revivals_ = 0;
  revive_timer_.Stop();
  Heard();
}

DaemonStanding ControlLink::standing() const {
  DaemonStanding standing{highest_epoch_, daemon_, revive_allowed_, {}};
  for (const auto& [pid, revived] : revived_) standing.children.push_back(revived.process);
  return standing;
}

int ControlLink::ruler_fd() const {
  const auto found = links_.find(ruler_);
  return found == links_.end() ? -1 : found->second.socket->fd();
}

bool ControlLink::flushed() const {
  const auto found = links_.find(ruler_);
  return found == links_.end() || found->second.socket->flushed();
}

void ControlLink::GoOn(const DaemonStanding& standing) {
  Rule(last_link_, standing);
  for (const ProcessIdentity& child : standing.children) {
    UniqueFd pidfd = OpenProcess(child);
    if (pidfd) WatchRevived(child, std::move(pidfd));
  }
}

void ControlLink::OnClosed(LinkId id) {
  doomed_.push_back(id);
  sweep_.StartIn(0);
  if (!findable_) return events_.on_cut_off();
  if (id != ruler_) return;
  ruler_ = 0;
  silence_timer_.Stop();
  if (!revive_allowed_ || revival_.daemon_program.empty()) return;
  revive_timer_.StartIn(kReviveAfter * 4 / 5 + Jitter(kReviveAfter * 2 / 5));
}

void ControlLink::Heard() {
  heard_ = loop_.now();
  replacements_ = 0;
  AwaitPing();
}

void ControlLink::AwaitPing() {
  const Millis patience = kPingPatience << std::min(replacements_, 2);
  silence_timer_.StartIn(patience + Jitter(kPingPatience / 10));
}

void ControlLink::OnSilence() {
  if (!linked()) return;
  // If it was us who did not run, its pings wait in the link and must count before the time does.
  const Millis before = heard_;
  links_.at(ruler_).socket->ReadToEnd();
  if (!linked()) return;
  if (heard_ != before || !revive_allowed_ || revival_.daemon_program.empty()) return;
  Start("--replace", "the daemon is silent");
  ++replacements_;
  AwaitPing();
}

void ControlLink::Revive() {
  if (linked()) return;
  Start({}, "the daemon is gone");
  ++revivals_;
  revive_timer_.StartIn(BackoffPause(kReviveAfter, kLongestRevivePause, revivals_ + 1));
}

void ControlLink::Start(const std::string& option, const std::string& why) {
  SpawnOptions options;
  options.program = revival_.daemon_program;
  options.arguments = {"slcd"};
  if (!option.empty()) options.arguments.push_back(option);
  options.environment = SanitizerOptions();
  options.environment.push_back("SLC_HOME=" + revival_.home);
  options.environment.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
  // Else it would take our raised limit for what workers are to be given.
  options.nofile = revival_.nofile;
  options.core = revival_.core;
  options.working_directory = "/";
  auto spawned = Spawn(options);
  if (!spawned) {
    log::Failure(why + " and a new one cannot be started: " + spawned.error().message);
    return;
  }
  const pid_t pid = spawned->identity.pid;
  log::Warn(why + "; started " + Join(options.arguments, " ") + " (pid " + std::to_string(pid) +
            ")");
  WatchRevived(spawned->identity, std::move(spawned->pidfd));
}

void ControlLink::WatchRevived(const ProcessIdentity& process, UniqueFd pidfd) {
  const pid_t pid = process.pid;
  Revived& revived = revived_[pid];
  revived.process = process;
  revived.pidfd = std::move(pidfd);
  revived.end = std::make_unique<uv::Poll>(loop_, revived.pidfd.get(),
                                           [this, pid](uv::Poll::Ready) { OnRevivedEnded(pid); });
  revived.end->Watch(true, false);
}

void ControlLink::OnRevivedEnded(pid_t pid) {
  const Revived& revived = revived_.at(pid);
  revived.end->Watch(false, false);
  Reap(revived.pidfd);
  ended_.push_back(pid);
  sweep_.StartIn(0);
}

}  // namespace slc
