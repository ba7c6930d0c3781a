#include "daemon/gateway_host.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "common/base/environment.h"
#include "common/base/fd_passing.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/text.h"

namespace slc {
namespace {

constexpr int kControl = 3;      // its connection to slcd, as its descriptor
constexpr int kMostWords = 100;  // lines of one process that are logged
constexpr std::size_t kMostLine = 2000;

bool Has(const std::vector<std::string>& given, const char* name) {
  return std::find(given.begin(), given.end(), name) != given.end();
}

std::vector<std::string> NamesOf(const GatewaySockets& sockets) {
  std::vector<std::string> names;
  for (const auto& [name, socket] : sockets) names.push_back(name);
  return names;
}

}  // namespace

GatewayHost::GatewayHost(uv::Loop& loop, uv::DiskThread& disk, Clients& clients, int home,
                         Hands hands)
    : loop_(loop),
      disk_(disk),
      clients_(clients),
      file_(home),
      hands_(std::move(hands)),
      timer_(loop, [this] { Feed(GatewayTick{}); }) {}

// The gateway ends when it sees that slcd has left.
GatewayHost::~GatewayHost() = default;

void GatewayHost::Begin() {
  auto read = file_.Read();
  if (!read) {
    trouble_ = read.error().message;
    log::Failure("the gateway stays off: " + trouble_);
    return;
  }
  wish_ = std::move(read->wish);
  damage_ = std::move(read->damage);
  if (!damage_.empty()) {
    log::Failure("the gateway: " + damage_);
    hands_.record("gateway_damaged", damage_);
  }
  if (!wish_.run) return;
  if (Status good = CheckGateway(wish_); !good) {
    trouble_ = good.error().message;
    log::Failure("the gateway stays off: " + trouble_);
    return;
  }
  Feed(GatewayWanted{true, false});
}

GatewayView GatewayHost::View() const {
  static constexpr const char* kStates[] = {"off",     "starting", "starting",
                                            "running", "backoff",  "stopping"};
  GatewayView view;
  view.wish = wish_;
  view.state = kStates[static_cast<std::size_t>(plan_.state())];
  view.pid = pid();
  if (view.pid != 0) view.started_wall = started_wall_;
  view.trouble = trouble_.empty() ? damage_ : trouble_;
  return view;
}

void GatewayHost::Answer(const Command& command, std::optional<Error> error) {
  Reply reply;
  reply.error = std::move(error);
  reply.data = View();
  clients_.Answer(command, reply);
}

void GatewayHost::Show(const Command& command) { Answer(command); }

void GatewayHost::Set(const Command& command, const SetGateway& body) {
  GatewayWish wish = wish_;
  wish.run = body.wish.run;
  if (Has(body.given, "listen")) wish.listen = body.wish.listen;
  if (Has(body.given, "hosts")) wish.hosts = body.wish.hosts;
  if (Has(body.given, "tls")) {
    wish.certificate = body.wish.certificate;
    wish.key = body.wish.key;
  }
  if (Has(body.given, "client_ca")) wish.client_ca = body.wish.client_ca;
  if (wish.run && wish.listen.empty()) wish.listen = {kDefaultGatewayListen};
  for (const GatewayCredential& credential : body.wish.credentials) {
    std::erase_if(wish.credentials,
                  [&](const GatewayCredential& one) { return one.name == credential.name; });
    wish.credentials.push_back(credential);
  }
  // Even if nothing has changed: the files may have, a renewed certificate.
  Change(command, std::move(wish), true);
}

void GatewayHost::Add(const Command& command, const AddCredential& body) {
  for (const GatewayCredential& one : wish_.credentials) {
    if (one.name != body.credential.name) continue;
    return Answer(
        command, Error{ErrorCode::kConflict,
                       "there is a " + std::string(one.basic ? "user" : "token") + " '" + one.name +
                           "' already; to make a new one of that name: slc "
                           "token rm " +
                           one.name + " first"});
  }
  GatewayWish wish = wish_;
  wish.credentials.push_back(body.credential);
  Change(command, std::move(wish), false);
}

void GatewayHost::Remove(const Command& command, const RemoveCredential& body) {
  GatewayWish wish = wish_;
  const auto removed = std::erase_if(
      wish.credentials, [&](const GatewayCredential& one) { return one.name == body.name; });
  if (removed == 0) {
    return Answer(command,
                  Error{ErrorCode::kNotFound, "there is no token or user '" + Printable(body.name) +
                                                  "'; those there are: slc token ls"});
  }
  Change(command, std::move(wish), false);
}

void GatewayHost::Change(const Command& command, GatewayWish wish, bool anew) {
  if (changing_) {
    return Answer(command, Error{ErrorCode::kConflict,
                                 "another change of the gateway is being recorded; try again"});
  }
  // Taking a token away must be possible whatever it is that does not fit.
  const bool fewer = wish.credentials.size() < wish_.credentials.size();
  Status good = CheckGateway(wish);
  if (!good && fewer && wish.run) {
    return Answer(command,
                  Error{good.error().code, "without it " + good.error().message +
                                               "; or stop the gateway first: slc gateway stop"});
  }
  if (!good) return Answer(command, good.error());
  if (binding_) {
    // What is being bound at this moment would be found taken, by us.
    bound_.push_back(
        [this, command, wish = std::move(wish), anew] { Change(command, wish, anew); });
    return;
  }
  struct Outcome {
    Status status = Ok();
    GatewaySockets sockets;
  };
  auto outcome = std::make_shared<Outcome>();
  const std::vector<std::string> bound = NamesOf(sockets_);
  changing_ = true;
  disk_.Run(
      [this, wish, bound, outcome] {
        if (wish.run) {
          auto files = OpenTlsFiles(wish);
          auto sockets = BindForGateway(wish.listen, bound);
          if (!files || !sockets) {
            outcome->status = files ? sockets.error() : files.error();
            return;
          }
          outcome->sockets = std::move(*sockets);
        }
        outcome->status = file_.Write(wish);
        if (outcome->status) return;
        for (const auto& [name, socket] : outcome->sockets) UnlinkOfGateway(name);
      },
      [this, command, wish, outcome, anew] {
        changing_ = false;
        if (!outcome->status) return Answer(command, outcome->status.error());
        CarryOut(command, wish, std::move(outcome->sockets), anew);
      });
}

void GatewayHost::CarryOut(const Command& command, GatewayWish wish, GatewaySockets sockets,
                           bool anew) {
  wish_ = std::move(wish);
  trouble_.clear();
  damage_.clear();
  for (auto& [name, socket] : sockets) sockets_[name] = std::move(socket);
  std::vector<std::string> gone;
  for (const auto& [name, socket] : sockets_) {
    const auto& listen = wish_.listen;
    const bool wanted = wish_.run && std::find(listen.begin(), listen.end(), name) != listen.end();
    if (!wanted) gone.push_back(name);
  }
  for (const std::string& name : gone) sockets_.erase(name);
  if (!gone.empty()) {
    disk_.Run(
        [gone] {
          for (const std::string& name : gone) UnlinkOfGateway(name);
        },
        [] {});
  }
  waiting_.push_back(command);
  if (!anew && plan_.state() == GatewayPlan::State::kUp) {
    // It asks anew what it is to serve, and that answers the command.
    SignalProcess(process_.pidfd, SIGHUP);
    return;
  }
  Feed(GatewayWanted{wish_.run, anew});
  if (plan_.state() == GatewayPlan::State::kOff) Conclude(std::nullopt);
}

void GatewayHost::Conclude(const std::optional<Error>& error) {
  for (const Command& command : std::exchange(waiting_, {})) Answer(command, error);
}

// ------------------------------------------------------------------------------------------------
// its process

void GatewayHost::Feed(const GatewayEvent& event) {
  for (const GatewayDeed deed : plan_.On(event, loop_.now())) Act(deed);
  if (plan_.deadline()) {
    timer_.StartAt(*plan_.deadline());
  } else {
    timer_.Stop();
  }
}

void GatewayHost::Act(GatewayDeed deed) {
  switch (deed) {
    case GatewayDeed::kLaunch:
      return BindWhatIsMissing();
    case GatewayDeed::kTerminate:
      SignalProcess(process_.pidfd, SIGTERM);
      return;
    case GatewayDeed::kKill:
      log::Warn("the gateway (pid " + std::to_string(pid()) + ") does not answer; killing it");
      SignalProcess(process_.pidfd, SIGKILL);
      return;
  }
}

// After a start of slcd all of them are; one that could not be bound then is tried again each time.
void GatewayHost::BindWhatIsMissing() {
  auto outcome = std::make_shared<Result<GatewaySockets>>(GatewaySockets{});
  binding_ = true;
  disk_.Run([listen = wish_.listen, bound = NamesOf(sockets_),
             outcome] { *outcome = BindForGateway(listen, bound); },
            [this, outcome] {
              binding_ = false;
              OnBound(std::move(*outcome));
              for (const auto& next : std::exchange(bound_, {})) next();
            });
}

void GatewayHost::OnBound(Result<GatewaySockets> sockets) {
  if (!wish_.run) {
    Feed(GatewayLaunched{false});
    return Conclude(std::nullopt);
  }
  Status status = sockets ? Ok() : Status(sockets.error());
  if (sockets) {
    // Less may be wanted by now.
    for (auto& [name, socket] : *sockets) {
      const auto& listen = wish_.listen;
      const bool wanted = std::find(listen.begin(), listen.end(), name) != listen.end();
      if (wanted) sockets_[name] = std::move(socket);
    }
    status = Launch();
  }
  if (!status && trouble_ != status.error().message) {
    trouble_ = status.error().message;
    log::Failure("the gateway cannot be started: " + trouble_ + "; trying again");
  }
  if (!status) Conclude(status.error());
  Feed(GatewayLaunched{status.ok()});
}

Status GatewayHost::Launch() {
  SocketPair control = MakeSocketPair(SOCK_STREAM);
  if (!control.first) return SystemError("make its connection", errno);
  int words[2] = {-1, -1};
  if (::pipe2(words, O_CLOEXEC | O_NONBLOCK) != 0) return SystemError("make a pipe", errno);
  words_.reset(words[0]);
  const UniqueFd theirs(words[1]);
  SpawnOptions options;
  options.program = hands_.program();
  options.arguments = {"slc-gateway", "--control", std::to_string(kControl)};
  options.environment = SanitizerOptions();
  options.environment.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
  options.descriptors = {{control.second.get(), kControl}, {theirs.get(), STDERR_FILENO}};
  options.working_directory = "/";
  if (::geteuid() == 0) {
    auto nobody = ResolveRunAs("nobody");
    if (!nobody) return nobody.error();
    options.run_as = std::move(*nobody);
  }
  auto spawned = Spawn(options);
  if (!spawned) return spawned.error();
  process_ = std::move(*spawned);
  started_wall_ = WallNow();
  last_words_.clear();
  words_left_ = kMostWords;
  client_ = clients_.Take(std::move(control.first));
  end_ = std::make_unique<uv::Poll>(loop_, process_.pidfd.get(),
                                    [this](uv::Poll::Ready) { OnEnded(); });
  end_->Watch(true, false);
  words_poll_ =
      std::make_unique<uv::Poll>(loop_, words_.get(), [this](uv::Poll::Ready) { OnWords(); });
  words_poll_->Watch(true, false);
  return Ok();
}

// What it complains about goes into slcd's log. It speaks with the world: not without end.
void GatewayHost::OnWords() {
  std::array<char, 4096> buffer;
  const ssize_t got = ::read(words_.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    words_poll_->Watch(false, false);
    return;
  }
  for (const std::string& line :
       Split(std::string(buffer.data(), static_cast<std::size_t>(got)), '\n')) {
    if (line.empty()) continue;
    last_words_ = Printable(line.substr(0, kMostLine));
    if (words_left_-- > 0) log::Warn("gateway: " + last_words_);
  }
}

void GatewayHost::OnEnded() {
  OnWords();
  const auto status = Reap(process_.pidfd);
  end_.reset();
  words_poll_.reset();
  words_.reset();
  process_ = Spawned{};
  client_ = kNoClient;
  hands_.reap();
  const bool unasked = plan_.state() != GatewayPlan::State::kEnding;
  if (unasked) {
    const std::string how = status ? DescribeWaitStatus(*status) : "how is not known";
    trouble_ = "the gateway has ended (" + how + ")";
    if (!last_words_.empty()) trouble_ += ": " + last_words_;
    log::Failure(trouble_ + "; starting it again");
    hands_.record("gateway_ended", trouble_);
    Conclude(Error{ErrorCode::kNotReady,
                   trouble_ + "; it is recorded and tried again, slc gateway stop ends that"});
  }
  Feed(GatewayEnded{});
  if (plan_.state() == GatewayPlan::State::kOff) Conclude(std::nullopt);
}

void GatewayHost::Serve(const Command& command) {
  if (!IsGateway(command.client)) {
    return clients_.Refuse(command,
                           Error{ErrorCode::kPermission, "this is for slcd's own gateway only"});
  }
  auto files = std::make_shared<Result<std::vector<UniqueFd>>>(std::vector<UniqueFd>{});
  disk_.Run([wish = wish_, files] { *files = OpenTlsFiles(wish); },
            [this, command, files] {
              if (!*files) return clients_.Refuse(command, files->error());
              Reply reply;
              reply.data = wish_;
              std::vector<UniqueFd> fds;
              for (const std::string& name : wish_.listen) {
                const auto socket = sockets_.find(name);
                if (socket == sockets_.end()) {
                  return clients_.Refuse(command, Error{ErrorCode::kConflict, "not bound yet"});
                }
                fds.push_back(socket->second.Duplicate());
              }
              for (UniqueFd& file : **files) fds.push_back(std::move(file));
              clients_.Answer(command, reply, std::move(fds));
              trouble_.clear();
              Feed(GatewayUp{});
              Conclude(std::nullopt);
            });
}

}  // namespace slc
