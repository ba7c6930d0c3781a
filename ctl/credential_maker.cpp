#include "ctl/credential_maker.h"

#include <unistd.h>

#include <cerrno>

#include "common/base/environment.h"
#include "common/base/installation.h"
#include "common/base/process.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/wire/snapshot_format.h"

namespace slc::ctl {
namespace {

// What `slc-gateway OPTION` prints, with `input` to read.
Result<std::string> AskGateway(const std::string& option, const std::string& input) {
  const std::string program = Installation{OwnDirectory()}.gateway();
  auto given = MakeMemfd("slc-secret", input);
  if (!given) return given.error();
  const UniqueFd in(*given);
  auto made = MakeMemfd("slc-secret", "");
  if (!made) return made.error();
  const UniqueFd out(*made);
  if (::lseek(in.get(), 0, SEEK_SET) != 0) return SystemError("seek", errno);
  SpawnOptions options;
  options.program = program;
  options.arguments = {"slc-gateway", option};
  options.environment = SanitizerOptions();
  options.descriptors = {
      {in.get(), STDIN_FILENO}, {out.get(), STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}};
  auto process = Spawn(options);
  if (!process) return process.error();
  HasEnded(process->pidfd, -1);
  const int status = Reap(process->pidfd).value_or(0);
  if (status != 0) {
    return Error{ErrorCode::kSystem, program + " " + option + ": " + DescribeWaitStatus(status)};
  }
  return ReadMemfd(out.get());
}

}  // namespace

Result<NewToken> MakeToken() {
  auto text = AskGateway("--new-token", "");
  if (!text) return text.error();
  const std::vector<std::string> lines = Split(*text, '\n');
  if (lines.size() < 2) return Error{ErrorCode::kInternal, "slc-gateway made no token"};
  return NewToken{lines[0], lines[1]};
}

Result<std::string> HashPassword(const std::string& password) {
  auto text = AskGateway("--hash-password", password);
  if (!text) return text.error();
  return std::string(Trim(*text));
}

}  // namespace slc::ctl
