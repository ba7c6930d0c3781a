// The hook `pre-receive` of a service's repository: has what was pushed deployed before git takes
// the branch, and refuses it if that fails. Run by git receive-pack, which slcd has started; what
// is printed here is shown to who pushes.
//
// Descriptor 3 is a connection to slcd that is good for one thing, to deploy to this service. The
// archive is made by git archive, which like this hook sees objects that are not in the repository
// yet.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "common/base/environment.h"
#include "common/base/ids.h"
#include "common/base/process.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/wire/client.h"

namespace {

using slc::Error;
using slc::ErrorCode;
using slc::Result;
using slc::Status;

constexpr int kControl = 3;
constexpr const char* kBranches = "refs/heads/";

struct Push {
  std::string commit;
  std::string branch;
};

void Say(const std::string& text) { std::fprintf(stderr, "%s\n", slc::Printable(text).c_str()); }

// A line per reference: OLD NEW NAME.
Result<Push> ReadPush() {
  std::vector<Push> pushes;
  std::string line;
  while (std::getline(std::cin, line)) {
    const std::vector<std::string> words = slc::Split(line, ' ');
    if (words.size() != 3 || !slc::StartsWith(words[2], kBranches)) {
      return Error{ErrorCode::kInvalid, "a branch can be deployed, nothing else"};
    }
    pushes.push_back({words[1], words[2].substr(std::string(kBranches).size())});
  }
  if (pushes.size() != 1) {
    return Error{ErrorCode::kInvalid, "one branch can be deployed, not several at once"};
  }
  if (pushes[0].commit.find_first_not_of('0') == std::string::npos) {
    return Error{ErrorCode::kInvalid, "to remove a branch here deploys nothing"};
  }
  return pushes[0];
}

Result<slc::Spawned> StartArchive(const std::string& commit, int output) {
  auto git = slc::FindProgram("git", "/usr/local/bin:/usr/bin:/bin");
  if (!git) return git.error();
  slc::SpawnOptions options;
  options.program = *git;
  options.arguments = {"git", "archive", "--format=tar.gz", "--prefix=package/", commit};
  // Where the objects are, git has told us there.
  options.environment = slc::ToBlock(slc::OwnEnvironment());
  options.descriptors = {{output, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}};
  options.new_session = false;
  return slc::Spawn(options);
}

Status Run() {
  const auto push = ReadPush();
  if (!push) return push.error();
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return slc::SystemError("make a pipe", errno);
  slc::UniqueFd out(ends[0]);
  slc::UniqueFd in(ends[1]);
  const auto archive = StartArchive(push->commit, in.get());
  in.reset();
  if (!archive) return archive.error();
  slc::Request request;
  request.id = slc::NewRequestId();
  slc::Deploy deploy;
  deploy.origin = slc::ReleaseOrigin::kGit;
  deploy.commit = push->commit;
  deploy.branch = push->branch;
  request.body = std::move(deploy);
  auto slcd = slc::ControlClient::Over(slc::UniqueFd(kControl));
  std::vector<slc::UniqueFd> fds;
  fds.push_back(std::move(out));
  if (Status sent = slcd.Send(request, std::move(fds)); !sent) return sent;
  while (true) {
    const auto message = slcd.Receive(-1);
    if (!message) return message.error();
    if (!*message) continue;
    if (const auto* progress = std::get_if<slc::Progress>(&(*message)->body)) {
      const bool output = progress->kind == "output";
      if (output || progress->kind == "note" || progress->kind == "unpacked") {
        Say((output ? "  " : "") + progress->text);
      }
      continue;
    }
    const auto& reply = std::get<slc::Reply>((*message)->body);
    if (reply.error) {
      for (const std::string& line : reply.log_tail) Say("  " + line);
      return *reply.error;
    }
    if (const auto* done = std::get_if<slc::DeployReply>(&reply.data)) Say(done->text);
    return slc::Ok();
  }
}

}  // namespace

int main() {
  ::signal(SIGPIPE, SIG_IGN);
  const Status done = Run();
  if (done) return 0;
  Say("not deployed: " + done.error().message);
  return 1;
}
