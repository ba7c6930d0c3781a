// Repository: what a build asks of git. The index and the work tree of the user are never touched:
// sources come from HEAD, by a checkout of its own, and products go straight into the object store.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "ctl/build/steps.h"
#include "ctl/build/tree.h"

namespace slc::ctl {

class Repository {
 public:
  // That which `folder` lies in; nothing if there is none, or if it ignores the folder. An error:
  // there is one, but git cannot be had or does not want to look at it.
  static Result<std::optional<Repository>> Find(const std::string& folder, Steps& steps);

  const std::string& top() const { return top_; }  // absolute
  const std::string& prefix() const {
    return prefix_;
  }  // of the folder below it: "" or "apps/api/"

  // kInvalid if there is no commit, or it does not hold the folder's package.json.
  Status CheckHead();
  // kConflict if somebody has that branch checked out: its files would seem changed. kUsage if it
  // is no name for a branch.
  Status CheckBranch(const std::string& branch);
  // How many files differ from HEAD, or are in no commit and not ignored.
  std::size_t CountUncommitted();
  // HEAD names repositories of others (submodules), which a release of it does not hold.
  bool HasSubmodules();

  // Checks HEAD out into an empty folder. RemoveCheckout() takes it away again.
  Status CheckOut(const std::string& into);
  void RemoveCheckout(const std::string& where);

  struct Commit {
    std::string id;
    bool unchanged = false;  // the branch was so already
  };
  // Puts `tree` of `folder` onto the branch as it stands on disk, whatever is ignored: a commit
  // that joins HEAD to the branch, unless that has it already, and one with the products. The
  // branch moves once, at the end.
  Result<Commit> CommitProducts(const std::string& branch, const std::string& folder,
                                const Tree& tree);

 private:
  Repository(Steps& steps, std::string top, std::string prefix)
      : steps_(&steps), top_(std::move(top)), prefix_(std::move(prefix)) {}

  Step Git(Words words) const;
  // One line, without its end.
  Result<std::string> Ask(Words words);
  // The commit of a branch; empty if there is none.
  std::string TipOf(const std::string& branch);
  Result<std::string> Import(const std::string& parent, const std::string& folder,
                             const Tree& tree);

  Steps* steps_;
  std::string top_;
  std::string prefix_;
};

}  // namespace slc::ctl
