#include "ctl/remote/carrier.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "common/base/environment.h"
#include "common/base/files.h"
#include "common/base/installation.h"
#include "common/base/process.h"
#include "common/base/text.h"

namespace slc::ctl {
namespace {

// For a program whose end is under way.
constexpr int kPatienceMs = 1'000;

std::string Own(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

TlsFiles TlsFilesOf(TlsFiles given) {
  if (given.ca.empty()) given.ca = Own("SLC_CACERT");
  if (given.certificate.empty() && given.key.empty()) {
    given.certificate = Own("SLC_CERT");
    given.key = Own("SLC_KEY");
  }
  return given;
}

Result<Carrier> Carrier::Start(SpawnOptions options, std::string name, bool keep_words) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return SystemError("make a pair of sockets", errno);
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  UniqueFd said;
  if (keep_words) {
    said.reset(::memfd_create("slc-carrier", MFD_CLOEXEC));
    if (!said) return SystemError("keep what a program prints", errno);
  }
  options.environment = ToBlock(OwnEnvironment());
  options.new_session = false;
  options.descriptors.emplace_back(theirs.get(), STDIN_FILENO);
  options.descriptors.emplace_back(theirs.get(), STDOUT_FILENO);
  options.descriptors.emplace_back(said ? said.get() : STDERR_FILENO, STDERR_FILENO);
  auto process = Spawn(options);
  if (!process) return process.error();
  return Carrier(std::move(name), std::move(*process), std::move(ours), std::move(said));
}

Result<Carrier> Carrier::Ssh(const http::Url& url) {
  const std::string path = Own("PATH");
  auto program = FindProgram("ssh", path.empty() ? "/usr/bin:/bin" : path);
  if (!program) return program.error().During("http+ssh:// needs ssh");
  SpawnOptions options;
  options.program = *program;
  // To that port as the machine itself sees it: a server that only listens on loopback is enough.
  options.arguments = {"ssh", "-W", "127.0.0.1:" + std::to_string(url.port)};
  const std::string login = url.login.empty() ? Own("SSH_USER") : url.login;
  if (!login.empty()) options.arguments.insert(options.arguments.end(), {"-l", login});
  if (const std::string port = Own("SSH_PORT"); !port.empty()) {
    options.arguments.insert(options.arguments.end(), {"-p", port});
  }
  if (const std::string key = Own("SSH_KEY"); !key.empty()) {
    options.arguments.insert(options.arguments.end(), {"-i", key});
  }
  options.arguments.insert(options.arguments.end(), {"--", url.host});
  // It may have to ask the user something.
  return Start(std::move(options), "ssh", false);
}

Result<Carrier> Carrier::Https(const http::Url& url, UniqueFd socket, const TlsFiles& files) {
  const std::string program = Installation{OwnDirectory()}.https();
  if (program.empty()) {
    return Error{ErrorCode::kNotFound,
                 "https:// needs slc-https, which is neither beside slc nor in ../lib/slc; install "
                 "slc anew"};
  }
  SpawnOptions options;
  options.program = program;
  options.arguments = {"slc-https", url.host, files.ca, files.certificate, files.key};
  options.descriptors = {{socket.get(), 3}};
  return Start(std::move(options), "slc-https", true);
}

std::string Carrier::LastWords() {
  if (!HasEnded(process_.pidfd, kPatienceMs)) return {};
  const auto status = Reap(process_.pidfd);
  std::string words;
  if (said_) {
    auto text = ReadFile("/proc/self/fd/" + std::to_string(said_.get()), 64U << 10);
    if (text) words = Printable(Trim(*text));
  }
  if (words.empty() && status && *status != 0) words = name_ + ": " + DescribeWaitStatus(*status);
  return words;
}

}  // namespace slc::ctl
