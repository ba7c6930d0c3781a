#include "daemon/folder_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <set>
#include <utility>

#include "common/base/files.h"
#include "common/base/text.h"

namespace slc {
namespace {

// Not IN_MODIFY: a log that is written all day would wake us all day. IN_CREATE is for folders.
constexpr unsigned kEvents = IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_CREATE |
                             IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW |
                             IN_EXCL_UNLINK;
constexpr const char* kIgnoreFile = ".gitignore";

std::string Below(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

// Where it leads; empty: nowhere, and errno says why.
std::string Resolve(const std::string& path) {
  std::array<char, PATH_MAX> resolved{};
  return ::realpath(path.c_str(), resolved.data()) != nullptr ? resolved.data() : "";
}

IgnoreFile ReadIgnoreFile(const std::string& path) {
  constexpr std::size_t kLargest = std::size_t{1} << 20;
  const auto text = ReadRegularFile(path, kLargest);
  return text ? IgnoreFile::Parse(*text) : IgnoreFile();
}

// The limit of the system, for people.
std::string LimitOf(const char* name) {
  const auto text = ReadFile(std::string("/proc/sys/fs/inotify/") + name, 64);
  return std::string("fs.inotify.") + name +
         (text ? " = " + std::string(Trim(*text)) : std::string());
}

}  // namespace

// What the disk thread does and finds. It has it alone while a job is under way.
struct FolderWatch::Walk {
  std::string directory;
  std::string home;
  std::string root;
  int inotify = -1;
  bool whole = false;                 // from the top, and not of what has just come
  std::vector<std::string> to_visit;  // folders, relative to root
  std::atomic<bool> abandoned = false;

  WatchRules rules;
  std::vector<std::pair<int, std::string>> watches;
  std::string found;  // a file that counts, of what has just come
  std::string trouble;
  bool gone = false;  // the root

  void Start();
  void Slice();

 private:
  void Visit(const std::string& folder);
  void ReadRulesAbove();
};

void FolderWatch::Walk::Start() {
  root = Resolve(directory);
  if (root.empty()) {
    trouble = SystemError("watch " + directory, errno).message;
    gone = true;
    return;
  }
  const std::string own = Resolve(home);
  if (StartsWith(own, root + "/")) rules.SetForeign(own.substr(root.size() + 1));
  ReadRulesAbove();
  to_visit.emplace_back();
}

// Those of the folders above, up to the one that is a repository's.
void FolderWatch::Walk::ReadRulesAbove() {
  std::vector<std::string> above{root};
  struct stat info {};
  while (::lstat((above.back() + "/.git").c_str(), &info) != 0) {
    const std::size_t slash = above.back().rfind('/');
    // None at all: then only what lies in the app's folder counts.
    if (slash == std::string::npos || slash == 0) return;
    above.push_back(above.back().substr(0, slash));
  }
  const std::string top = above.back();
  const WatchRules without = rules;
  if (root != top) rules.SetPlace(root.substr(top.size() + 1));
  rules.SetLeastIgnored(ReadIgnoreFile(top + "/.git/info/exclude"));
  for (const std::string& folder : above) {
    if (folder == root) continue;
    rules.SetIgnored(folder == top ? "" : folder.substr(top.size() + 1),
                     ReadIgnoreFile(folder + "/" + kIgnoreFile));
  }
  // What is built there is run from there.
  if (rules.IgnoresAll()) rules = without;
}

void FolderWatch::Walk::Slice() {
  constexpr int kFolders = 64;
  for (int i = 0; i < kFolders && !to_visit.empty() && !abandoned; ++i) {
    const std::string folder = std::move(to_visit.back());
    to_visit.pop_back();
    Visit(folder);
  }
}

void FolderWatch::Walk::Visit(const std::string& folder) {
  const std::string path = folder.empty() ? root : root + "/" + folder;
  const int watch = ::inotify_add_watch(inotify, path.c_str(), kEvents);
  if (watch < 0) {
    const int reason = errno;
    if (reason == ENOSPC) {
      trouble = "the limit of watched folders is reached (" + LimitOf("max_user_watches") +
                "), changes in some go unnoticed; as root: sysctl "
                "fs.inotify.max_user_watches=524288";
    } else if (folder.empty()) {
      trouble = SystemError("watch " + path, reason).message;
      gone = true;
    } else if (reason != ENOENT && reason != ENOTDIR && reason != ELOOP) {
      trouble = SystemError("watch " + path, reason).message;
    }
    return;
  }
  watches.emplace_back(watch, folder);
  DIR* entries = ::opendir(path.c_str());
  if (entries == nullptr) return;
  // Before what is beside it is judged.
  rules.SetIgnored(rules.PlaceOf(folder), ReadIgnoreFile(path + "/" + kIgnoreFile));
  while (const dirent* entry = ::readdir(entries)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string below = Below(folder, name);
    bool is_folder = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN) {
      struct stat info {};
      is_folder = ::lstat((path + "/" + name).c_str(), &info) == 0 && S_ISDIR(info.st_mode);
    }
    if (is_folder) {
      if (rules.Watches(below)) to_visit.push_back(below);
    } else if (!whole && found.empty() && rules.Counts(below)) {
      found = below;
    }
  }
  ::closedir(entries);
}

FolderWatch::FolderWatch(uv::Loop& loop, uv::DiskThread& disk, std::string directory,
                         std::vector<std::string> only, std::string home, Hands hands)
    : loop_(loop),
      disk_(disk),
      directory_(std::move(directory)),
      only_(std::move(only)),
      home_(std::move(home)),
      hands_(std::move(hands)),
      timer_(loop, [this] { Judge(); }),
      again_(loop, [this] { Begin(); }) {
  Begin();
}

FolderWatch::~FolderWatch() {
  if (walk_) walk_->abandoned = true;
}

// ------------------------------------------------------------------------------------------------
// walking

void FolderWatch::Begin() {
  if (walk_) {
    anew_ = true;
    return;
  }
  anew_ = false;
  to_walk_.clear();
  if (!poll_) {
    if (Status open = Open(); !open) return SetTrouble(open.error().message);
  }
  walk_ = std::make_shared<Walk>();
  walk_->directory = directory_;
  walk_->home = home_;
  walk_->whole = true;
  walk_->rules = WatchRules(only_);
  Continue();
}

Status FolderWatch::Open() {
  UniqueFd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify) {
    const std::string limit = errno == EMFILE ? " (" + LimitOf("max_user_instances") + ")" : "";
    Error error = SystemError("watch " + directory_, errno);
    error.message += limit;
    return error;
  }
  auto poll =
      std::make_unique<uv::Poll>(loop_, inotify.get(), [this](uv::Poll::Ready) { OnEvents(); });
  if (!poll->ok()) return Error{ErrorCode::kInternal, "watch " + directory_ + ": poll refused"};
  inotify_ = std::move(inotify);
  poll_ = std::move(poll);
  return Ok();
}

void FolderWatch::WalkLater(std::string folder) {
  to_walk_.push_back(std::move(folder));
  if (walk_) return;
  walk_ = std::make_shared<Walk>();
  walk_->root = root_;
  walk_->rules = rules_;
  walk_->to_visit = std::exchange(to_walk_, {});
  Continue();
}

// One more slice of the walk.
void FolderWatch::Continue() {
  poll_->Watch(false, false);
  // One of its own: it may still be written to when this object is gone.
  auto inotify = std::make_shared<UniqueFd>(::fcntl(inotify_.get(), F_DUPFD_CLOEXEC, 0));
  if (!*inotify) {
    const Error error = SystemError("watch " + directory_, errno);
    walk_.reset();
    poll_->Watch(true, false);
    return SetTrouble(error.message);
  }
  walk_->inotify = inotify->get();
  disk_.Run(
      [walk = walk_, inotify] {
        if (walk->root.empty() && !walk->gone) walk->Start();
        walk->Slice();
      },
      [this, walk = walk_, inotify] {
        if (walk->abandoned) return;
        if (walk->to_visit.empty() || anew_) return OnWalked();
        Continue();
      });
}

void FolderWatch::OnWalked() {
  const std::shared_ptr<Walk> walk = std::exchange(walk_, nullptr);
  if (anew_) return Begin();
  if (walk->whole) {
    const bool came_back = std::exchange(gone_, walk->gone) && !walk->gone;
    if (came_back) Changed(directory_);
    root_ = walk->root;
    Forget(std::exchange(folders_, {}), walk->watches);
  }
  rules_ = std::move(walk->rules);
  for (auto& [watch, folder] : walk->watches) folders_[watch] = std::move(folder);
  if (walk->whole || !walk->trouble.empty()) SetTrouble(walk->trouble);
  if (!walk->found.empty()) Changed(walk->found);
  poll_->Watch(true, false);
  if (!to_walk_.empty()) {
    std::string last = std::move(to_walk_.back());
    to_walk_.pop_back();
    WalkLater(std::move(last));
  }
}

// Those of before that are not watched any more.
void FolderWatch::Forget(const Folders& before,
                         const std::vector<std::pair<int, std::string>>& now) {
  std::set<int> kept;
  for (const auto& [watch, folder] : now) kept.insert(watch);
  for (const auto& [watch, folder] : before) {
    if (kept.count(watch) == 0) ::inotify_rm_watch(inotify_.get(), watch);
  }
}

void FolderWatch::LookAgain() {
  auto root = std::make_shared<std::string>();
  disk_.Run([root, directory = directory_] { *root = Resolve(directory); },
            [this, root, alive = std::weak_ptr<Alive>(alive_)] {
              if (alive.expired() || root->empty() || root_.empty() || *root == root_) return;
              Begin();
            });
}

// -------------------------------------------------------------------------------------------------
// events

void FolderWatch::OnEvents() {
  // So many that others have their turn, too.
  constexpr int kReads = 64;
  alignas(inotify_event) std::array<char, 16384> events{};
  for (int i = 0; i < kReads && !walk_ && !anew_; ++i) {
    const ssize_t got = ::read(inotify_.get(), events.data(), events.size());
    if (got <= 0) break;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, &events[at], sizeof(event));
      const std::string name =
          event.len > 0 ? std::string(&events[at + sizeof(event)]) : std::string();
      at += sizeof(event) + event.len;
      OnEvent(event.wd, event.mask, name);
    }
  }
  if (anew_) Begin();
}

void FolderWatch::OnEvent(int watch, unsigned mask, const std::string& name) {
  if ((mask & IN_Q_OVERFLOW) != 0) {
    Changed("more files than could be told one by one");
    anew_ = true;
    return;
  }
  const auto found = folders_.find(watch);
  if (found == folders_.end()) return;
  const std::string folder = found->second;
  if ((mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0) {
    // Of any but the root its own folder tells.
    if (folder.empty()) anew_ = true;
    if ((mask & IN_IGNORED) != 0) folders_.erase(found);
    return;
  }
  if (name.empty()) return;
  const std::string path = Below(folder, name);
  if ((mask & IN_ISDIR) != 0) return OnFolder(mask, path);
  if (name == kIgnoreFile) anew_ = true;
  // A file that is only made has nothing in it yet.
  if ((mask & IN_CREATE) == 0 && rules_.Counts(path)) Changed(path);
}

void FolderWatch::OnFolder(unsigned mask, const std::string& path) {
  if (!rules_.Watches(path)) return;
  if ((mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
    WalkLater(path);
  } else if ((mask & (IN_MOVED_FROM | IN_DELETE)) != 0) {
    Leave(path);
    // What was in a folder that was removed has been told of file by file, of one that was moved
    // away it has not.
    if ((mask & IN_MOVED_FROM) != 0 && rules_.CountsWhole(path)) Changed(path);
  }
}

void FolderWatch::Leave(const std::string& folder) {
  for (auto each = folders_.begin(); each != folders_.end();) {
    const bool below = each->second == folder || StartsWith(each->second, folder + "/");
    if (below) ::inotify_rm_watch(inotify_.get(), each->first);
    each = below ? folders_.erase(each) : std::next(each);
  }
}

void FolderWatch::Changed(const std::string& path) {
  pace_.Changed(Printable(path), loop_.now());
  if (const auto at = pace_.deadline(loop_.now())) timer_.StartAt(*at);
}

void FolderWatch::Judge() {
  const WatchPace::Deed deed = pace_.Pass(hands_.is_busy(), loop_.now());
  if (const auto at = pace_.deadline(loop_.now())) timer_.StartAt(*at);
  if (deed.paused) {
    hands_.tell("watch_paused", "restarted " + std::to_string(WatchPace::kMost) +
                                    " times within a minute, and changed again: " + deed.occasion +
                                    "; it pauses until nothing has changed for " +
                                    FormatSpan(pace_.pause()) +
                                    ". If the app writes that itself: .gitignore, or --watch-only");
  }
  // Last: the service may be told to watch otherwise, or not at all.
  if (deed.restart) hands_.restart(deed.occasion);
}

// --------------------------------------------------------------------------------------------------
// telling

void FolderWatch::SetTrouble(const std::string& trouble) {
  constexpr Millis kTryAgain = 60'000;
  constexpr Millis kLookForFolder = 2'000;
  if (!trouble.empty()) again_.StartIn(gone_ ? kLookForFolder : kTryAgain);
  if (trouble_ == trouble) return;
  trouble_ = trouble;
  if (!trouble.empty()) hands_.tell("watch_trouble", trouble);
}

std::string FolderWatch::Describe() const {
  if (folders_.empty()) return "the folders of " + directory_ + " are being looked through";
  return std::to_string(folders_.size()) + (folders_.size() == 1 ? " folder of " : " folders of ") +
         root_;
}

std::string FolderWatch::Trouble() const {
  std::string text = trouble_;
  if (pace_.pausing()) {
    if (!text.empty()) text += "; ";
    text += "paused until nothing has changed for " + FormatSpan(pace_.pause()) +
            ", as restarts followed each other without end";
  }
  return text;
}

}  // namespace slc
