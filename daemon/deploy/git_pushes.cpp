#include "daemon/deploy/git_pushes.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <utility>

#include "common/base/environment.h"
#include "common/base/fd_passing.h"
#include "common/base/file_rights.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "daemon/deploy/deploys.h"

namespace slc::deploy {
namespace {

constexpr const char* kPath = "/usr/local/bin:/usr/bin:/bin";
constexpr int kControl = 3;  // of the hook, as its descriptor

std::vector<std::string> WordsOf(GitStep step, const std::string& hooks,
                                 const std::string& repository) {
  // What the machine's or somebody's configuration says is no business of a push.
  std::vector<std::string> words{"git"};
  const auto set = [&words](const std::string& setting) {
    words.emplace_back("-c");
    words.push_back(setting);
  };
  switch (step) {
    case GitStep::kAdvertiseUpload:
      words.insert(words.end(), {"upload-pack", "--stateless-rpc", "--advertise-refs"});
      break;
    case GitStep::kAdvertiseReceive:
      words.insert(words.end(), {"receive-pack", "--stateless-rpc", "--advertise-refs"});
      break;
    case GitStep::kReceive:
      set("core.hooksPath=" + hooks);
      set("receive.denyNonFastForwards=false");
      set("receive.maxInputSize=2g");
      // Who pushes waits for it, instead of somebody who does not expect it.
      set("gc.autoDetach=false");
      words.insert(words.end(), {"receive-pack", "--stateless-rpc"});
      break;
  }
  words.push_back(repository);
  return words;
}

// Git takes a hook that its user cannot reach for one that is not there: it would take the push,
// and nothing would be deployed.
Status CheckHook(const std::string& hook, const std::string& run_as,
                 const std::optional<RunAs>& user) {
  const FileRights rights(user);
  if (::faccessat(AT_FDCWD, hook.c_str(), X_OK, AT_EACCESS) == 0) return Ok();
  return SystemError("run " + hook + " as " + (run_as.empty() ? "slcd's user" : run_as) +
                         ", who takes the push (it and the folders above it must be open to all)",
                     errno);
}

}  // namespace

GitPushes::GitPushes(uv::Loop& loop, const Registry& registry, Clients& clients,
                     const ReleaseStore& store, std::string home_key, Hands hands)
    : loop_(loop),
      registry_(registry),
      clients_(clients),
      store_(store),
      home_key_(std::move(home_key)),
      hands_(std::move(hands)) {}

// Whoever pushes sees that it was not taken: git ends with its descriptors, or with this.
GitPushes::~GitPushes() {
  for (const auto& [pid, child] : children_) SignalProcess(child.process.pidfd, SIGKILL);
}

const GitPushes::Grant* GitPushes::GrantOf(ClientId client) const {
  const auto found = grants_.find(client);
  return found == grants_.end() ? nullptr : &found->second;
}

void GitPushes::Serve(const Command& command, const ServeGit& body, std::vector<UniqueFd> fds) {
  const auto id = registry_.Find(body.service);
  if (!id) return clients_.Refuse(command, id.error());
  if (fds.size() != 2) {
    return clients_.Refuse(command, Error{ErrorCode::kUsage, "git needs two descriptors"});
  }
  if (children_.size() >= kMost) {
    return clients_.Refuse(command, Error{ErrorCode::kConflict,
                                          std::to_string(kMost) + " pushes are under way already"});
  }
  struct Prepared {
    std::optional<RunAs> user;
    std::string repository;
    std::vector<UniqueFd> fds;
    Status status = Ok();
  };
  auto prepared = std::make_shared<Prepared>();
  prepared->fds = std::move(fds);
  hands_.disk().Run(
      [this, id = *id, run_as = registry_.Get(*id)->spec.run_as, hooks = hands_.hooks(), prepared] {
        if (!run_as.empty()) {
          auto user = ResolveRunAs(run_as);
          if (user) prepared->user = std::move(*user);
          if (!user) prepared->status = user.error();
        }
        if (!prepared->status) return;
        auto repository = store_.MakeRepository(id, prepared->user);
        if (repository) prepared->repository = std::move(*repository);
        if (!repository) prepared->status = repository.error();
        if (!hooks.empty() && prepared->status) {
          prepared->status = CheckHook(hooks + "/pre-receive", run_as, prepared->user);
        }
      },
      [this, command, body, id = *id, prepared] {
        if (!prepared->status) return clients_.Refuse(command, prepared->status.error());
        Start(command, body, id, prepared->user, prepared->repository, std::move(prepared->fds));
      });
}

void GitPushes::Start(const Command& command, const ServeGit& body, ServiceId id,
                      const std::optional<RunAs>& user, const std::string& repository,
                      std::vector<UniqueFd> fds) {
  const std::string hooks = hands_.hooks();
  const auto git = FindProgram("git", kPath);
  if (!git) return clients_.Refuse(command, git.error().During("take a push"));
  if (hooks.empty()) {
    return clients_.Refuse(
        command, Error{ErrorCode::kNotFound, "slc's hook for git is not installed beside slcd"});
  }
  SpawnOptions options;
  options.program = *git;
  options.arguments = WordsOf(body.step, hooks, repository);
  options.environment = SanitizerOptions();
  for (const char* each :
       {"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME=/", "LANG=C.UTF-8"}) {
    options.environment.emplace_back(each);
  }
  options.environment.push_back(std::string("PATH=") + kPath);
  options.environment.push_back(std::string(kCookieVariable) + "=" + home_key_ + "-git-" +
                                std::to_string(id));
  options.descriptors = {{fds[0].get(), STDIN_FILENO}, {fds[1].get(), STDOUT_FILENO}};
  options.working_directory = "/";
  options.run_as = user;
  SocketPair control;
  if (body.step == GitStep::kReceive) {
    control = MakeSocketPair(SOCK_STREAM);
    if (!control.first) return clients_.Refuse(command, SystemError("make its connection", errno));
    options.descriptors.emplace_back(control.second.get(), kControl);
  }
  auto spawned = Spawn(options);
  if (!spawned) return clients_.Refuse(command, spawned.error());
  if (control.first) {
    grants_[clients_.Take(std::move(control.first))] = Grant{id, WhoDeploys(command)};
  }
  const int pid = spawned->identity.pid;
  Child& child = children_[pid];
  child.command = command;
  child.process = std::move(*spawned);
  child.end = std::make_unique<uv::Poll>(loop_, child.process.pidfd.get(),
                                         [this, pid](uv::Poll::Ready) { OnEnded(pid); });
  child.end->Watch(true, false);
}

void GitPushes::OnEnded(int pid) {
  const auto found = children_.find(pid);
  const auto status = Reap(found->second.process.pidfd);
  // Its Poll is what calls us: it goes when we return.
  const Child child = std::move(found->second);
  children_.erase(found);
  hands_.reap();
  Reply reply;
  // A push that was refused is no failure of git's half.
  if (!status || *status != 0) {
    reply.error = Error{ErrorCode::kSystem,
                        "git: " + (status ? DescribeWaitStatus(*status) : "how is not known")};
  }
  clients_.Answer(child.command, reply);
}

}  // namespace slc::deploy
