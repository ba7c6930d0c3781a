#include "ctl/deploy/push.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "common/base/environment.h"
#include "common/base/files.h"
#include "common/base/process.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

Result<Spawned> StartGit(Words words, const std::string& folder, const Environment& environment,
                         int output, int errors) {
  const char* path = std::getenv("PATH");
  auto program = FindProgram("git", path != nullptr ? path : "/usr/bin:/bin");
  if (!program) return program.error().During("a branch is deployed by git");
  SpawnOptions options;
  options.program = *program;
  options.arguments = std::move(words);
  options.arguments.insert(options.arguments.begin(), "git");
  options.environment = ToBlock(environment);
  options.working_directory = folder;
  options.new_session = false;
  options.descriptors = {{output, STDOUT_FILENO}, {errors, STDERR_FILENO}};
  return Spawn(options);
}

Result<std::string> ReadBack(int fd) {
  return ReadFile("/proc/self/fd/" + std::to_string(fd), 16U << 20);
}

int EndOf(const Spawned& process) {
  HasEnded(process.pidfd, -1);
  return Reap(process.pidfd).value_or(0);
}

Environment PushEnvironment(const Remote& remote) {
  Environment environment = OwnEnvironment();
  if (const std::string proof = remote.authorization(); !proof.empty()) {
    environment["GIT_CONFIG_COUNT"] = "1";
    environment["GIT_CONFIG_KEY_0"] = "http.extraHeader";
    environment["GIT_CONFIG_VALUE_0"] = "Authorization: " + proof;
  }
  if (!remote.tls().ca.empty()) environment["GIT_SSL_CAINFO"] = remote.tls().ca;
  if (!remote.tls().certificate.empty()) environment["GIT_SSL_CERT"] = remote.tls().certificate;
  if (!remote.tls().key.empty()) environment["GIT_SSL_KEY"] = remote.tls().key;
  // In a script nobody could answer.
  if (::isatty(STDIN_FILENO) != 1) environment["GIT_TERMINAL_PROMPT"] = "0";
  return environment;
}

}  // namespace

bool CanPush(const http::Url& url) {
  return url.scheme == http::Url::Scheme::kHttp || url.scheme == http::Url::Scheme::kHttps;
}

Result<DeployOutcome> Push(const Remote& remote, const MeshService& service,
                           const DeploySource& source, std::vector<std::string>* said) {
  const std::string url =
      remote.url().shown() + "/api/services/" + std::to_string(service.id) + "/deploy/default";
  const std::string ref = "refs/heads/" + source.branch;
  const UniqueFd output(::memfd_create("slc-push", MFD_CLOEXEC));
  const UniqueFd errors(::memfd_create("slc-push-errors", MFD_CLOEXEC));
  if (!output || !errors) return SystemError("keep what git prints", errno);
  auto git = StartGit({"push", "--force", "--porcelain", url, ref + ":" + ref}, source.folder,
                      PushEnvironment(remote), output.get(),
                      said != nullptr ? errors.get() : STDERR_FILENO);
  if (!git) return git.error();
  const int status = EndOf(*git);
  auto text = ReadBack(output.get());
  if (!text) return text.error();
  if (said != nullptr) {
    auto errors_text = ReadBack(errors.get());
    if (!errors_text) return errors_text.error();
    for (const std::string& line : Split(*errors_text, '\n')) {
      if (!Trim(line).empty()) said->push_back(Printable(line));
    }
  }
  DeployOutcome outcome;
  std::string refused;
  // A line per branch: a sign, FROM:TO and a summary.
  for (const std::string& line : Split(*text, '\n')) {
    if (StartsWith(line, "=\t")) outcome.unchanged = true;
    if (StartsWith(line, "!\t")) refused = Printable(line.substr(line.rfind('\t') + 1));
  }
  if (status == 0) return outcome;
  return Error{ErrorCode::kSystem, "git push to " + url + ": " +
                                       (refused.empty() ? DescribeWaitStatus(status) : refused) +
                                       (said != nullptr ? "" : "; see above")};
}

Result<DeployOutcome> UploadBranch(Upload& upload, const MeshService& service,
                                   const DeploySource& source) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("make a pipe", errno);
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  auto git =
      StartGit({"archive", "--format=tar.gz", "--prefix=package/", "refs/heads/" + source.branch},
               source.folder, OwnEnvironment(), in.get(), STDERR_FILENO);
  if (!git) return git.error();
  in.reset();
  const auto whole = [&]() -> Status {
    const int status = EndOf(*git);
    if (status == 0) return Ok();
    return Error{ErrorCode::kSystem,
                 "git archive " + Printable(source.branch) + ": " + DescribeWaitStatus(status)};
  };
  return upload.Run(service, PiecesOf(out.get(), whole));
}

}  // namespace slc::ctl
