// Deploy, where it makes a release of the archive: slc-unpack, its place, npm.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "common/base/environment.h"
#include "common/base/file_rights.h"
#include "common/base/leftovers.h"
#include "common/base/process.h"
#include "common/base/text.h"
#include "common/model/unpacked.h"
#include "common/wire/snapshot_format.h"
#include "daemon/deploy/deploy.h"
#include "daemon/deploy/find_script.h"
#include "daemon/deploy/package_facts.h"
#include "daemon/deploy/unpack_start.h"
#include "daemon/generation_resolver.h"

namespace slc::deploy {
namespace {

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

}  // namespace

void Deploy::Do(const StartUnpack&) {
  report_.reset(::memfd_create("slc-unpack-report", MFD_CLOEXEC));
  UnpackOrder order;
  order.program = context_.unpacker();
  order.archive = plan_.archive.get();
  order.folder = staging_.get();
  order.report = report_.get();
  order.user = user_;
  order.cookie = Cookie();
  auto child = LaunchUnpacker(order);
  // Whoever sends must see that nobody reads, and the reader the end of a sender that has died.
  plan_.archive.reset();
  if (!child) {
    code_ = child.error().code;
    return Feed(UnpackEnded{child.error().message});
  }
  Watch(std::move(*child), [this](const std::optional<int>& status) { OnUnpacked(status); });
}

void Deploy::Watch(Spawned child, std::function<void(const std::optional<int>& status)> on_end) {
  child_ = std::move(child);
  on_child_end_ = std::move(on_end);
  child_poll_ = std::make_unique<uv::Poll>(context_.loop, child_.pidfd.get(),
                                           [this](uv::Poll::Ready) { OnChildEnded(); });
  child_poll_->Watch(true, false);
}

void Deploy::OnChildEnded() {
  const std::optional<int> status = Reap(child_.pidfd);
  // Its Poll is what calls us: it goes when we return.
  const std::unique_ptr<uv::Poll> poll = std::move(child_poll_);
  const auto on_end = std::move(on_child_end_);
  if (lines_) lines_->Finish();
  child_ = Spawned{};
  context_.reap();
  on_end(status);
}

void Deploy::OnUnpacked(const std::optional<int>& status) {
  const auto line = ReadMemfd(report_.get());
  report_.reset();
  const bool spoke = status && WIFEXITED(*status) && WEXITSTATUS(*status) <= 1;
  const auto unpacked = spoke && line ? DecodeUnpacked(std::string(Trim(*line)))
                                      : Result<Unpacked>(Error{ErrorCode::kSystem, ""});
  if (!spoke || !unpacked) {
    const bool told = spoke && unpacked.error().code != ErrorCode::kProtocol;
    if (!cancelled_) code_ = told ? unpacked.error().code : ErrorCode::kSystem;
    return Feed(UnpackEnded{
        told ? unpacked.error().message
             : "slc-unpack ended: " + (status ? DescribeWaitStatus(*status) : "how is not known")});
  }
  Release& release = plan_.release;
  release.sha256 = unpacked->sha256;
  if (release.origin != ReleaseOrigin::kGit) release.hash = unpacked->sha1;
  release.bytes = unpacked->bytes;
  release.entries = unpacked->entries;
  Note("unpacked", "unpacked " + std::to_string(unpacked->entries) + " files and folders, " +
                       FormatBytes(unpacked->bytes));
  Feed(UnpackEnded{});
}

void Deploy::Do(const Place&) {
  // What ran in place before can be rolled back to, too.
  std::optional<Release> old;
  if (!first_ && context_.store.ReleaseIn(id_, before_.directory).empty()) {
    old = ReleaseStore::OfFolder(before_.directory);
    old->state = ReleaseState::kProven;
    old->when = record_.begun;
  }
  auto release = std::make_shared<Release>(plan_.release);
  Run(
      [&store = context_.store, id = id_, request = record_.request, old, release]() -> Status {
        if (old) {
          Release folder = *old;
          if (Status named = store.Name(id, folder); !named) return named;
          if (Status written = store.Write(id, folder); !written) return written;
          release->number = std::max(release->number, folder.number + 1);
        }
        return store.Place(id, request, *release);
      },
      [this, release](const Status& status) {
        staging_.reset();
        plan_.release = *release;
        if (!status) code_ = status.error().code;
        Feed(Placed{Failure(status)});
      });
}

void Deploy::Do(const StartInstall&) {
  auto step = std::make_shared<NpmStep>();
  Run(
      [&store = context_.store, id = id_, name = record_.release, user = user_,
       skip = !spec_.releases.npm, step]() -> Status {
        auto folder = store.Open(id, name);
        if (!folder) return folder.error();
        const FileRights rights(user);
        auto facts = ReadPackageFacts(folder->get());
        if (!facts) return facts.error();
        *step = ChooseNpmStep(*facts, skip);
        return Ok();
      },
      [this, step](const Status& status) {
        if (!status) return OnInstalled(Failure(status));
        Install(*step);
      });
}

void Deploy::Install(const NpmStep& step) {
  plan_.release.npm_reason = step.reason;
  Note("note", step.reason);
  if (cancelled_ || step.arguments.empty()) return OnInstalled({});
  plan_.release.npm = "npm " + Join(step.arguments, " ");
  Note("note", "running " + plan_.release.npm);
  if (Status started = StartNpm(step); !started) OnInstalled(Failure(started));
}

Status Deploy::StartNpm(const NpmStep& step) {
  Wish wish = *context_.registry.Get(id_);
  wish.spec = spec_;
  TargetUser user;
  if (user_) {
    const UserInfo info = LookUpUser(user_->uid);
    user = {info.name, info.home};
  }
  Environment environment = ComposeEnvironment(wish, {}, user_ ? &user : nullptr, directory_);
  environment.erase("PORT");
  if (!spec_.node.empty()) {
    environment["PATH"] = DirectoryOf(spec_.node) + ":" + environment["PATH"];
  }
  // npm keeps its cache there, and fails without.
  if (environment.count("HOME") == 0) environment["HOME"] = LookUpUser(::geteuid()).home;
  environment[kCookieVariable] = Cookie();
  auto npm = FindProgram("npm", environment["PATH"]);
  if (!npm) return npm.error().During("install the dependencies");
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("make a pipe", errno);
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  SpawnOptions options;
  options.program = *npm;
  options.arguments = {"npm"};
  options.arguments.insert(options.arguments.end(), step.arguments.begin(), step.arguments.end());
  options.environment = ToBlock(environment);
  options.working_directory = directory_;
  options.descriptors = {{theirs.get(), STDOUT_FILENO}, {theirs.get(), STDERR_FILENO}};
  options.run_as = user_;
  options.file_mask = spec_.file_mask;
  constexpr int kNice = 5;  // whoever is served must not wait for it
  options.nice = kNice;
  auto child = Spawn(options);
  if (!child) return child.error();
  lines_ = std::make_unique<ChildLines>(context_.loop, std::move(ours),
                                        [this](const std::string& line) { Note("output", line); });
  Watch(std::move(*child), [this](const std::optional<int>& status) {
    if (status && *status == 0) return OnInstalled({});
    log_tail_ = lines_->last();
    OnInstalled(plan_.release.npm + ": " +
                (status ? DescribeWaitStatus(*status) : "how it ended is not known"));
  });
  return Ok();
}

void Deploy::OnInstalled(const std::string& failure) {
  if (!failure.empty() || cancelled_) return Feed(InstallEnded{failure});
  FindScript();
}

void Deploy::FindScript() {
  auto spec = std::make_shared<ServiceSpec>(spec_);
  Run(
      [&store = context_.store, id = id_, release = plan_.release, directory = directory_,
       user = user_, spec]() -> Status {
        if (Status written = store.Write(id, release); !written) return written;
        const FileRights rights(user);
        return FindScriptIn(directory, *spec);
      },
      [this, spec](const Status& status) {
        if (status) spec_ = *spec;
        Feed(InstallEnded{Failure(status)});
      });
}

void Deploy::Do(const EndChild&) {
  if (!child_.pidfd) return;  // a step between two children: it ends by itself
  SignalProcess(child_.pidfd, SIGKILL);
  Run(
      [cookie = Cookie(), leader = child_.identity]() -> Status {
        KillByCookie(cookie, leader);
        return Ok();
      },
      [](const Status&) {});
}

}  // namespace slc::deploy
