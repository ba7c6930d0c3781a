#include "daemon/deploy/health_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/result.h"
#include "common/base/text.h"

using namespace slc;
using namespace slc::deploy;

namespace {

constexpr const char* kWell = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr const char* kSick = "HTTP/1.1 503 Not Yet\r\nContent-Length: 0\r\n\r\n";
constexpr const char* kUnknownPath = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

struct Server {
  std::string answer;  // empty: none
  bool keeps = true;   // the connection open after its answer
};

// Processes that share a port of loopback, and take connections in turn.
class Port {
 public:
  explicit Port(const std::vector<Server>& servers)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* name = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener_.get(), name, length) == 0);
    REQUIRE(::listen(listener_.get(), 64) == 0);
    REQUIRE(::getsockname(listener_.get(), name, &length) == 0);
    number_ = ntohs(address.sin_port);
    std::vector<std::array<int, 2>> turns(servers.size());
    for (auto& turn : turns) REQUIRE(::pipe(turn.data()) == 0);
    for (std::size_t i = 0; i < servers.size(); ++i) {
      const pid_t child = ::fork();
      if (child == 0) Serve(servers[i], turns[i][0], turns[(i + 1) % servers.size()][1]);
      pids_.push_back(child);
    }
    REQUIRE(::write(turns[0][1], "x", 1) == 1);
    for (auto& turn : turns) {
      ::close(turn[0]);
      ::close(turn[1]);
    }
  }
  ~Port() {
    for (const pid_t child : pids_) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
  }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  std::uint16_t number() const { return number_; }
  pid_t pid(std::size_t server) const { return pids_[server]; }

 private:
  [[noreturn]] void Serve(const Server& server, int turn, int next) const {
    char token = 0;
    while (::read(turn, &token, 1) == 1) {
      const int connection = ::accept(listener_.get(), nullptr, nullptr);
      std::array<char, 1024> request;
      static_cast<void>(::recv(connection, request.data(), request.size(), 0));
      static_cast<void>(
          ::send(connection, server.answer.data(), server.answer.size(), MSG_NOSIGNAL));
      if (!server.keeps) ::close(connection);
      static_cast<void>(::write(next, &token, 1));
    }
    ::_exit(0);
  }

  UniqueFd listener_;
  std::uint16_t number_ = 0;
  std::vector<pid_t> pids_;
};

// Nothing: it was not told within `limit`.
std::optional<std::string> Ask(const HealthProbe::Target& target, Millis limit = 20'000) {
  uv::Loop loop;
  std::optional<std::string> told;
  uv::Timer over(loop, [&] { loop.Stop(); });
  HealthProbe probe(loop, target, [&](const std::string& failure) {
    told = failure;
    loop.Stop();
  });
  over.StartIn(limit);
  loop.Run();
  return told;
}

HealthProbe::Target At(const Port& port, pid_t worker, unsigned tries) {
  HealthProbe::Target target;
  target.port = port.number();
  target.path = "/health";
  target.worker = worker;
  target.tries = tries;
  return target;
}

bool Says(const std::optional<std::string>& told, const std::string& text) {
  return told && told->find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("the health of one worker is its own, whatever those say who share its port") {
  const Port sick({{kWell}, {kWell}, {kSick}});
  const auto told = Ask(At(sick, sick.pid(2), 24));
  CHECK(Says(told, "it answers with status 503"));
  CHECK(Says(told, "/health at port " + std::to_string(sick.number())));
  const Port well({{kUnknownPath}, {kSick}, {kWell}});
  CHECK(Ask(At(well, well.pid(2), 24)) == "");
}

TEST_CASE("with no worker to be told apart all that are asked must be well") {
  const Port well({{kWell}, {kWell}});
  CHECK(Ask(At(well, 0, 6)) == "");
  const Port sick({{kWell}, {kWell}, {kWell}, {kSick}});
  CHECK(Ask(At(sick, 0, 3)) == "");
  CHECK(Says(Ask(At(sick, 0, 4)), "503"));
}

TEST_CASE("who hangs up with the answer gives nobody away: then all must be well") {
  const Port well({{kWell, false}, {kWell, false}});
  CHECK(Ask(At(well, well.pid(1), 8)) == "");
  const Port sick({{kWell, false}, {kSick, false}});
  CHECK(Says(Ask(At(sick, sick.pid(1), 8)), "503"));
  const Port mute({{"", false}});
  CHECK(Says(Ask(At(mute, mute.pid(0), 2)), "hung up without an answer"));
}

TEST_CASE("who does not answer is waited for if it is the one, and passed over if not") {
  const Port other({{""}, {kWell}});
  CHECK(Ask(At(other, other.pid(1), 8)) == "");
  const Port same({{""}});
  CHECK(Ask(At(same, same.pid(0), 8), 2 * HealthProbe::kPatience) == std::nullopt);
}

TEST_CASE("a worker that is never come to is not taken for well") {
  const Port port({{kWell}});
  CHECK(Says(Ask(At(port, ::getpid() + 1'000'000, 5)), "none of 5 connections"));
}

TEST_CASE("what cannot be asked is said") {
  HealthProbe::Target nowhere;
  nowhere.path = "/health";
  CHECK(Says(Ask(nowhere), "it listens on no port"));
  HealthProbe::Target path = nowhere;
  path.port = 1;
  path.address = "/run/app.sock";
  CHECK(Says(Ask(path), "/run/app.sock"));
  const Port junk({{"SSH-2.0-junk\r\n"}});
  CHECK(Says(Ask(At(junk, junk.pid(0), 1)), "no HTTP"));
}
