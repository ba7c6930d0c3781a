// slc-gateway: slcd's HTTP side. Started by slcd, never by people:
//
//   slc-gateway --control FD     FD, inherited: a connection to slcd, which tells all the rest
//   slc-gateway --self-check
//   slc-gateway --new-token      by `slc token add`: prints a new token, and its hash
//   slc-gateway --hash-password  by `slc gateway start`: reads a password, prints its hash
//
// SIGHUP: asks slcd anew who may ask for what. SIGTERM: ends with 0. It ends with 1 when slcd has
// left.
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

#include "common/base/file_limit.h"
#include "common/base/log.h"
#include "common/base/sandbox.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/uv/loop.h"
#include "common/uv/signal.h"
#include "common/wire/control_server.h"
#include "common/wire/self_check.h"
#include "daemon/gateway/credentials.h"
#include "daemon/gateway/gateway.h"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

int CheckSelf() {
  const slc::uv::Loop loop;
  std::printf("%s\n", slc::EncodeSelfCheck(slc::DescribeSelf("slc-gateway")).c_str());
  return std::fflush(stdout) == 0 ? 0 : kFailed;
}

int Complain(const slc::Error& error) {
  std::fprintf(stderr, "slc-gateway: %s\n", error.message.c_str());
  return kFailed;
}

int MakeToken() {
  const auto token = slc::gateway::NewToken();
  if (!token) return Complain(token.error());
  std::printf("%s\n%s\n", token->c_str(), slc::gateway::HashToken(*token).c_str());
  return std::fflush(stdout) == 0 ? 0 : kFailed;
}

int HashPassword() {
  constexpr std::size_t kMostBytes = 1024;
  std::string password(kMostBytes + 1, '\0');
  password.resize(std::fread(password.data(), 1, password.size(), stdin));
  if (password.empty() || password.size() > kMostBytes) {
    return Complain(slc::Error{slc::ErrorCode::kUsage, "a password has 1 to 1024 bytes"});
  }
  const auto hash = slc::gateway::HashPassword(password);
  if (!hash) return Complain(hash.error());
  std::printf("%s\n", hash->c_str());
  return std::fflush(stdout) == 0 ? 0 : kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--self-check") == 0) return CheckSelf();
  if (argc == 2 && std::strcmp(argv[1], "--new-token") == 0) return MakeToken();
  if (argc == 2 && std::strcmp(argv[1], "--hash-password") == 0) return HashPassword();
  const bool serve = argc == 3 && std::strcmp(argv[1], "--control") == 0;
  const auto control = serve ? slc::ParseInteger(argv[2], 0, 1 << 20) : std::nullopt;
  if (!control) {
    std::fprintf(stderr, "slc-gateway is started by slcd: slc gateway start\n");
    return kWrongUse;
  }
  slc::RaiseFileLimit();
  slc::ForbidCoreDumps();
  ::mallopt(M_ARENA_MAX, 1);
  ::signal(SIGPIPE, SIG_IGN);
  // Other processes of this user, which may be nobody, cannot look into it.
  ::prctl(PR_SET_DUMPABLE, 0);
  ::umask(077);
  // Asked for before there are no files any more.
  const slc::UniqueFd connection(static_cast<int>(*control));
  const auto peer = slc::PeerOf(connection.get());
  if (!peer) return Complain(peer.error());
  const slc::gateway::Authenticator::Owner owner{peer->uid, slc::NameOfUser(peer->uid)};
  if (slc::Status done = slc::ForbidNewPrivileges(); !done) return Complain(done.error());
  const auto closed = slc::ForbidFiles();
  if (!closed) return Complain(closed.error());
  if (!*closed) slc::log::Warn("this kernel has no Landlock: the gateway could open files");
  slc::uv::Loop loop;
  std::string trouble;
  {
    slc::gateway::Gateway gateway(loop, connection.Duplicate(), owner);
    const slc::uv::Signal term(loop, SIGTERM, [&loop] { loop.Stop(); });
    const slc::uv::Signal again(loop, SIGHUP, [&gateway] { gateway.Reload(); });
    loop.Run();
    trouble = gateway.trouble();
  }
  if (trouble.empty()) return 0;
  slc::log::Warn(trouble);
  return kFailed;
}
