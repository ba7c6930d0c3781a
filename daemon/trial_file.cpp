#include "daemon/trial_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/model/json_fields.h"

namespace slc {
namespace {

using nlohmann::json;

constexpr const char* kName = "trial.json";
// What is overwritten in place must not need another block. Blanks behind JSON mean nothing.
constexpr std::size_t kBytes = 2048;

std::string Encode(const Trial& trial) {
  std::string text = DumpJson(json{{"binary", trial.binary},
                                   {"version", trial.version},
                                   {"previous", trial.previous},
                                   {"request", trial.request},
                                   {"boot_id", trial.boot_id},
                                   {"begun", trial.begun},
                                   {"deaths", trial.deaths},
                                   {"failed", trial.failed}});
  if (text.size() < kBytes) text.resize(kBytes, ' ');
  return text;
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
  fields.Read("begun", trial.begun);
  fields.Read("deaths", trial.deaths);
  fields.Read("failed", trial.failed);
  if (Status good = fields.status(); !good) return good.error();
  return trial;
}

Status Overwrite(int folder, const std::string& text) {
  const UniqueFd file(::openat(folder, kName, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return SystemError("open " + std::string(kName), errno);
  const ssize_t put = ::pwrite(file.get(), text.data(), text.size(), 0);
  if (put != static_cast<ssize_t>(text.size())) {
    return SystemError("write " + std::string(kName), put < 0 ? errno : ENOSPC);
  }
  return Ok();
}

}  // namespace

Result<Trial> TrialFile::Read() const {
  constexpr std::size_t kMostBytes = 64U << 10;
  const std::string path = folder_ + "/" + kName;
  auto text = ReadRegularFile(path, kMostBytes);
  if (!text) return text.error();
  auto trial = Decode(*text);
  if (!trial) return trial.error().During("read " + path);
  return trial;
}

Status TrialFile::Write(const Trial& trial) const {
  auto folder = OpenPrivateDirectory(folder_, false);
  if (!folder) return folder.error();
  const std::string text = Encode(trial);
  Status replaced = ReplaceFileAt(folder->get(), kName, text, false);
  if (replaced || Overwrite(folder->get(), text)) return Ok();
  return replaced;
}

Status TrialFile::Remove() const {
  const std::string path = folder_ + "/" + kName;
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return Ok();
  return SystemError("remove " + path, errno);
}

}  // namespace slc
