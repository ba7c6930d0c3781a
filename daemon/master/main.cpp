// slc-master: keeps one instance of a service running. Started by slcd, never by people:
//
//   slc-master NAME --link FD --directory FD [--installed DIRECTORY]
//
//   slc-master NAME --inherit FD      goes on as the next image of a master, see in_place.h
//   slc-master --self-check
//
// FD are descriptors it inherits: one end of a SOCK_SEQPACKET pair and the instance's run
// directory. --self-check tells in JSON which version it is, if it could run.
#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

#include "common/base/file_limit.h"
#include "common/base/files.h"
#include "common/base/installation.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/wire/inheritance.h"
#include "common/wire/self_check.h"
#include "daemon/master/master.h"
#include "daemon/master/standing.h"

namespace {

constexpr int kWrongUse = 2;
constexpr int kFailed = 1;

// `installed`: where the package lies, if this is a copy of it elsewhere. Empty if it is not there:
// then no Node worker can be started, see WorkerProcess.
std::string FindAgent(const std::string& installed = {}) {
  return slc::Installation{installed.empty() ? slc::OwnDirectory() : installed}.agent();
}

int CheckSelf() {
  const slc::uv::Loop loop;
  if (FindAgent().empty()) {
    std::fprintf(stderr, "slc-master: agent.cjs is neither beside it nor in ../lib/slc\n");
    return 1;
  }
  std::printf("%s\n", slc::EncodeSelfCheck(slc::DescribeSelf("slc-master")).c_str());
  return std::fflush(stdout) == 0 ? 0 : 1;
}

// Where the system's memory is short, slcd is spared by its unit's OOMScoreAdjust. Apps are not to
// be: what leaks is to die. Raising one's own score needs no privilege.
void GiveUpMemoryPrivilege() {
  constexpr const char* kScore = "/proc/self/oom_score_adj";
  const auto score = slc::ReadFile(kScore, 64);
  if (!score || !slc::StartsWith(*score, "-")) return;
  const slc::UniqueFd file(::open(kScore, O_WRONLY | O_CLOEXEC));
  const slc::Status given = slc::WriteAll(file.get(), "0");
  if (!given) slc::log::Warn(std::string(kScore) + ": " + given.error().message);
}

// What the image before this one has left, if there was one.
struct Heritage {
  slc::Inheritance inheritance;
  std::optional<slc::MasterStanding> standing;
};

slc::Result<Heritage> ReadHeritage(int manifest) {
  Heritage heritage;
  if (manifest < 0) return heritage;
  auto inheritance = slc::Inheritance::Receive(manifest);
  if (!inheritance) return inheritance.error();
  auto standing = slc::DecodeStanding(inheritance->facts());
  if (!standing) return standing.error();
  heritage.inheritance = std::move(*inheritance);
  heritage.standing = std::move(*standing);
  return heritage;
}

}  // namespace

int main(int argc, char** argv) {
  const rlimit worker_limit = slc::RaiseFileLimit();
  if (argc == 2 && std::strcmp(argv[1], "--self-check") == 0) return CheckSelf();
  int link = -1;
  int directory = -1;
  int inherit = -1;
  std::string installed;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--installed") == 0) installed = argv[i + 1];
    const auto number = slc::ParseInteger(argv[i + 1], 0, 1 << 20);
    if (!number) continue;
    if (std::strcmp(argv[i], "--link") == 0) link = static_cast<int>(*number);
    if (std::strcmp(argv[i], "--directory") == 0) directory = static_cast<int>(*number);
    if (std::strcmp(argv[i], "--inherit") == 0) inherit = static_cast<int>(*number);
  }
  if (inherit < 0 && (link < 0 || directory < 0)) {
    std::fprintf(stderr, "slc-master is started by slcd; to run an app use: slc start\n");
    return kWrongUse;
  }
  // There may be hundreds of masters: one arena, and freed memory goes back early.
  constexpr int kSmall = 16 * 1024;
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, kSmall);
  ::mallopt(M_TRIM_THRESHOLD, kSmall);
  ::mallopt(M_TOP_PAD, 0);
  ::mallopt(M_MXFAST, 0);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  ::umask(077);
  // Where Yama restricts ptrace, a slcd that is started while we hang may still fetch our
  // descriptors. Its pid is not known before, and a process of our uid could do worse.
  ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  GiveUpMemoryPrivilege();
  auto heritage = ReadHeritage(inherit);
  if (!heritage) {
    std::fprintf(stderr, "slc-master: %s\n", heritage.error().message.c_str());
    return kFailed;
  }
  slc::Inheritance& inheritance = heritage->inheritance;
  if (heritage->standing) {
    link = inheritance.Take("link").release();
    directory = inheritance.Take("directory").release();
  }
  slc::uv::Loop loop;
  {
    slc::Master master(loop, slc::UniqueFd(directory), slc::UniqueFd(link), FindAgent(installed),
                       worker_limit);
    slc::AcceptSignals();
    if (heritage->standing) master.GoOn(std::move(inheritance), *heritage->standing);
    loop.Run();
  }
  return 0;
}
