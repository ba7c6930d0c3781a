// slc-unpack: unpacks what strangers have uploaded. Started by slcd, never by people:
//
//   slc-unpack --into FD [--report FD] [--uid N --gid N [--group N]...]
//              [--entries N] [--bytes N] [--ratio N] [--seconds N]
//
// Reads a tar archive, plain or compressed by gzip, from descriptor 0 to its end, and makes what is
// in it below the empty folder that is open as --into, without the archive's one top folder. Tells
// what came of it in one line on --report (default: 1), see common/model/unpacked.h, and ends with
// 0 or 1; one that was killed tells nothing. The folder is its caller's: to be made for --uid, to
// be renamed when all is well, to be removed when it is not. So are the time a sender may take and
// how much it may send. When the archive is refused early, the sender meets a closed pipe; the
// reason stands in the report.
//
// Before the first byte is read it has given up all rights but to make and read what is below that
// folder. --uid, --gid and --group (further groups; without one none is left) need root.
#include <malloc.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/base/files.h"
#include "common/base/sandbox.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "common/model/unpacked.h"
#include "daemon/deploy/unpack/unpacker.h"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

struct Options {
  int into = -1;
  int report = STDOUT_FILENO;
  std::optional<slc::RunAs> user;
  slc::unpack::Limits limits;
};

// Nothing if they are not what slcd gives.
std::optional<Options> ReadOptions(int argc, char** argv) {
  Options options;
  std::map<std::string, std::int64_t> numbers;
  slc::RunAs user;
  for (int i = 1; i < argc; i += 2) {
    // What is cut to 32 bits below must not become another number: another uid, for one.
    constexpr std::int64_t kMost = 0xfffffffe;
    const bool large = std::strcmp(argv[i], "--bytes") == 0;
    const auto number = i + 1 < argc
                            ? slc::ParseInteger(argv[i + 1], 0, large ? kMost << 20 : kMost)
                            : std::nullopt;
    if (!number) return std::nullopt;
    if (std::strcmp(argv[i], "--group") == 0) {
      user.groups.push_back(static_cast<gid_t>(*number));
    } else {
      numbers[argv[i]] = *number;
    }
  }
  if (numbers.count("--uid") != numbers.count("--gid")) return std::nullopt;
  for (const auto& [name, number] : numbers) {
    const auto positive = static_cast<std::uint64_t>(number);
    if (name == "--into") {
      options.into = static_cast<int>(number);
    } else if (name == "--report") {
      options.report = static_cast<int>(number);
    } else if (name == "--uid") {
      user.uid = static_cast<uid_t>(number);
    } else if (name == "--gid") {
      user.gid = static_cast<gid_t>(number);
    } else if (name == "--entries") {
      options.limits.entries = positive;
    } else if (name == "--bytes") {
      options.limits.bytes = positive;
    } else if (name == "--ratio") {
      options.limits.ratio = std::max<std::uint64_t>(positive, 1);
    } else if (name == "--seconds") {
      options.limits.seconds = static_cast<unsigned>(positive);
    } else {
      return std::nullopt;
    }
  }
  if (numbers.count("--uid") > 0) options.user = user;
  return options.into < 0 ? std::nullopt : std::make_optional(options);
}

slc::Status Lower(decltype(RLIMIT_CPU) what, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(what, &limit) != 0) return slc::SystemError("read a limit", errno);
  const rlim_t lower = std::min(value, limit.rlim_max);
  limit = {lower, lower};
  if (::setrlimit(what, &limit) != 0) return slc::SystemError("set a limit", errno);
  return slc::Ok();
}

// Behind what Limits says: against what is wrong with us, not with the archive.
slc::Status LowerLimits(const slc::unpack::Limits& limits) {
  struct {
    decltype(RLIMIT_CPU) what;
    rlim_t value;
  } const all[] = {
    {RLIMIT_CORE, 0},
    {RLIMIT_NPROC, 0},    // no process of ours, whatever is executed
    {RLIMIT_NOFILE, 64},  // we have ten
    {RLIMIT_CPU, 120},    // seconds; 1 GiB takes some ten
    {RLIMIT_FSIZE, std::max<rlim_t>(limits.bytes, 1U << 16)},  // the report may be a file
#if !defined(__SANITIZE_ADDRESS__)
    {RLIMIT_AS, rlim_t{256} << 20},  // bytes; we have some 20 MiB, and links 60
#endif
  };
  for (const auto& each : all) {
    if (slc::Status lowered = Lower(each.what, each.value); !lowered) return lowered;
  }
  return slc::Ok();
}

slc::Status GiveUpRights(const Options& options) {
  // Who has our uid could otherwise look into us, and speak for us.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return slc::SystemError("hide memory", errno);
  if (slc::Status done = slc::ForbidNewPrivileges(); !done) return done;
  if (slc::Status done = slc::DropRights(options.user); !done) return done;
  if (slc::Status done = LowerLimits(options.limits); !done) return done;
  // Where the kernel has no Landlock, openat2 still keeps to the folder.
  const auto forbidden = slc::ForbidFilesOutside(options.into);
  return forbidden ? slc::Ok() : slc::Status(forbidden.error());
}

// Waits no longer than to `deadline`; 0: for ever. How many bytes were read, 0 at the end.
slc::Result<std::size_t> ReadSome(char* buffer, std::size_t size, slc::Millis deadline) {
  while (true) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    constexpr slc::Millis kMostWait = 1'000'000;
    const slc::Millis left = deadline == 0 ? kMostWait : deadline - slc::BootNow();
    if (left > 0 && ::poll(&input, 1, static_cast<int>(std::min(left, kMostWait))) == 0) continue;
    if (left <= 0) {
      return slc::Error{slc::ErrorCode::kTimeout, "the archive has not come whole in time"};
    }
    const ssize_t got = ::read(STDIN_FILENO, buffer, size);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR && errno != EAGAIN) return slc::SystemError("read the archive", errno);
  }
}

slc::Result<slc::Unpacked> Run(const Options& options) {
  if (slc::Status done = GiveUpRights(options); !done) return done.error();
  const slc::Millis deadline =
      options.limits.seconds == 0 ? 0 : slc::BootNow() + 1000LL * options.limits.seconds;
  slc::unpack::Unpacker unpacker(options.into, options.limits);
  if (slc::Status begun = unpacker.Begin(); !begun) return begun.error();
  constexpr std::size_t kPiece = std::size_t{64} << 10;
  const auto buffer = std::make_unique<std::array<char, kPiece>>();
  while (true) {
    const auto got = ReadSome(buffer->data(), buffer->size(), deadline);
    if (!got) return got.error();
    if (*got == 0) return unpacker.Finish();
    if (slc::Status added = unpacker.Add({buffer->data(), *got}); !added) return added.error();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = ReadOptions(argc, argv);
  if (!options) {
    std::fprintf(stderr, "slc-unpack is started by slcd\n");
    return kWrongUse;
  }
  ::mallopt(M_ARENA_MAX, 1);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  ::umask(022);
  const auto outcome = Run(*options);
  const slc::Status told = slc::WriteAll(options->report, slc::EncodeUnpacked(outcome));
  // At once: what a sanitizer does at the end of a program needs rights that are gone.
  ::_exit(outcome && told ? 0 : kFailed);
}
