// A fake slcd for trying out slc without masters and workers: it answers everything from memory,
// slowly where the real one would be slow. Install it beside slc as `slcd`.
//
//   SLC_FAKE=slow     each worker takes 0.8 s
//   SLC_FAKE=broken   workers do not come up
//   SLC_FAKE=fatal    exits at once, saying why
//   SLC_FAKE=silent   takes connections and never answers
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>

#include "common/base/files.h"
#include "common/base/home.h"
#include "common/base/lock_holder.h"
#include "common/base/process.h"
#include "common/base/version.h"
#include "common/uv/loop.h"
#include "common/uv/signal.h"
#include "common/uv/timer.h"
#include "common/wire/control_server.h"
#include "common/wire/messages.h"

namespace slc {
namespace {

constexpr int kAnotherOneIsThere = 100;

class FakeDaemon {
 public:
  FakeDaemon(uv::Loop& loop, const HomePaths& paths, const HomeDirectories& home, UniqueFd listener,
             std::string mode)
      : loop_(loop),
        paths_(paths),
        home_(home),
        mode_(std::move(mode)),
        timer_(loop, [this] { Step(); }),
        server_(loop, std::move(listener),
                {[this](ClientId client, const std::string& payload) { On(client, payload); },
                 [](ClientId) {}}) {}

 private:
  void Answer(ClientId client, const std::string& id, std::variant<Progress, Reply> body) {
    const auto* progress = std::get_if<Progress>(&body);
    server_.Send(client, progress != nullptr ? EncodeProgress(id, *progress)
                                             : EncodeReply(id, std::get<Reply>(body)));
  }

  void On(ClientId client, const std::string& payload) {
    if (mode_ == "silent") return;
    auto request = DecodeRequest(payload);
    if (!request) return Answer(client, "", Reply{request.error(), {}, {}, {}});
    std::visit([&](const auto& body) { Handle(client, *request, body); }, request->body);
  }

  Reply View(const std::string& service) {
    Reply reply;
    auto& views = reply.data.emplace<std::vector<ServiceView>>();
    for (const auto& [id, view] : services_) {
      if (service.empty() || view.name == service || std::to_string(id) == service) {
        views.push_back(view);
      }
    }
    if (views.empty() && !service.empty()) {
      reply = Reply{};
      reply.error = Error{ErrorCode::kNotFound, "there is no service '" + service + "'"};
    }
    return reply;
  }

  ServiceView* Find(const std::string& service) {
    for (auto& [id, view] : services_) {
      if (view.name == service || std::to_string(id) == service) return &view;
    }
    return nullptr;
  }

  void Handle(ClientId client, const Request& request, const StartService& body) {
    ServiceView* view = Find(body.spec.name);
    if (view == nullptr) {
      const auto id = static_cast<ServiceId>(services_.size() + 1);
      view = &services_[id];
      view->id = id;
      view->name = body.spec.name;
    }
    view->directory = body.spec.directory;
    view->environment = body.spec.environment;
    Fill(*view, body.size.value_or(2) == kSizeCpu ? 2 : body.size.value_or(2));
    if (const Status kept =
            ReplaceFileAt(home_.services.get(), std::to_string(view->id) + ".json", "{}", false);
        !kept) {
      return Answer(client, request.id, Reply{kept.error(), {}, {}, {}});
    }
    Roll(client, request, *view);
  }
  void Handle(ClientId client, const Request& request, const CreateService& body) {
    const auto id = static_cast<ServiceId>(services_.size() + 1);
    ServiceView& view = services_[id];
    view.id = id;
    view.name = body.name;
    view.state = "new";
    Answer(client, request.id, View(body.name));
  }
  void Handle(ClientId client, const Request& request, const ListServices&) {
    Answer(client, request.id, View(""));
  }
  void Handle(ClientId client, const Request& request, const GetStatus& body) {
    Answer(client, request.id, View(body.service));
  }
  void Handle(ClientId client, const Request& request, const GetInfo&) {
    DaemonInfo info;
    info.version = "fake";
    info.pid = ::getpid();
    info.protocol = OwnVersion().control.newest;
    info.home = paths_.home;
    info.socket = paths_.run + "/" + kDaemonSocket;
    info.started_wall = WallNow();
    info.cpus = UsableCpus();
    info.services = static_cast<std::uint32_t>(services_.size());
    Answer(client, request.id, Reply{{}, {}, {}, info});
  }
  void Handle(ClientId client, const Request& request, const Shutdown&) {
    Answer(client, request.id, Reply{});
    loop_.Stop();
  }
  void Handle(ClientId client, const Request& request, const UpgradeAll&) {
    ProcessUpgrade own;
    own.program = "slcd";
    own.pid = ::getpid();
    own.from = own.to = "fake";
    Answer(client, request.id, Reply{{}, {}, {}, UpgradeReport{own}});
  }
  void Handle(ClientId client, const Request& request, const RemoveService& body) {
    const ServiceView* view = Find(body.service);
    if (view == nullptr) return Answer(client, request.id, View(body.service));
    services_.erase(view->id);
    Answer(client, request.id, Reply{});
  }
  void Handle(ClientId client, const Request& request, const StopService& body) {
    if (ServiceView* view = Find(body.service)) {
      view->state = "stopped";
      view->cluster_size = 0;
      view->processes.clear();
    }
    Answer(client, request.id, View(body.service));
  }
  void Handle(ClientId client, const Request& request, const SetSize& body) {
    if (ServiceView* view = Find(body.service)) Fill(*view, body.size == kSizeCpu ? 2 : body.size);
    Answer(client, request.id, View(body.service));
  }
  void Handle(ClientId client, const Request& request, const SetEnvironment& body) {
    if (ServiceView* view = Find(body.service)) {
      for (const auto& [name, value] : body.set) view->environment[name] = value;
      for (const std::string& name : body.unset) view->environment.erase(name);
    }
    Answer(client, request.id, View(body.service));
  }
  // Start and restart.
  template <typename Body>
  void Handle(ClientId client, const Request& request, const Body& body) {
    if constexpr (requires { body.service; }) {
      Begin(client, request, body.service);
    } else {
      Answer(client, request.id, View(""));
    }
  }
  void Begin(ClientId client, const Request& request, const std::string& service) {
    ServiceView* view = Find(service);
    if (view == nullptr) return Answer(client, request.id, View(service));
    Fill(*view, std::max(view->cluster_size, 1U));
    Roll(client, request, *view);
  }

  void Fill(ServiceView& view, std::uint32_t size) {
    view.state = "running";
    view.size = std::to_string(size);
    view.cluster_size = size;
    view.agent_version = "1.0.0";
    ++view.generation;
    view.processes.clear();
    for (std::uint32_t i = 0; i <= size; ++i) {
      ProcessView process;
      process.pid = ::getpid() + static_cast<int>(i);
      process.worker = i == 0 ? 0 : ++last_worker_;
      process.slot = i;
      process.generation = view.generation;
      process.state = "ready";
      if (i > 0) process.listening = {"0.0.0.0:" + std::to_string(3000 + view.id)};
      view.processes.push_back(process);
    }
  }

  // Reports one worker after the other, then answers.
  void Roll(ClientId client, const Request& request, const ServiceView& view) {
    for (const ProcessView& process : view.processes) {
      if (process.worker == 0) continue;
      Progress progress;
      progress.kind = "worker_ready";
      progress.worker = process.worker;
      progress.slot = process.slot;
      progress.pid = process.pid;
      progress.millis = 300;
      progress.listening = process.listening;
      steps_.push_back([this, client, id = request.id, progress] { Answer(client, id, progress); });
    }
    steps_.push_back([this, client, id = request.id, name = view.name] {
      if (mode_ != "broken") return Answer(client, id, View(name));
      Answer(client, id,
             Reply{Error{ErrorCode::kNotReady, "worker 1 ended before it was ready: exit code 1"},
                   {"Error: listen EADDRINUSE", "\x1b[31mred\x1b[0m"},
                   {},
                   {}});
    });
    timer_.StartIn(mode_ == "slow" ? 800 : 5);
  }
  void Step() {
    if (steps_.empty()) return;
    auto step = std::move(steps_.front());
    steps_.pop_front();
    step();
    if (!steps_.empty()) timer_.StartIn(mode_ == "slow" ? 800 : 5);
  }

  uv::Loop& loop_;
  const HomePaths& paths_;
  const HomeDirectories& home_;
  std::string mode_;
  std::map<ServiceId, ServiceView> services_;
  WorkerId last_worker_ = 0;
  std::deque<std::function<void()>> steps_;
  uv::Timer timer_;
  ControlServer server_;
};

int Fail(const Error& error) {
  std::fprintf(stderr, "fake slcd: %s\n", error.message.c_str());
  return 1;
}

int Main() {
  const char* mode = std::getenv("SLC_FAKE");
  if (mode != nullptr && std::string(mode) == "fatal") {
    return Fail(Error{ErrorCode::kInternal, "the moon is in the wrong phase"});
  }
  auto paths = LocateOwnHome();
  if (!paths) return Fail(paths.error());
  auto home = OpenHome(*paths);
  if (!home) return Fail(home.error());
  auto lock = LockFileAt(home->run.get(), kDaemonLock, WriteLockHolder({IdentifySelf(), false}));
  if (!lock)
    return lock.error().code == ErrorCode::kConflict ? kAnotherOneIsThere : Fail(lock.error());
  uv::Loop loop;
  auto listener = ListenOnUnixSocket(home->run.get(), kDaemonSocket, SOCK_STREAM, 64);
  if (!listener) return Fail(listener.error());
  const uv::Signal terminate(loop, SIGTERM, [&] { loop.Stop(); });
  const FakeDaemon daemon(loop, *paths, *home, std::move(*listener), mode != nullptr ? mode : "");
  loop.Run();
  return 0;
}

}  // namespace
}  // namespace slc

int main() { return slc::Main(); }
