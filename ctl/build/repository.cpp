#include "ctl/build/repository.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/base/files.h"
#include "common/base/text.h"
#include "ctl/build/fast_import.h"

namespace slc::ctl {
namespace {

constexpr std::size_t kPiece = 64U << 10;

// There is a ".git" in the folder or one above it.
bool HasRepositoryAbove(std::string folder) {
  while (true) {
    if (::access((folder + "/.git").c_str(), F_OK) == 0) return true;
    if (folder.empty()) return false;
    folder.resize(folder.rfind('/'));
  }
}

std::string FirstLine(const std::string& text) {
  return std::string(Trim(std::string_view(text).substr(0, text.find('\n'))));
}

Error WithReason(const Error& error, const Steps& steps) {
  if (steps.output().empty()) return error;
  return Error{error.code, error.message + ": " + Join(steps.output(), " ")};
}

}  // namespace

Step Repository::Git(Words words) const {
  Step step;
  step.command = std::move(words);
  step.command.insert(step.command.begin(), "git");
  step.folder = top_;
  step.told = false;
  return step;
}

Result<std::string> Repository::Ask(Words words) {
  auto ran = steps_->Run(Git(std::move(words)));
  if (!ran) return WithReason(ran.error(), *steps_);
  return FirstLine(*ran);
}

Result<std::optional<Repository>> Repository::Find(const std::string& folder, Steps& steps) {
  if (!HasRepositoryAbove(folder)) return std::optional<Repository>();
  Repository repository(steps, folder, {});
  auto top = repository.Ask({"rev-parse", "--show-toplevel"});
  auto prefix = top ? repository.Ask({"rev-parse", "--show-prefix"}) : top;
  if (!prefix) {
    return Error{prefix.error().code, prefix.error().message + "; --npm builds without git"};
  }
  // Of a repository without a work tree there is nothing to build.
  if (top->empty()) return std::optional<Repository>();
  if (!prefix->empty()) {
    Step ignored = repository.Git({"check-ignore", "--quiet", "."});
    if (steps.Try(std::move(ignored))) return std::optional<Repository>();
  }
  repository.top_ = std::move(*top);
  repository.prefix_ = std::move(*prefix);
  return std::optional<Repository>(std::move(repository));
}

Status Repository::CheckHead() {
  if (!steps_->Try(Git({"rev-parse", "--verify", "--quiet", "HEAD^{commit}"}))) {
    return Error{ErrorCode::kInvalid, "nothing is committed in the repository " + top_ +
                                          " yet; commit the app, or build it with --npm"};
  }
  if (steps_->Try(Git({"cat-file", "-e", "HEAD:" + prefix_ + "package.json"}))) return Ok();
  return Error{ErrorCode::kInvalid,
               prefix_ + "package.json is not in the last commit of the repository " + top_ +
                   ", which is what is built; commit the app, or build it with --npm"};
}

Status Repository::CheckBranch(const std::string& branch) {
  const std::string ref = "refs/heads/" + branch;
  if (StartsWith(branch, "-") || !steps_->Try(Git({"check-ref-format", ref}))) {
    return Error{ErrorCode::kUsage, "'" + Printable(branch) + "' is no name for a branch"};
  }
  auto worktrees = steps_->Run(Git({"worktree", "list", "--porcelain"}));
  if (!worktrees) return WithReason(worktrees.error(), *steps_);
  std::string place;
  for (const std::string& line : Split(*worktrees, '\n')) {
    if (StartsWith(line, "worktree ")) place = line.substr(9);
    if (line != "branch " + ref) continue;
    return Error{ErrorCode::kConflict,
                 "the branch '" + branch + "' is checked out in " + Printable(place) +
                     ", where its files would seem changed; check out the branch of the sources "
                     "there, or give another one: --onto BRANCH"};
  }
  return Ok();
}

std::size_t Repository::CountUncommitted() {
  auto status = steps_->Run(
      Git({"--no-optional-locks", "status", "--porcelain", "--", prefix_.empty() ? "." : prefix_}));
  if (!status) return 0;
  return static_cast<std::size_t>(std::count(status->begin(), status->end(), '\n'));
}

bool Repository::HasSubmodules() {
  return steps_->Try(Git({"cat-file", "-e", "HEAD:.gitmodules"}));
}

Status Repository::CheckOut(const std::string& into) {
  // What others have made of git's hooks is no part of a checkout.
  Step step = Git(
      {"-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", into, "HEAD"});
  step.told = true;
  auto ran = steps_->Run(step);
  return ran ? Ok() : Status(ran.error());
}

void Repository::RemoveCheckout(const std::string& where) {
  // Also after a signal, when no step is begun any more.
  Interrupts interrupts;
  Steps last(interrupts, true);
  static_cast<void>(last.Try(Git({"worktree", "remove", "--force", "--force", where})));
}

std::string Repository::TipOf(const std::string& branch) {
  auto tip =
      steps_->Run(Git({"rev-parse", "--verify", "--quiet", "refs/heads/" + branch + "^{commit}"}));
  return tip ? FirstLine(*tip) : std::string();
}

Result<std::string> Repository::Import(const std::string& parent, const std::string& folder,
                                       const Tree& tree) {
  auto author = Ask({"var", "GIT_AUTHOR_IDENT"});
  if (!author) return author;
  auto committer = Ask({"var", "GIT_COMMITTER_IDENT"});
  if (!committer) return committer;
  const std::string ref = "refs/slc-build/" + std::to_string(::getpid());
  Step import = Git({"fast-import", "--quiet", "--force"});
  import.feed = [&](int fd)->Status {
    std::string waiting = ImportCommit(ref, *author, *committer, "Commit build products", parent);
  const auto put = [&](std::string_view bytes) -> Status {
    waiting += bytes;
    if (waiting.size() < kPiece) return Ok();
    Status written = WriteAll(fd, waiting);
    waiting.clear();
    return written;
  };
  for (const TreeEntry& entry : tree.entries) {
    if (steps_->interrupts().caught() != 0) return Error{ErrorCode::kCancelled, "interrupted"};
    if (entry.kind == TreeEntry::Kind::kFolder) continue;
    if (Status done = put(ImportFile(entry)); !done) return done;
    const bool link = entry.kind == TreeEntry::Kind::kLink;
    if (Status done = link ? put(entry.target) : ReadEntry(folder, entry, put); !done) return done;
    if (Status done = put("\n"); !done) return done;
  }
  return WriteAll(fd, waiting + "done\n");
};
// Without the last word of the stream nothing is committed.
import.command.emplace_back("--done");
if (auto ran = steps_->Run(import); !ran) return ran.error();
auto commit = Ask({"rev-parse", "--verify", ref});
static_cast<void>(steps_->Try(Git({"update-ref", "-d", ref})));
return commit;
}  // namespace slc::ctl

Result<Repository::Commit> Repository::CommitProducts(const std::string& branch,
                                                      const std::string& folder, const Tree& tree) {
  const std::string ref = "refs/heads/" + branch;
  auto head = Ask({"rev-parse", "--verify", "HEAD^{commit}"});
  if (!head) return head.error();
  const std::string before = TipOf(branch);
  std::string parent = before.empty() ? *head : before;
  const bool joined =
      before.empty() || steps_->Try(Git({"merge-base", "--is-ancestor", *head, before}));
  if (!joined) {
    const std::string source = "HEAD:" + prefix_;
    Step join = Git({"commit-tree", "-p", before, "-p", *head, "-m",
                     "Commit tree of HEAD onto '" + branch + "'",
                     prefix_.empty() ? "HEAD^{tree}" : source.substr(0, source.size() - 1)});
    join.told = true;
    auto ran = steps_->Run(join);
    if (!ran) return ran.error();
    parent = FirstLine(*ran);
    steps_->Say("  => " + parent);
  }
  steps_->Say("Running `git fast-import` (build products)");
  auto products = Import(parent, folder, tree);
  if (!products) return products.error();
  if (joined && !before.empty()) {
    auto old_tree = Ask({"rev-parse", before + "^{tree}"});
    auto new_tree = Ask({"rev-parse", *products + "^{tree}"});
    if (old_tree && new_tree && *old_tree == *new_tree) return Commit{before, true};
  }
  Step move = Git({"update-ref", "-m", "slc build", ref, *products,
                   before.empty() ? std::string(products->size(), '0') : before});
  move.told = true;
  move.advice = "has something else moved the branch meanwhile? build again";
  if (auto ran = steps_->Run(move); !ran) return ran.error();
  return Commit{*products, false};
}

}  // namespace slc::ctl
