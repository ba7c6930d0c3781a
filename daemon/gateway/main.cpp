// slc-gateway: slcd's HTTP side. Started by slcd, never by people:
//
//   slc-gateway --control FD --listen FD [--listen FD ...] [--name NAME ...]
//   slc-gateway --self-check
//
// FD are descriptors it inherits: a connection to slcd, and sockets that listen. NAME are those of
// this machine that clients may call it by. Ends with 0 when it is told to, with 1 when slcd has
// left.
#include <malloc.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "common/base/file_limit.h"
#include "common/base/log.h"
#include "common/base/sandbox.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/uv/loop.h"
#include "common/uv/signal.h"
#include "common/wire/self_check.h"
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

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--self-check") == 0) return CheckSelf();
  int control = -1;
  std::vector<slc::gateway::GatewayListener> listeners;
  std::vector<std::string> names;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--name") == 0) names.emplace_back(argv[i + 1]);
    const auto number = slc::ParseInteger(argv[i + 1], 0, 1 << 20);
    if (!number) continue;
    if (std::strcmp(argv[i], "--control") == 0) control = static_cast<int>(*number);
    if (std::strcmp(argv[i], "--listen") == 0) {
      listeners.push_back({slc::UniqueFd(static_cast<int>(*number)), std::nullopt});
    }
  }
  if (control < 0 || listeners.empty()) {
    std::fprintf(stderr, "slc-gateway is started by slcd\n");
    return kWrongUse;
  }
  slc::RaiseFileLimit();
  slc::ForbidCoreDumps();
  ::mallopt(M_ARENA_MAX, 1);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  ::umask(077);
  if (slc::Status done = slc::ForbidNewPrivileges(); !done) return Complain(done.error());
  const auto closed = slc::ForbidFiles();
  if (!closed) return Complain(closed.error());
  if (!*closed) slc::log::Warn("this kernel has no Landlock: the gateway could open files");
  slc::uv::Loop loop;
  std::string trouble;
  {
    slc::gateway::Gateway gateway(loop, slc::UniqueFd(control), std::move(listeners),
                                  std::move(names));
    const slc::uv::Signal term(loop, SIGTERM, [&loop] { loop.Stop(); });
    loop.Run();
    trouble = gateway.trouble();
  }
  if (trouble.empty()) return 0;
  slc::log::Warn(trouble);
  return kFailed;
}
