// Times programs from the outside, without a runtime of its own in the way (spawning from Node
// costs some milliseconds that vary). tests/bench/run compiles it; it needs only the C library.
//
//   spawn-timer runs ROUNDS CMD... [--- CMD...]...
//       runs the commands in turn, ROUNDS times, their output thrown away; a JSON object for each:
//       {"command":0,"wall_us":1234.5,"cpu_us":678,"exit":0}
//   spawn-timer first-200 PORT CMD...
//       starts CMD and asks http://127.0.0.1:PORT/ until it answers 200: {"ms":81.3,"pid":1234}
//   spawn-timer listening PORT CMD...
//       the same until PORT takes a connection
//   spawn-timer spawn COUNT CMD...
//       starts CMD so many times, all beside each other, and waits for all: {"ms":24.1}, the starts
//       alone
//
// With first-200 and listening CMD goes on when we are done; `pid` is for the caller to end it.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

extern char** environ;

namespace {

constexpr int kWrongUse = 2;
constexpr double kPatienceMs = 60000;
constexpr int kPollUs = 500;

double NowUs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double Micros(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
}

// With its output thrown away. 0 when it cannot be started.
pid_t Start(char** command) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = 0;
  const int code = ::posix_spawnp(&pid, command[0], &actions, nullptr, command, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (code == 0) return pid;
  std::fprintf(stderr, "spawn-timer: %s: %s\n", command[0], std::strerror(code));
  return 0;
}

int TimeRuns(int rounds, char** arguments) {
  std::vector<char**> commands{arguments};
  for (char** at = arguments; *at != nullptr; ++at) {
    if (std::strcmp(*at, "---") != 0) continue;
    *at = nullptr;
    commands.push_back(at + 1);
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
      const double before = NowUs();
      const pid_t pid = Start(commands[i]);
      if (pid == 0) return 1;
      int status = 0;
      rusage usage{};
      while (::wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
      }
      std::printf("{\"command\":%zu,\"wall_us\":%.1f,\"cpu_us\":%.0f,\"exit\":%d}\n", i,
                  NowUs() - before, Micros(usage.ru_utime) + Micros(usage.ru_stime),
                  WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
  }
  return 0;
}

int Connect(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  ::close(fd);
  return -1;
}

bool Answers200(int port) {
  const int fd = Connect(port);
  if (fd < 0) return false;
  constexpr char kRequest[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
  std::string head;
  if (::send(fd, kRequest, sizeof(kRequest) - 1, MSG_NOSIGNAL) > 0) {
    pollfd wait{fd, POLLIN, 0};
    char buffer[64];
    while (head.size() < 12 && ::poll(&wait, 1, static_cast<int>(kPatienceMs)) > 0) {
      const ssize_t got = ::recv(fd, buffer, sizeof(buffer), 0);
      if (got <= 0) break;
      head.append(buffer, static_cast<std::size_t>(got));
    }
  }
  ::close(fd);
  return head.compare(0, 12, "HTTP/1.1 200") == 0;
}

bool TakesConnections(int port) {
  const int fd = Connect(port);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

int TimeUntil(bool (*reached)(int port), int port, char** command) {
  if (reached(port)) {
    std::fprintf(stderr, "spawn-timer: port %d is served already\n", port);
    return 1;
  }
  const double before = NowUs();
  const pid_t pid = Start(command);
  if (pid == 0) return 1;
  while (!reached(port)) {
    if (NowUs() - before > kPatienceMs * 1e3) {
      std::fprintf(stderr, "spawn-timer: no answer on port %d from %s\n", port, command[0]);
      return 1;
    }
    ::usleep(kPollUs);
  }
  std::printf("{\"ms\":%.2f,\"pid\":%d}\n", (NowUs() - before) / 1e3, pid);
  return 0;
}

int TimeSpawns(int count, char** command) {
  const double before = NowUs();
  for (int i = 0; i < count; ++i) {
    if (Start(command) == 0) return 1;
  }
  std::printf("{\"ms\":%.2f}\n", (NowUs() - before) / 1e3);
  while (::wait(nullptr) > 0 || errno == EINTR) {
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 3 ? argv[1] : "";
  const int number = argc > 3 ? std::atoi(argv[2]) : 0;
  if (number > 0 && mode == "runs") return TimeRuns(number, argv + 3);
  if (number > 0 && mode == "first-200") return TimeUntil(Answers200, number, argv + 3);
  if (number > 0 && mode == "listening") return TimeUntil(TakesConnections, number, argv + 3);
  if (number > 0 && mode == "spawn") return TimeSpawns(number, argv + 3);
  std::fprintf(stderr,
               "usage: spawn-timer runs ROUNDS CMD... [--- CMD...]\n"
               "       spawn-timer first-200|listening PORT CMD...\n"
               "       spawn-timer spawn COUNT CMD...\n");
  return kWrongUse;
}
