// slc-load: an HTTP/1.1 load client that counts exactly. `slc-load --help` is its manual, report.h
// documents the JSON report.
//
// What it stands for: a request is ok only if its whole answer came, with status 200 and the right
// length; everything else is a failure of a named kind; nothing is retried in silence. The one
// thing done again is to connect anew when the server closed a connection *before* a request was
// written. (That is what every HTTP client does. `Keep-Alive: timeout=` hints are deliberately not
// honoured.)
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/load/endpoint.h"
#include "tests/bench/load/lane.h"
#include "tests/bench/load/options.h"
#include "tests/bench/load/reactor.h"
#include "tests/bench/load/report.h"
#include "tests/bench/load/tls.h"

namespace slc::load {
namespace {

constexpr int kExitPassed = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

// Stops all lanes on SIGTERM, SIGINT or at the end of the duration; `look` is called on SIGUSR1.
class Signals final : private Reactor::Handler {
 public:
  Signals(Reactor& reactor, std::vector<std::unique_ptr<Lane>>& lanes, std::function<void()> look)
      : reactor_(reactor), lanes_(lanes), look_(std::move(look)) {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    fd_ = Fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    reactor_.Watch(fd_.get(), *this, false);
  }
  ~Signals() override { reactor_.CancelTimer(*this); }

  void At(Time time) { reactor_.SetTimer(*this, time); }

 private:
  void OnEvents(std::uint32_t) override {
    signalfd_siginfo info;
    while (read(fd_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo == SIGUSR1) {
        look_();
      } else {
        Stop();
      }
    }
  }
  void OnTimer(Time) override { Stop(); }
  void Stop() {
    for (auto& lane : lanes_) lane->Stop();
  }

  Reactor& reactor_;
  std::vector<std::unique_ptr<Lane>>& lanes_;
  std::function<void()> look_;
  Fd fd_;
};

void RaiseFdLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// A run and its reports.
struct Run {
  const Options& options;
  std::vector<std::unique_ptr<Lane>>& lanes;
  Time start;
  std::int64_t started_ms;  // CLOCK_BOOTTIME
};

// Of the run as it is now.
RunReport ReportOf(const Run& run) {
  const Time now = Clock::now();
  RunReport report;
  report.started_ms = run.started_ms;
  report.elapsed = now - run.start;
  for (auto& lane : run.lanes) {
    report.lanes.push_back({lane->options(), lane->tally(), lane->elapsed(now), run.start});
  }
  return report;
}

bool Print(const RunReport& report, const Options& options) {
  const std::string text = options.json ? JsonReport(report) : HumanReport(report);
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

void RunLanes(Reactor& reactor, const Run& run) {
  auto& lanes = run.lanes;
  Signals signals(reactor, lanes, [&] { Print(ReportOf(run), run.options); });
  if (run.options.duration) signals.At(run.start + *run.options.duration);
  for (auto& lane : lanes) lane->Start(run.start);
  bool all_done = false;
  while (!all_done) {
    reactor.RunOnce();
    Time now = Clock::now();
    all_done = true;
    for (auto& lane : lanes) {
      lane->Update(now);
      all_done = all_done && lane->done();
    }
  }
}

int Main(const std::vector<std::string>& arguments) {
  ParsedOptions parsed = ParseOptions(arguments);
  if (!parsed.error.empty()) {
    std::fprintf(stderr, "slc-load: %s\n%s", parsed.error.c_str(), UsageText().c_str());
    return kExitUsage;
  }
  const Options& options = parsed.options;
  if (options.help) {
    std::fputs(UsageText().c_str(), stdout);
    return kExitPassed;
  }
  RaiseFdLimit();

  bool any_tls = std::any_of(options.lanes.begin(), options.lanes.end(),
                             [](const LaneOptions& lane) { return lane.url.tls; });
  std::optional<TlsContext> tls;
  if (any_tls) tls.emplace();

  Reactor reactor;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::random_device seed;
  std::vector<Endpoint> endpoints;
  for (const LaneOptions& lane : options.lanes) {
    auto endpoint = Resolve(lane.url);
    if (!endpoint) {
      std::fprintf(stderr, "slc-load: no address for '%s'\n", lane.url.host.c_str());
      return kExitUsage;
    }
    endpoints.push_back(*endpoint);
  }
  Time start = Clock::now();
  for (std::size_t i = 0; i < options.lanes.size(); ++i) {
    const LaneOptions& lane = options.lanes[i];
    lanes.push_back(std::make_unique<Lane>(lane, endpoints[i], lane.url.tls ? &*tls : nullptr,
                                           options.timeout, reactor, start, seed()));
  }

  timespec boot{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  constexpr std::int64_t kPerSecond = 1000;
  constexpr std::int64_t kNanosPerMilli = 1000 * 1000;
  const Run run{options, lanes, start, boot.tv_sec * kPerSecond + boot.tv_nsec / kNanosPerMilli};
  RunLanes(reactor, run);
  const RunReport report = ReportOf(run);
  const bool written = Print(report, options);
  return report.passed() && written ? kExitPassed : kExitFailed;
}

}  // namespace
}  // namespace slc::load

int main(int argc, char** argv) {
  return slc::load::Main(std::vector<std::string>(argv + 1, argv + argc));
}
