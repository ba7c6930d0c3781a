#include "daemon/previous_version.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <vector>

#include "common/base/files.h"
#include "common/base/process.h"
#include "common/base/safe_place.h"
#include "common/base/time.h"

namespace slc {
namespace {

constexpr const char* kSelfCheck = "self-check.json";
constexpr const char* kOwnProgram = "/proc/self/exe";

std::string FolderOf(const std::string& home) { return home + "/previous"; }

std::string IdOf(const struct stat& info) {
  return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) + ":" +
         std::to_string(info.st_size) + ":" + std::to_string(info.st_mtim.tv_sec) + "." +
         std::to_string(info.st_mtim.tv_nsec);
}

std::string IdOf(int file) {
  struct stat info {};
  return ::fstat(file, &info) == 0 ? IdOf(info) : std::string();
}

// On the wall clock; 0 if there is no such file.
Millis ChangedAt(int folder, const char* name) {
  constexpr Millis kPerSecond = 1000;
  struct stat info {};
  return ::fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0
             ? static_cast<Millis>(info.st_mtim.tv_sec) * kPerSecond
             : 0;
}

// Whole or not at all, as ReplaceFileAt; the file may be executed.
Status CopyTo(int folder, const std::string& name, int source) {
  const std::string temporary = name + ".tmp";
  ::unlinkat(folder, temporary.c_str(), 0);
  const UniqueFd target(::openat(folder, temporary.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0700));
  if (!target) return SystemError("create " + temporary, errno);
  std::vector<char> buffer(256U << 10);
  off_t at = 0;
  Status written = Ok();
  while (written) {
    const ssize_t got = ::pread(source, buffer.data(), buffer.size(), at);
    if (got < 0) written = SystemError("read the running " + name, errno);
    if (got <= 0) break;
    at += got;
    written = WriteAll(target.get(), {buffer.data(), static_cast<std::size_t>(got)});
  }
  if (written && ::fsync(target.get()) != 0) written = SystemError("fsync", errno);
  if (written && ::renameat(folder, temporary.c_str(), folder, name.c_str()) != 0) {
    written = SystemError("rename to " + name, errno);
  }
  if (!written) ::unlinkat(folder, temporary.c_str(), 0);
  return written;
}

}  // namespace

std::string BinaryId(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? IdOf(info) : std::string();
}

namespace {

// No trial is no trouble.
Status UnlessNone(const Error& error) {
  return error.code == ErrorCode::kNotFound ? Ok() : Status(error);
}

// What is executed is what was looked at: its path is not gone through again.
Status GiveWay(const std::string& home, bool replace) {
  auto folder = OpenPrivateDirectory(FolderOf(home), false);
  if (!folder) return folder.error();
  const std::string what = "give way to " + FolderOf(home) + "/slcd";
  const UniqueFd program(
      ::openat(folder->get(), "slcd", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!program || ::fstat(program.get(), &info) != 0) return SystemError(what, errno);
  const bool ours = info.st_uid == ::geteuid() || info.st_uid == 0;
  if (!S_ISREG(info.st_mode) || !ours || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error{ErrorCode::kPermission, what + ": it is not a file that only we can write"};
  }
  std::string directory = OwnDirectory();
  std::string name = "slcd";
  std::string option = "--gave-way";
  std::string other_option = "--replace";
  std::vector<char*> arguments{name.data(), option.data(), directory.data()};
  if (replace) arguments.push_back(other_option.data());
  arguments.push_back(nullptr);
  ::fexecve(program.get(), arguments.data(), environ);
  return SystemError(what, errno);
}

}  // namespace

Status GiveWayIfFailed(const std::string& home, bool replace) {
  // Of a home where others could put a program nothing is believed; that it is refused is said when
  // it is opened.
  if (!CheckSafePlace(home) || !OpenPrivateDirectory(home, false)) return Ok();
  const auto trial = TrialFile(FolderOf(home)).Read();
  if (!trial) return UnlessNone(trial.error());
  if (JudgeStart(*trial, BinaryId(kOwnProgram)) != Verdict::kGiveWay) return Ok();
  return GiveWay(home, replace);
}

Status BeginTrial(const std::string& home, bool goes_on) {
  const TrialFile file(FolderOf(home));
  auto trial = file.Read();
  if (!trial) return UnlessNone(trial.error());
  switch (JudgeBegin(*trial, BinaryId(kOwnProgram), BootId(), goes_on)) {
    case Verdict::kVoid:
      return file.Remove();
    case Verdict::kGoOn:
      return file.Write(*trial);
    case Verdict::kGiveWay:
      break;
  }
  // Should this start be forgotten, the next one counts as many deaths.
  const Status counted = file.Write(*trial);
  Status stayed = GiveWay(home, false);
  return counted ? stayed : counted;
}

Status LeaveTrial(const std::string& home) {
  const TrialFile file(FolderOf(home));
  auto trial = file.Read();
  if (!trial) return UnlessNone(trial.error());
  if (!trial->begun || trial->binary != BinaryId(kOwnProgram)) return Ok();
  trial->begun = false;
  return file.Write(*trial);
}

PreviousVersion::PreviousVersion(const std::string& home, const Installation& own)
    : directory_(FolderOf(home)),
      own_daemon_(::open(kOwnProgram, O_RDONLY | O_CLOEXEC)),
      own_master_(::open(own.master().c_str(), O_RDONLY | O_CLOEXEC)),
      trial_file_(directory_) {
  if (auto trial = trial_file_.Read()) trial_ = std::move(*trial);
  const UniqueFd folder(
      ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder) return;
  auto text = ReadFileAt(folder.get(), kSelfCheck);
  auto kept = text ? DecodeSelfCheck("slc-master", *text) : Result<SelfCheck>(text.error());
  if (!kept || !CanFollow(DescribeSelf("slcd"), *kept)) return;
  master_ = directory_ + "/slc-master";
  kept_ = ChangedAt(folder.get(), kSelfCheck);
}

Result<KeptVersion> PreviousVersion::Keep(const Installation& installed, const SelfCheck& next,
                                          const std::string& request) {
  const std::string binary = BinaryId(installed.daemon());
  if (trial_ && JudgeStart(*trial_, binary) == Verdict::kGiveWay) {
    return Error{ErrorCode::kConflict,
                 "slcd " + trial_->version + " in " + installed.directory +
                     " died three times within 10 s of its start; install a version that holds"};
  }
  KeptVersion result;
  result.new_daemon = binary != IdOf(own_daemon_.get());
  result.master.reset(::open(installed.master().c_str(), O_RDONLY | O_CLOEXEC));
  if (!result.master) return SystemError("open " + installed.master(), errno);
  result.master_binary = IdOf(result.master.get());
  result.has_master = own_master_ && own_master() != result.master_binary;
  if (!result.new_daemon && !result.has_master) return result;
  auto folder = OpenPrivateDirectory(directory_, true);
  if (!folder) return folder.error();
  const int at = folder->get();
  if (result.has_master) {
    if (Status kept = CopyTo(at, "slc-master", own_master_.get()); !kept) return kept.error();
    const std::string self = EncodeSelfCheck(DescribeSelf("slc-master"));
    if (Status kept = ReplaceFileAt(at, kSelfCheck, self, false); !kept) return kept.error();
  }
  if (!result.new_daemon) return result;
  if (!result.has_master) {
    // One from an earlier upgrade is not what this slcd has worked with; that is installed still.
    ::unlinkat(at, kSelfCheck, 0);
    ::unlinkat(at, "slc-master", 0);
  }
  if (Status kept = CopyTo(at, "slcd", own_daemon_.get()); !kept) return kept.error();
  Trial trial;
  trial.binary = binary;
  trial.version = next.version;
  trial.previous = DescribeSelf("slcd").version;
  trial.request = request;
  if (Status begun = trial_file_.Write(trial); !begun) return begun.error();
  return result;
}

void PreviousVersion::GoOnAfter(KeptVersion kept) {
  own_master_ = std::move(kept.master);
  if (!kept.has_master) return;
  master_ = directory_ + "/slc-master";
  kept_ = WallNow();
}

std::string PreviousVersion::own_master() const { return IdOf(own_master_.get()); }

}  // namespace slc
