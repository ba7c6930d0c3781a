// How fast the log pump takes the output of a program that prints as fast as it can.
//
//   slc-log-flood [--mb N] [--line BYTES] [--format text|json|raw] [--write BYTES] [--files N]
//                 [--file-bytes N] [--dir DIR] [--keep]
//
// A child prints N MB in lines of a given size, buffered as stdio does for a pipe (4096 bytes a
// write). Prints one JSON object: wall time until the child had printed all and until all was in
// the files, CPU of this process with its threads (loop and writer; gzip is not counted), its
// memory at the peak and afterwards, and whether lines written, counted as dropped and produced add
// up.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/base/unique_fd.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "daemon/master/log_pump.h"

namespace {

using slc::Millis;

struct Options {
  std::size_t megabytes = 100;
  std::size_t line = 100;
  std::size_t write = 4096;
  std::string directory;
  slc::LogSettings settings;
  bool keep = false;
};

[[noreturn]] void Print(const Options& options, int fd) {
  std::vector<char> buffer(options.write + options.line);
  std::size_t used = 0;
  const std::size_t lines = options.megabytes * 1000000 / options.line;
  for (std::size_t i = 0; i < lines; ++i) {
    char* line = buffer.data() + used;
    std::memset(line, 'x', options.line - 1);
    // By hand: the child's processor time is not what is measured here.
    std::size_t number = i;
    for (std::size_t digit = std::min<std::size_t>(9, options.line - 1); digit-- > 0;
         number /= 10) {
      line[digit] = static_cast<char>('0' + number % 10);
    }
    line[options.line - 1] = '\n';
    used += options.line;
    if (used < options.write && i + 1 < lines) continue;
    if (!slc::WriteAll(fd, {buffer.data(), used})) ::_exit(1);
    used = 0;
  }
  ::_exit(0);
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double Cpu() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

long Memory(const char* field) {
  const auto status = slc::ReadFile("/proc/self/status");
  const std::size_t at = status ? status->find(field) : std::string::npos;
  return at == std::string::npos ? -1 : std::atol(status->c_str() + at + std::strlen(field));
}

long PrivateKib() {
  const auto rollup = slc::ReadFile("/proc/self/smaps_rollup");
  if (!rollup) return -1;
  long sum = 0;
  for (const char* field : {"Private_Clean:", "Private_Dirty:"}) {
    const std::size_t at = rollup->find(field);
    if (at != std::string::npos) sum += std::atol(rollup->c_str() + at + std::strlen(field));
  }
  return sum;
}

int Run(const Options& options) {
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return 1;
  slc::UniqueFd reader(pipe_fds[0]);
  slc::UniqueFd writer(pipe_fds[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    // Until the parent has measured where it starts from.
    ::usleep(200000);
    Print(options, writer.get());
  }
  writer.reset();

  slc::uv::Loop loop;
  double printed_at = 0;
  double taken_at = 0;
  long idle_before = PrivateKib();
  long peak = 0;
  long idle_after = 0;
  std::uint64_t dropped = 0;
  double cpu = 0;
  const double start = Now() + 0.2;
  const double cpu_before = Cpu();
  {
    slc::LogPump pump(loop, options.directory, options.settings);
    pump.Add(1, child, reader.get(), -1);
    pump.ForgetTail(1);
    slc::uv::Timer look(loop, [&] {
      int status = 0;
      if (printed_at == 0) {
        if (::waitpid(child, &status, WNOHANG) != child) {
          look.StartIn(2);
          return;
        }
        printed_at = Now();
        pump.Remove(1);
        reader.reset();
      }
      if (!pump.idle()) {
        look.StartIn(2);
        return;
      }
      if (taken_at == 0) {
        taken_at = Now();
        cpu = Cpu() - cpu_before;
        look.StartIn(2000);
        return;
      }
      idle_after = PrivateKib();
      dropped = pump.dropped();
      loop.Stop();
    });
    look.StartIn(200);
    loop.Run();
    peak = Memory("VmHWM:");
    pump.FlushAndStop(5000);
  }
  const double megabytes = static_cast<double>(options.megabytes);
  std::printf(
      "{\"mb\":%.0f,\"printed_s\":%.3f,\"written_s\":%.3f,\"mb_per_s\":%.0f,\"cpu_s\":%.3f,"
      "\"rss_peak_kib\":%ld,\"private_before_kib\":%ld,\"private_after_kib\":%ld,"
      "\"lines\":%zu,\"dropped\":%llu}\n",
      megabytes, printed_at - start, taken_at - start, megabytes / (taken_at - start), cpu, peak,
      idle_before, idle_after, options.megabytes * 1000000 / options.line,
      static_cast<unsigned long long>(dropped));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.settings.files = 1000;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--keep") {
      options.keep = true;
      continue;
    }
    if (i + 1 >= argc) return 2;
    const std::string value = argv[++i];
    const auto number = slc::ParseInteger(value, 1, 1000000000);
    if (name == "--dir") {
      options.directory = value;
    } else if (name == "--format" && slc::LogFormatFromName(value)) {
      options.settings.format = *slc::LogFormatFromName(value);
    } else if (name == "--gzip") {
      options.settings.gzip = value;
    } else if (!number) {
      return 2;
    } else if (name == "--mb") {
      options.megabytes = static_cast<std::size_t>(*number);
    } else if (name == "--line") {
      options.line = static_cast<std::size_t>(*number);
    } else if (name == "--write") {
      options.write = static_cast<std::size_t>(*number);
    } else if (name == "--files") {
      options.settings.files = static_cast<std::uint32_t>(*number);
    } else if (name == "--file-bytes") {
      options.settings.file_bytes = static_cast<std::uint64_t>(*number);
    } else {
      return 2;
    }
  }
  if (options.directory.empty()) {
    std::array<char, 32> pattern{"/tmp/slc-flood-XXXXXX"};
    if (::mkdtemp(pattern.data()) == nullptr) return 1;
    options.directory = pattern.data();
  }
  const int code = Run(options);
  if (!options.keep) {
    if (!slc::RemoveTreeAt(AT_FDCWD, options.directory)) return 1;
  }
  return code;
}
