#include "ctl/build/build.h"

#include <algorithm>
#include <utility>

#include "common/base/text.h"
#include "common/model/app_folder.h"
#include "common/model/package_json.h"
#include "ctl/build/npm.h"
#include "ctl/build/repository.h"
#include "ctl/build/work_copy.h"

namespace slc::ctl {
namespace {

using Mode = BuildOptions::Mode;

std::string Folded(std::size_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

void NoteLeftOut(const Tree& tree, Steps& steps) {
  std::vector<std::string> names;
  for (const std::string& path : tree.left_out) {
    if (path != ".git") names.push_back(Printable(path));
  }
  if (names.empty()) return;
  const std::size_t count = names.size();
  names.resize(std::min<std::size_t>(count, 3));
  steps.Note("left out, as no plain file: " + Join(names, ", ") + (count > 3 ? ", ..." : ""));
}

// One build: what it is about, and how far it is.
struct Builder {
  const BuildOptions& options;
  std::string folder;
  PackageJson package;
  Steps& steps;
  Product product;

  Status WithNpm();
  Status WithGit(Repository& repository);
  Status InPlace(std::optional<Repository>& repository);
  Status PackInto(const std::string& from);
  Status CommitFrom(Repository& repository, const std::string& from);
};

Status Builder::PackInto(const std::string& from) {
  const std::string name = ArchiveName(product.name, product.version);
  product.archive = options.output.empty() ? "../" + name : options.output;
  const std::string output = AbsolutePath(product.archive, folder);
  auto tree = ListTree(from);
  if (!tree) return tree.error();
  // An archive in the folder itself is not to hold the one before.
  if (StartsWith(output, from + "/")) {
    std::erase_if(tree->entries, [&](const TreeEntry& entry) {
      return entry.path == std::string_view(output).substr(from.size() + 1);
    });
  }
  if (Status good = CheckLinks(*tree); !good) return good;
  NoteLeftOut(*tree, steps);
  steps.Say("Packing the app into " + Printable(product.archive));
  auto packed = Pack(from, *tree, output, steps);
  if (!packed) return packed.error();
  product.packed = *packed;
  return Ok();
}

Status Builder::CommitFrom(Repository& repository, const std::string& from) {
  TreeRules rules;
  rules.litter = true;  // what is committed was meant to be
  auto tree = ListTree(from, rules);
  if (!tree) return tree.error();
  if (Status good = CheckLinks(*tree); !good) return good;
  NoteLeftOut(*tree, steps);
  auto commit = repository.CommitProducts(options.onto, from, *tree);
  if (!commit) return commit.error();
  product.branch = options.onto;
  product.commit = commit->id;
  product.unchanged = commit->unchanged;
  return Ok();
}

Status Builder::WithNpm() {
  auto copy = WorkCopy::Make(folder);
  if (!copy) return copy.error();
  steps.Say("Copying the folder to " + Printable(copy->path()) +
            ", to build there and leave its node_modules as it is");
  if (Status filled = copy->Fill(folder); !filled) return filled;
  InstallRules rules;
  rules.scripts = options.scripts;
  if (Status done = InstallPackages(copy->path(), package, rules, steps); !done) return done;
  return PackInto(copy->path());
}

Status Builder::WithGit(Repository& repository) {
  if (const std::size_t count = repository.CountUncommitted(); count > 0) {
    steps.Note(Folded(count, "change is", "changes are") +
               " not committed, and so not in what was built");
  }
  if (repository.HasSubmodules()) {
    steps.Note("submodules are not part of what was built; --npm packs the folder as it is");
  }
  auto copy = WorkCopy::Make(repository.top());
  if (!copy) return copy.error();
  // In the checkout's place, whatever happens to the build.
  struct Checkout {
    Repository& repository;
    std::string path;
    ~Checkout() { repository.RemoveCheckout(path); }
  };
  const Checkout checkout{repository, copy->path()};
  if (Status out = repository.CheckOut(copy->path()); !out) return out;
  std::string place = copy->path() + "/" + repository.prefix();
  place.pop_back();
  auto committed = ReadPackageJson(place);
  if (!committed) return committed.error();
  package = *committed;
  InstallRules rules;
  rules.scripts = options.scripts;
  rules.alone = !repository.prefix().empty();
  if (Status done = InstallPackages(place, package, rules, steps); !done) return done;
  return CommitFrom(repository, place);
}

Status Builder::InPlace(std::optional<Repository>& repository) {
  if (options.install) {
    InstallRules rules;
    rules.scripts = options.scripts;
    rules.in_copy = false;
    if (Status done = InstallPackages(folder, package, rules, steps); !done) return done;
  }
  if (options.pack) {
    if (Status done = PackInto(folder); !done) return done;
  }
  return options.commit ? CommitFrom(*repository, folder) : Ok();
}

}  // namespace

std::string ArchiveName(const std::string& name, const std::string& version) {
  return name + "-" + version + ".tgz";
}

std::string ArchiveVersion(const std::string& version) {
  const bool good = !version.empty() && version.size() <= 64 && version[0] != '.' &&
                    std::all_of(version.begin(), version.end(), [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                             (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '+' || c == '_';
                    });
  return good ? version : "0.0.0";
}

Result<Product> Build(const BuildOptions& options, const std::string& folder, Steps& steps) {
  auto package = ReadPackageJson(folder);
  if (!package) return package.error();
  if (!package->present) {
    return Error{ErrorCode::kNotFound, "there is no package.json in " + folder +
                                           ": that is no folder of a Node app; `slc deploy URL "
                                           "FILE -s NAME` deploys any archive"};
  }
  Builder builder{options, folder, *package, steps, {}};
  builder.product.name = ServiceNameOf(*package, folder);
  builder.product.version = ArchiveVersion(package->version);
  if (builder.product.name.empty()) {
    return Error{ErrorCode::kInvalid, "package.json in " + folder + " has no usable \"name\""};
  }

  std::optional<Repository> repository;
  if (options.mode != Mode::kNpm && !(options.mode == Mode::kSteps && !options.commit)) {
    auto found = Repository::Find(folder, steps);
    if (!found) return found.error();
    repository = std::move(*found);
    const bool wanted = options.mode == Mode::kGit || options.commit || options.onto_given;
    if (!repository && wanted) {
      return Error{ErrorCode::kInvalid, folder + " is in no git repository; --npm builds without"};
    }
  }
  if (repository) {
    if (Status good = repository->CheckHead(); !good) return good.error();
    if (Status good = repository->CheckBranch(options.onto); !good) return good.error();
  }
  Status done = Ok();
  if (options.mode == Mode::kSteps) {
    done = builder.InPlace(repository);
  } else {
    done = repository ? builder.WithGit(*repository) : builder.WithNpm();
  }
  if (!done) return done.error();
  return std::move(builder.product);
}

}  // namespace slc::ctl
