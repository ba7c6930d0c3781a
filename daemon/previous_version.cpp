#include "daemon/previous_version.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/process.h"
#include "common/base/time.h"
#include "common/model/json_fields.h"

namespace slc {
namespace {

using nlohmann::json;

constexpr const char* kTrial = "trial.json";
constexpr const char* kSelfCheck = "self-check.json";
constexpr const char* kOwnProgram = "/proc/self/exe";

std::string FolderOf(const std::string& home) { return home + "/previous"; }

std::string Encode(const Trial& trial) {
  return DumpJson(json{{"binary", trial.binary},
                       {"version", trial.version},
                       {"previous", trial.previous},
                       {"request", trial.request},
                       {"boot_id", trial.boot_id},
                       {"starts", trial.starts},
                       {"failed", trial.failed}});
}

Result<Trial> Decode(const std::string& text) {
  auto parsed = ParseJson(text);
  if (!parsed) return parsed.error();
  Trial trial;
  JsonFields fields(*parsed, "trial");
  fields.Require("binary");
  fields.Read("binary", trial.binary);
  fields.Read("version", trial.version);
  fields.Read("previous", trial.previous);
  fields.Read("request", trial.request);
  fields.Read("boot_id", trial.boot_id);
  fields.Read("failed", trial.failed);
  if (Status good = fields.status(); !good) return good.error();
  const auto starts = parsed->find("starts");
  if (starts != parsed->end() && starts->is_array()) {
    for (const json& start : *starts) {
      if (start.is_number_integer()) trial.starts.push_back(start.get<Millis>());
    }
  }
  return trial;
}

std::optional<Trial> ReadTrial(int folder) {
  constexpr std::size_t kMostBytes = 64U << 10;
  auto text = ReadFileAt(folder, kTrial, kMostBytes);
  auto trial = text ? Decode(*text) : Result<Trial>(text.error());
  return trial ? std::optional<Trial>(std::move(*trial)) : std::nullopt;
}

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

Status GiveWayIfFailed(const std::string& home, int argc, char** argv) {
  const std::string path = FolderOf(home);
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder) return Ok();
  auto trial = ReadTrial(folder.get());
  if (!trial) return Ok();
  const Verdict verdict = JudgeStart(*trial, BinaryId(kOwnProgram), BootId(), BootNow());
  if (verdict == Verdict::kVoid) {
    ::unlinkat(folder.get(), kTrial, 0);
    return Ok();
  }
  Status counted = ReplaceFileAt(folder.get(), kTrial, Encode(*trial), false);
  if (verdict == Verdict::kGoOn) return counted;
  const std::string program = path + "/slcd";
  std::string directory = OwnDirectory();
  std::string option = "--gave-way";
  std::vector<char*> arguments(argv, argv + argc);
  arguments.insert(arguments.end(), {option.data(), directory.data(), nullptr});
  ::execv(program.c_str(), arguments.data());
  return SystemError("give way to " + program, errno);
}

PreviousVersion::PreviousVersion(const std::string& home, const Installation& own)
    : directory_(FolderOf(home)),
      own_daemon_(::open(kOwnProgram, O_RDONLY | O_CLOEXEC)),
      own_master_(::open(own.master().c_str(), O_RDONLY | O_CLOEXEC)) {
  const UniqueFd folder(
      ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder) return;
  trial_ = ReadTrial(folder.get());
  auto text = ReadFileAt(folder.get(), kSelfCheck);
  auto kept = text ? DecodeSelfCheck("slc-master", *text) : Result<SelfCheck>(text.error());
  if (!kept || !CanFollow(DescribeSelf("slcd"), *kept)) return;
  master_ = directory_ + "/slc-master";
  kept_ = ChangedAt(folder.get(), kSelfCheck);
}

Status PreviousVersion::Keep(const Installation& installed, const SelfCheck& next,
                             const std::string& request) {
  const std::string binary = BinaryId(installed.daemon());
  const bool new_daemon = binary != IdOf(own_daemon_.get());
  const bool new_master = own_master_ && IdOf(own_master_.get()) != BinaryId(installed.master());
  if (!new_daemon && !new_master) return Ok();
  auto folder = OpenPrivateDirectory(directory_, true);
  if (!folder) return folder.error();
  const int at = folder->get();
  if (new_master) {
    if (Status kept = CopyTo(at, "slc-master", own_master_.get()); !kept) return kept;
    const std::string self = EncodeSelfCheck(DescribeSelf("slc-master"));
    if (Status kept = ReplaceFileAt(at, kSelfCheck, self, false); !kept) return kept;
  }
  if (!new_daemon) return Ok();
  if (!new_master) {
    // One from an earlier upgrade is not what this slcd has worked with; that is installed still.
    ::unlinkat(at, kSelfCheck, 0);
    ::unlinkat(at, "slc-master", 0);
  }
  if (Status kept = CopyTo(at, "slcd", own_daemon_.get()); !kept) return kept;
  Trial trial;
  trial.binary = binary;
  trial.version = next.version;
  trial.previous = DescribeSelf("slcd").version;
  trial.request = request;
  return ReplaceFileAt(at, kTrial, Encode(trial), false);
}

void PreviousVersion::Confirm() const { ::unlink((directory_ + "/" + kTrial).c_str()); }

}  // namespace slc
