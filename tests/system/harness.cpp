#include "tests/system/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/klog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/ids.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/model/journal.h"
#include "common/model/json_fields.h"
#include "common/wire/client.h"

#ifndef SLC_SOURCE_DIR
#error "SLC_SOURCE_DIR: where the source tree is"
#endif

namespace slc::test {
namespace {

namespace fs = std::filesystem;

// What doctest says about the test that runs: its name, and whether it has failed so far.
struct CurrentTest : doctest::IReporter {
  static std::string name;
  static bool failed;

  explicit CurrentTest(const doctest::ContextOptions&) {}
  void test_case_start(const doctest::TestCaseData& data) override {
    name = data.m_name;
    failed = false;
  }
  void log_assert(const doctest::AssertData& data) override { failed = failed || data.m_failed; }
  void log_message(const doctest::MessageData& data) override {
    failed = failed || (data.m_severity & doctest::assertType::is_warn) == 0;
  }
  void test_case_exception(const doctest::TestCaseException&) override { failed = true; }
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};
std::string CurrentTest::name;
bool CurrentTest::failed = false;
REGISTER_LISTENER("current_test", 1, CurrentTest);

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// "a worker that was killed is replaced" -> "a-worker-that-was-killed-is-replaced"
std::string AsFileName(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain) name += c;
    if (!plain && !name.empty() && name.back() != '-') name += '-';
  }
  constexpr std::size_t kMost = 60;
  return name.substr(0, kMost);
}

std::string MakeTemporaryFolder() {
  std::string base = Variable("TMPDIR");
  if (base.empty()) base = "/tmp";
  std::string path = base + "/slc-system-" + AsFileName(CurrentTest::name) + "-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) FAIL("cannot make ", path, ": ", std::strerror(errno));
  return path;
}

std::string LastLines(const std::string& text, std::size_t count) {
  const auto lines = LinesOf(text);
  std::string last;
  for (std::size_t i = lines.size() > count ? lines.size() - count : 0; i < lines.size(); ++i) {
    last += "    " + lines[i] + "\n";
  }
  return last;
}

std::string CommandText(const Words& words) { return Join(words, " "); }

std::vector<pid_t> AllPids() {
  std::vector<pid_t> pids;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    if (const auto pid = ParseInteger(entry.path().filename().string(), 1, 1 << 30)) {
      pids.push_back(static_cast<pid_t>(*pid));
    }
  }
  return pids;
}

std::string LinkTarget(const std::string& path) {
  std::array<char, 4096> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

// Targets of /proc/PID/fd/*; empty if the process is gone or a zombie.
std::vector<std::string> DescriptorTargets(pid_t pid) {
  std::vector<std::string> targets;
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  std::error_code ignored;
  for (auto it = fs::directory_iterator(folder, ignored); it != fs::directory_iterator();
       it.increment(ignored)) {
    if (const std::string target = LinkTarget(it->path()); !target.empty())
      targets.push_back(target);
    if (ignored) break;
  }
  return targets;
}

// "N-M" of a home, with which the cookies of its processes begin.
std::string HomeKey(const std::string& home) {
  struct stat info {};
  if (::stat(home.c_str(), &info) != 0) return {};
  return std::to_string(info.st_dev) + "-" + std::to_string(info.st_ino);
}

// slcd and masters of a home: they hold files of it.
std::vector<ProcessIdentity> FindSupervisors(const std::string& home) {
  std::vector<ProcessIdentity> found;
  for (const pid_t pid : AllPids()) {
    const std::string program = LinkTarget("/proc/" + std::to_string(pid) + "/exe");
    if (!Contains(program, "/slcd") && !Contains(program, "/slc-master")) continue;
    const auto files = DescriptorTargets(pid);
    const bool ours = std::any_of(files.begin(), files.end(), [&](const std::string& file) {
      return StartsWith(file, home + "/");
    });
    if (!ours) continue;
    if (const auto identity = IdentifyProcess(pid)) found.push_back(*identity);
  }
  return found;
}

// All that have a cookie of the home.
std::vector<ProcessIdentity> FindWorkers(const std::string& home) {
  const std::string key = HomeKey(home);
  if (key.empty()) return {};
  const std::string wanted = std::string(kCookieVariable) + "=" + key + "-";
  std::vector<ProcessIdentity> found;
  for (const pid_t pid : AllPids()) {
    auto environment = ReadFile("/proc/" + std::to_string(pid) + "/environ", 8U << 20);
    if (!environment) continue;
    const std::size_t at = environment->find(wanted);
    if (at == std::string::npos || (at > 0 && (*environment)[at - 1] != '\0')) continue;
    if (const auto identity = IdentifyProcess(pid)) found.push_back(*identity);
  }
  return found;
}

std::vector<ProcessIdentity> FindAllOf(const std::string& home) {
  std::vector<ProcessIdentity> all = FindSupervisors(home);
  for (const ProcessIdentity& each : FindWorkers(home)) all.push_back(each);
  std::erase_if(all, [](const ProcessIdentity& each) { return !IsAlive(each); });
  return all;
}

void KillAllOf(const std::string& home) {
  // Masters come first: they would start workers anew.
  for (int round = 0; round < 50; ++round) {
    const auto left = FindAllOf(home);
    if (left.empty()) return;
    for (const ProcessIdentity& each : left) SignalProcess(OpenProcess(each), SIGKILL);
    ::poll(nullptr, 0, 10);
  }
}

// A process that outlives us: when we are killed (a time-out of ctest) it ends what our worlds
// left.
class Guardian {
 public:
  static void Watch(const std::string& home) {
    static const Guardian guardian;
    const std::string line = home + "\n";
    if (::write(guardian.pipe_.get(), line.data(), line.size()) < 0) FAIL("the guardian is gone");
  }

 private:
  Guardian() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) FAIL("pipe: ", std::strerror(errno));
    pipe_ = UniqueFd(ends[1]);
    const UniqueFd read_end(ends[0]);
    const pid_t child = ::fork();
    if (child == 0) {
      // Twice, and in a session of its own, so that what ends us and our children does not find it.
      ::setsid();
      if (::fork() == 0) Guard(read_end.get());
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
  }

  [[noreturn]] void Guard(int read_end) {
    pipe_.reset();
    // Whoever reads our output must not wait for the guardian.
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
    std::string homes;
    std::array<char, 4096> buffer{};
    while (true) {
      const ssize_t got = ::read(read_end, buffer.data(), buffer.size());
      if (got <= 0) break;
      homes.append(buffer.data(), static_cast<std::size_t>(got));
    }
    for (const std::string& home : LinesOf(homes)) KillAllOf(home);
    ::_exit(0);
  }

  UniqueFd pipe_;
};

// The end of the kernel's range for outgoing connections that is nearer to 0.
int LowestOutgoingPort() {
  const std::string range = ReadText("/proc/sys/net/ipv4/ip_local_port_range");
  const int low = std::atoi(range.c_str());
  return low > 12000 ? low : 32768;
}

bool CanBind(int family, std::uint16_t port) {
  const UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return family == AF_INET6;  // a machine without IPv6
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

// An abstract unix socket named after the port, held until this program ends, keeps other copies of
// the tests away from it.
bool Reserve(std::uint16_t port) {
  static std::vector<UniqueFd> held;
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "slc-system-test-port-" + std::to_string(port);
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) return false;
  held.push_back(std::move(fd));
  return CanBind(AF_INET, port) && CanBind(AF_INET6, port);
}

// `npm ci` where the modules of an app are missing, once for all copies of the tests.
void NeedModules(const std::string& folder) {
  if (!Exists(folder + "/package-lock.json")) return;
  const UniqueFd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) FAIL("cannot lock ", folder);
  if (Exists(folder + "/node_modules/.package-lock.json")) return;
  const std::string command = "cd '" + folder + "' && npm ci --no-audit --no-fund --silent >&2";
  if (std::system(command.c_str()) != 0) {
    FAIL("the modules of ", folder, " are missing and `npm ci` in it failed");
  }
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

struct Address {
  std::string host = "127.0.0.1";
  std::uint16_t port = 80;
  std::string path = "/";
};
Address ParseUrl(const std::string& url) {
  const std::string scheme = "http://";
  if (!StartsWith(url, scheme)) FAIL("Get() speaks http only: ", url);
  std::string rest = url.substr(scheme.size());
  Address address;
  if (const std::size_t slash = rest.find('/'); slash != std::string::npos) {
    address.path = rest.substr(slash);
    rest.resize(slash);
  }
  const std::size_t colon = rest.rfind(':');
  const auto port = ParseInteger(rest.substr(colon + 1), 1, 65535);
  if (colon == std::string::npos || !port) FAIL("Get() needs a port: ", url);
  address.port = static_cast<std::uint16_t>(*port);
  address.host = rest.substr(0, colon);
  if (address.host == "localhost") address.host = "127.0.0.1";
  return address;
}

UniqueFd ConnectTo(const Address& address, std::string& error) {
  const bool six = address.host.find(':') != std::string::npos;
  UniqueFd fd(::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int done = -1;
  if (six) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(address.port);
    to.sin6_addr = in6addr_loopback;
    done = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to);
  } else {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(address.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    done = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to);
  }
  if (done != 0) {
    error = std::string("connect: ") + std::strerror(errno);
    return {};
  }
  return fd;
}

// Without the sizes in front of the pieces.
std::string Dechunk(const std::string& text) {
  std::string body;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find("\r\n", at);
    if (end == std::string::npos) break;
    const std::size_t size = std::strtoul(text.c_str() + at, nullptr, 16);
    if (size == 0) break;
    body += text.substr(end + 2, size);
    at = end + 2 + size + 2;
  }
  return body;
}

Response ParseResponse(const std::string& text) {
  Response response;
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos || !StartsWith(text, "HTTP/1.1 ")) {
    response.error = "no whole answer, " + std::to_string(text.size()) + " bytes";
    return response;
  }
  response.status = std::atoi(text.c_str() + 9);
  for (const std::string& line : LinesOf(text.substr(0, end))) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    response.headers[Lower(line.substr(0, colon))] = std::string(Trim(line.substr(colon + 1)));
  }
  response.body = text.substr(end + 4);
  if (response.headers["transfer-encoding"] == "chunked") response.body = Dechunk(response.body);
  const auto length = response.headers.find("content-length");
  if (length != response.headers.end() &&
      response.body.size() != std::strtoul(length->second.c_str(), nullptr, 10)) {
    response.status = 0;
    response.error = "the body was cut";
  }
  return response;
}

}  // namespace

// -------------------------------------------------------------------------------- waiting, ports,
// files

Millis WaitUntil(const std::function<bool()>& condition, Millis deadline, const std::string& what) {
  const Millis start = BootNow();
  for (Millis pause = 1;; pause = std::min<Millis>(pause * 2, 20)) {
    if (condition()) return BootNow() - start;
    if (BootNow() - start >= deadline) {
      FAIL("waited ", deadline, " ms in vain for: ", what);
    }
    ::poll(nullptr, 0, static_cast<int>(pause));
  }
}

std::uint16_t FreePort(int count) {
  constexpr int kLowest = 10000;
  const int highest = LowestOutgoingPort() - count;
  static std::mt19937 random{std::random_device{}()};
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const int first = std::uniform_int_distribution<int>(kLowest, highest)(random);
    int good = 0;
    while (good < count && Reserve(static_cast<std::uint16_t>(first + good))) ++good;
    if (good == count) return static_cast<std::uint16_t>(first);
  }
  FAIL("found no free port");
  return 0;
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteText(const std::string& path, const std::string& text) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) FAIL("cannot write ", path);
}

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string SourcePath(const std::string& below) {
  const std::string set = Variable("SLC_SOURCE");
  return (set.empty() ? std::string(SLC_SOURCE_DIR) : set) + "/" + below;
}

std::string BinaryPath(const std::string& name) {
  const std::string set = Variable("SLC_BIN");
  const std::string path = (set.empty() ? OwnDirectory() : set) + "/" + name;
  if (::access(path.c_str(), X_OK) != 0)
    FAIL("the binary ", path, " is missing; SLC_BIN names its folder");
  return path;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines = Split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  for (std::string& line : lines) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
  }
  return lines;
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const char* const kMirror =
    "require('http').createServer((request, response) => response.end(JSON.stringify({\n"
    "  argv: process.argv.slice(2), execArgv: process.execArgv, cwd: process.cwd(),\n"
    "  env: process.env, pid: process.pid, version: process.version,\n"
    "}))).listen(process.env.PORT);\n";

// --------------------------------------------------------------------------------------------
// processes

Running::Running(Running&& other) noexcept
    : command_(std::move(other.command_)),
      out_path_(std::move(other.out_path_)),
      err_path_(std::move(other.err_path_)),
      identity_(std::exchange(other.identity_, {})),
      pidfd_(std::move(other.pidfd_)),
      started_(other.started_),
      ran_(std::move(other.ran_)) {}

Running::~Running() {
  if (!pidfd_ || ran_) return;
  SignalProcess(pidfd_, SIGKILL);
  slc::HasEnded(pidfd_, 10'000);
  Reap(pidfd_);
}

void Running::Signal(int signal) {
  if (!SignalProcess(pidfd_, signal))
    FAIL("cannot send signal ", signal, ", it has ended: ", command_);
}

bool Running::HasEnded() const { return ran_ || slc::HasEnded(pidfd_, 0); }
std::string Running::out() const { return ReadText(out_path_); }
std::string Running::err() const { return ReadText(err_path_); }

const Ran& Running::Wait(Millis deadline) {
  if (ran_) return *ran_;
  if (!slc::HasEnded(pidfd_, static_cast<int>(deadline))) {
    FAIL("did not end within ", deadline, " ms: ", command_, "\nstdout: ", out(),
         "\nstderr: ", err());
  }
  Ran ran;
  ran.took = BootNow() - started_;
  const int status = Reap(pidfd_).value_or(-1);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ran.out = out();
  ran.err = err();
  ran_ = std::move(ran);
  return *ran_;
}

bool IsAlive(const ProcessIdentity& identity) {
  const auto now = IdentifyProcess(identity.pid);
  if (!now || *now != identity) return false;
  const auto usage = ReadUsage(identity.pid);
  return usage && usage->state != 'Z' && usage->state != 'X';
}

bool IsAlive(pid_t pid) {
  const auto identity = IdentifyProcess(pid);
  return identity && IsAlive(*identity);
}

void Kill(const ProcessIdentity& identity, int signal) {
  const UniqueFd process = OpenProcess(identity);
  if (!SignalProcess(process, signal)) FAIL("process ", identity.pid, " is gone already");
}

std::vector<std::string> OpenFiles(pid_t pid) {
  std::vector<std::string> files = DescriptorTargets(pid);
  for (std::string& file : files) {
    const std::size_t colon = file.find(":[");
    if (colon != std::string::npos) file.resize(colon);
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::size_t CountOpenFiles(pid_t pid) { return OpenFiles(pid).size(); }

// -------------------------------------------------------------------------------------------------
// HTTP

nlohmann::json Response::json() const {
  auto parsed = ParseJson(body);
  if (!parsed) FAIL("no JSON: status ", status, " ", error, " ", body);
  return *parsed;
}

Response Get(const std::string& url, Millis timeout) {
  const Address address = ParseUrl(url);
  Response response;
  const Millis deadline = BootNow() + timeout;
  const UniqueFd fd = ConnectTo(address, response.error);
  if (!fd) return response;
  const std::string request = "GET " + address.path +
                              " HTTP/1.1\r\nHost: localhost:" + std::to_string(address.port) +
                              "\r\nConnection: close\r\n\r\n";
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    response.error = std::string("send: ") + std::strerror(errno);
    return response;
  }
  std::string text;
  std::array<char, 65536> buffer{};
  while (true) {
    pollfd entry{fd.get(), POLLIN, 0};
    const Millis left = deadline - BootNow();
    if (left <= 0 || ::poll(&entry, 1, static_cast<int>(left)) == 0) {
      response.error = "no answer within " + std::to_string(timeout) + " ms";
      return response;
    }
    const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0) return ParseResponse(text);
    if (got < 0) {
      response.error = std::string("receive: ") + std::strerror(errno);
      return response;
    }
  }
}

// -------------------------------------------------------------------------------------------------
// load

const LaneReport& LoadReport::lane(const std::string& name) const {
  for (const LaneReport& each : lanes) {
    if (each.name == name) return each;
  }
  FAIL("the load client reports no lane ", name, ": ", text);
  return lanes.front();
}

std::int64_t LoadReport::ok() const {
  std::int64_t sum = 0;
  for (const LaneReport& each : lanes) sum += each.ok;
  return sum;
}

std::int64_t LoadReport::failed() const {
  std::int64_t sum = 0;
  for (const LaneReport& each : lanes) sum += each.failed;
  return sum;
}

LoadClient::LoadClient(World& world, const Words& lanes, const Words& options) {
  Words command{BinaryPath("slc-load"), "--until-signal", "--json"};
  command.insert(command.end(), options.begin(), options.end());
  for (const std::string& lane : lanes) {
    command.emplace_back("--lane");
    command.push_back(lane);
  }
  process_ = std::make_unique<Running>(world.BeginProgram(command));
  WaitUntil(
      [&] {
        if (process_->HasEnded()) FAIL("slc-load ended at once: ", process_->Wait().err);
        return connections() > 0;
      },
      10'000, "the load client's first connection");
}

std::size_t LoadClient::connections() const {
  std::set<std::string> own;
  for (const std::string& target : DescriptorTargets(process_->pid())) {
    if (StartsWith(target, "socket:[")) own.insert(target.substr(8, target.size() - 9));
  }
  std::size_t established = 0;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    for (const std::string& line : LinesOf(ReadText(table))) {
      std::istringstream words(line);
      std::vector<std::string> fields;
      for (std::string word; words >> word;) fields.push_back(word);
      if (fields.size() > 9 && fields[3] == "01" && own.count(fields[9]) > 0) ++established;
    }
  }
  return established;
}

LoadReport LoadClient::Stop(Millis deadline) {
  process_->Signal(SIGTERM);
  const Ran& ran = process_->Wait(deadline);
  LoadReport report;
  report.text = ran.out;
  auto parsed = ParseJson(ran.out);
  if (!parsed) FAIL("slc-load printed no JSON: ", ran.out, ran.err);
  report.passed = ran.code == 0 && parsed->at("passed").get<bool>();
  for (const auto& each : parsed->at("lanes")) {
    LaneReport lane;
    lane.name = each.at("name");
    lane.attempted = each.at("attempted");
    lane.sent = each.at("sent");
    lane.ok = each.at("ok");
    for (const auto& [kind, count] : each.at("failures").items()) {
      if (kind == "total") {
        lane.failed = count;
      } else {
        lane.failures[kind] = count;
      }
    }
    for (const auto& failure : each.at("first_failures")) {
      const Millis since_start = static_cast<Millis>(failure.at("at_ms").get<double>());
      lane.first_failures.push_back({parsed->at("started_ms").get<Millis>() + since_start,
                                     failure.at("kind"), failure.at("text")});
    }
    lane.closed_between = each.at("closed_between");
    lane.reset_between = each.at("reset_between");
    lane.connections = each.at("connections_opened");
    if (const auto& slowest = each.at("latency_ms").at("max"); slowest.is_number()) {
      lane.slowest = static_cast<Millis>(slowest.get<double>());
      lane.slowest_at = parsed->at("started_ms").get<Millis>() +
                        static_cast<Millis>(each.at("slowest_at_ms").get<double>());
    }
    if (each.at("longest_gap_ms").is_number()) lane.longest_gap_ms = each.at("longest_gap_ms");
    for (const auto& [worker, counts] : each.at("workers").items()) {
      lane.requests_by_worker[worker] = counts.at("requests");
      lane.connections_by_worker[worker] = counts.at("connections");
    }
    report.lanes.push_back(std::move(lane));
  }
  return report;
}

// ------------------------------------------------------------------------------------------------
// World

std::string App::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port) + path;
}

World::World() : folder_(MakeTemporaryFolder()), home_(folder_ + "/home") {
  Guardian::Watch(home_);
  env_ = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
          {"HOME", folder_},
          {"LANG", "C.UTF-8"},
          {"TERM", "dumb"},
          {"SLC_HOME", home_}};
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
    // Into files: not every program here has a stderr that anyone reads.
    if (!Variable(name).empty())
      env_[name] = Variable(name) + ":log_path=" + folder_ + "/sanitizer";
  }
  if (const auto major = ParseInteger(Variable("SLC_TEST_NODE"), 1, 99)) {
    UseNode(static_cast<int>(*major));
  }
}

World::~World() {
  // A failed REQUIRE within End() must not leave a destructor.
  try {
    End();
  } catch (...) {
    CurrentTest::failed = true;
  }
  KillAllOf(home_);
  if (CurrentTest::failed || std::uncaught_exceptions() > 0) {
    ShowEvidence();
  } else if (Variable("SLC_TEST_KEEP") != "1") {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
}

std::string World::NodePath(int major) const {
  const std::string path =
      SourcePath("tests/node_versions/node_modules/node" + std::to_string(major) + "/bin/node");
  if (!Exists(path)) FAIL(path, " is missing; run `npm ci` in tests/node_versions");
  return path;
}

void World::UseNode(int major) {
  env_["PATH"] = fs::path(NodePath(major)).parent_path().string() + ":/usr/local/bin:/usr/bin:/bin";
}

Running World::Spawn(const Words& command, const Options& options) {
  Running running;
  const std::string base = folder_ + "/runs/" + std::to_string(++runs_);
  running.command_ = CommandText(command);
  running.out_path_ = base + ".out";
  running.err_path_ = base + ".err";
  WriteText(base + ".command", running.command_ + "\n");
  const auto open = [](const std::string& path) {
    return UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  };
  const UniqueFd out = open(running.out_path_);
  const UniqueFd err = open(running.err_path_);
  Environment environment(env_.begin(), env_.end());
  for (const auto& [name, value] : options.env) environment[name] = value;
  SpawnOptions spawn;
  auto program = FindProgram(command.at(0), environment["PATH"]);
  if (!program) FAIL(program.error().message);
  spawn.program = *program;
  spawn.arguments = command;
  spawn.environment = ToBlock(environment);
  spawn.working_directory = options.cwd.empty() ? folder_ : options.cwd;
  spawn.descriptors = {{out.get(), STDOUT_FILENO}, {err.get(), STDERR_FILENO}};
  running.started_ = BootNow();
  auto spawned = slc::Spawn(spawn);
  if (!spawned) FAIL(running.command_, ": ", spawned.error().message);
  running.identity_ = spawned->identity;
  running.pidfd_ = std::move(spawned->pidfd);
  return running;
}

void World::OwnPrograms() {
  programs_ = folder_ + "/bin";
  fs::create_directories(programs_);
  for (const char* name : {"slc", "slcd", "slc-master"}) Install(name, BinaryPath(name));
  Install("agent.cjs", SourcePath("daemon/master/agent/agent.cjs"));
}

void World::Install(const std::string& program, const std::string& from) {
  const std::string target = programs_ + "/" + program;
  fs::copy_file(from, target + ".new");
  fs::rename(target + ".new", target);
}

std::string World::ProgramPath(const std::string& name) const {
  return programs_.empty() ? BinaryPath(name) : programs_ + "/" + name;
}

Running World::Begin(const Words& arguments, const Options& options) {
  Words command{ProgramPath("slc")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return Spawn(command, options);
}

Running World::BeginProgram(const Words& command, const Options& options) {
  return Spawn(command, options);
}

Ran World::Slc(const Words& arguments, const Options& options) {
  return Begin(arguments, options).Wait(options.deadline);
}

Ran World::Must(const Words& arguments, const Options& options) {
  Ran ran = Slc(arguments, options);
  if (ran.code != 0) {
    FAIL("exit code ", ran.code, " of: slc ", CommandText(arguments), "\nstdout: ", ran.out,
         "\nstderr: ", ran.err);
  }
  return ran;
}

nlohmann::json World::Json(const Words& arguments, const Options& options) {
  Words words = arguments;
  // What stands behind "--" belongs to the app.
  words.insert(std::find(words.begin(), words.end(), "--"), "--json");
  const Ran ran = Slc(words, options);
  auto parsed = ParseJson(ran.out);
  if (!parsed)
    FAIL("no JSON from: slc ", CommandText(words), "\nstdout: ", ran.out, "\nstderr: ", ran.err);
  return *parsed;
}

App World::StartApp(const std::string& app, const Words& options, const Options& how) {
  const std::string path = SourcePath("tests/apps/" + app);
  NeedModules(path);
  return StartPath(path, options, how);
}

App World::StartPath(const std::string& path, const Words& options, const Options& how) {
  Words arguments{"start", path};
  arguments.insert(arguments.end(), options.begin(), options.end());
  App app;
  // What stands behind "--" belongs to the app.
  const auto mark = std::find(arguments.begin(), arguments.end(), "--");
  const auto option = std::find(arguments.begin(), mark, "--port");
  if (option == mark) {
    app.port = FreePort();
    arguments.insert(mark, {"--port", std::to_string(app.port)});
  } else {
    app.port = static_cast<std::uint16_t>(std::atoi((option + 1)->c_str()));
  }
  app.started = Must(arguments, how);
  // "my-app: server.js (reason)"
  const std::string first = LinesOf(app.started.out).empty() ? "" : LinesOf(app.started.out)[0];
  app.name = first.substr(0, first.find(": "));
  app.folder = fs::is_directory(path) ? path : fs::path(path).parent_path().string();
  return app;
}

std::string World::CopyApp(const std::string& app, const std::string& as) {
  const std::string from = SourcePath("tests/apps/" + app);
  NeedModules(from);
  const std::string name = as.empty() ? fs::path(app).filename().string() : as;
  const std::string to = folder_ + "/apps/" + name;
  if (!fs::is_directory(from)) {
    fs::create_directories(fs::path(to).parent_path());
    fs::copy_file(from, to);
    return to;
  }
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string file = entry.path().filename().string();
    if (file == "node_modules") {
      fs::create_directory_symlink(entry.path(), to + "/node_modules");
    } else {
      fs::copy(entry.path(), to + "/" + file, fs::copy_options::recursive);
    }
  }
  return to;
}

std::string World::MakeFolder(const std::string& name,
                              const std::map<std::string, std::string>& files) {
  const std::string path = folder_ + "/apps/" + name;
  fs::create_directories(path);
  for (const auto& [file, text] : files) WriteText(path + "/" + file, text);
  return path;
}

World::Certificate World::MakeCertificate() {
  Certificate made{folder_ + "/key.pem", folder_ + "/certificate.pem"};
  const Ran ran = BeginProgram({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                                "/CN=localhost", "-keyout", made.key, "-out", made.certificate})
                      .Wait();
  if (ran.code != 0) FAIL("openssl: ", ran.err);
  return made;
}

std::vector<ServiceView> World::Views() {
  auto client = ControlClient::Connect(socket());
  if (!client) return {};
  Request request;
  request.id = NewRequestId();
  request.body = ListServices{};
  if (!client->Send(request)) return {};
  constexpr Millis kPatience = 10'000;
  auto message = client->Receive(kPatience);
  if (!message || !*message) return {};
  const auto* reply = std::get_if<Reply>(&(*message)->body);
  if (reply == nullptr) return {};
  const auto* views = std::get_if<std::vector<ServiceView>>(&reply->data);
  return views != nullptr ? *views : std::vector<ServiceView>{};
}

std::optional<ServiceView> World::TryView(const std::string& service) {
  for (ServiceView& view : Views()) {
    if (view.name == service || std::to_string(view.id) == service) return std::move(view);
  }
  return std::nullopt;
}

ServiceView World::View(const std::string& service) {
  auto view = TryView(service);
  if (!view) FAIL("there is no service ", service);
  return *view;
}

std::vector<int> World::ReadyPids(const std::string& service) {
  std::vector<int> pids;
  const auto view = TryView(service);
  if (!view) return pids;
  for (const ProcessView& process : view->processes) {
    if (process.worker != 0 && process.state == "ready") pids.push_back(process.pid);
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

int World::MasterPid(const std::string& service) {
  const ServiceView view = View(service);
  for (const ProcessView& process : view.processes) {
    if (process.worker == 0) return process.pid;
  }
  FAIL("service ", service, " has no master, its state is ", view.state);
  return 0;
}

std::vector<ProcessIdentity> World::Supervisors() const { return FindSupervisors(home_); }
std::vector<ProcessIdentity> World::Workers() const { return FindWorkers(home_); }

std::optional<ProcessIdentity> World::Daemon() const {
  for (const ProcessIdentity& each : Supervisors()) {
    const std::string program = LinkTarget("/proc/" + std::to_string(each.pid) + "/exe");
    if (Contains(program, "/slcd") && IsAlive(each)) return each;
  }
  return std::nullopt;
}

ServiceView World::WaitForState(const std::string& service, const std::string& state,
                                Millis deadline) {
  std::optional<ServiceView> view;
  std::string last = "(no such service)";
  const Millis start = BootNow();
  while (true) {
    view = TryView(service);
    if (view && view->state == state) return *view;
    if (view) last = view->state + " (" + view->reason + ")";
    if (BootNow() - start > deadline) {
      FAIL("waited ", deadline, " ms in vain for service ", service, " to be ", state, ", it is ",
           last);
    }
    ::poll(nullptr, 0, 10);
  }
}

std::string World::DaemonLog() const {
  std::string text;
  for (const char* name : {"slcd.3.log", "slcd.2.log", "slcd.1.log", "slcd.log", "slcd.out"}) {
    text += ReadText(home_ + "/logs/" + name);
  }
  return text;
}

void World::KillDaemon() {
  const auto daemon = Daemon();
  if (!daemon) FAIL("no slcd runs");
  Kill(*daemon);
  WaitUntil([&] { return !IsAlive(*daemon); }, 10'000, "slcd to be gone after SIGKILL");
}

void World::KillMaster(const std::string& service) {
  const auto master = IdentifyProcess(MasterPid(service));
  if (!master) FAIL("the master of ", service, " is gone already");
  ExpectInLog("has taken over");
  ExpectInLog("is gone or does not answer; replacing it");
  Kill(*master);
  WaitUntil([&] { return !IsAlive(*master); }, 10'000, "the master to be gone after SIGKILL");
}

void World::End() {
  if (ended_) return;
  ended_ = true;
  const bool used = Exists(home_);
  if (used) {
    CheckDescriptors();
    const Ran ran = Slc({"ctl", "shutdown"});
    CHECK_MESSAGE(ran.code == 0, "slc ctl shutdown at the end: ", ran.out, ran.err);
    CheckNothingIsLeft();
    CheckLogs();
    CheckKernelLog();
  }
  CheckSanitizers();
}

namespace {

// How many descriptors of each kind a process of ours may have.
using Kinds = std::map<std::string, std::size_t>;

// Kinds of which there are more than `most` says, for people; empty if all is well.
std::string Excess(pid_t pid, const Kinds& most) {
  Kinds open;
  for (std::string file : OpenFiles(pid)) {
    if (StartsWith(file, "/memfd")) file = "memfd";
    if (most.count(file) > 0) ++open[file];
  }
  std::string text;
  for (const auto& [kind, count] : open) {
    if (count <= most.at(kind)) continue;
    text +=
        " " + std::to_string(count) + " x " + kind + " instead of " + std::to_string(most.at(kind));
  }
  return text;
}

}  // namespace

// A process that has settled has what its workers need and no more. Seen with `ls -l /proc/PID/fd`:
// two pipes are libuv's (signals, other threads); without workers a master has three descriptors of
// epoll and pidfds, and one of a slcd that it has started, slcd two. One socket of slcd's is ours,
// who ask.
std::string World::DescriptorsTooMany() {
  const auto daemon = Daemon();
  if (!daemon) return {};
  std::size_t workers = 0;
  std::size_t masters = 0;
  std::size_t listeners = 0;
  for (const ServiceView& view : Views()) {
    const bool settled = view.state == "running" || view.state == "stopped";
    if (!settled) return {};
    if (view.processes.empty()) continue;
    std::set<std::string> addresses;
    for (const ProcessView& process : view.processes) {
      if (process.state != "ready") return {};
      addresses.insert(process.listening.begin(), process.listening.end());
    }
    const std::size_t own = view.processes.size() - 1;
    // Of a state and its successor while it grows, and of a roll's two generations.
    const std::string excess =
        Excess(view.processes[0].pid, {{"pipe", 4 + 2 * own},
                                       {"anon_inode", 4 + own},
                                       {"socket", 2 + own + addresses.size()},
                                       {"memfd", 4}});
    if (!excess.empty()) return "the master of " + view.name + " has" + excess;
    ++masters;
    workers += own;
    listeners += addresses.size();
  }
  const std::string excess = Excess(daemon->pid, {{"pipe", 4 + 2 * workers},
                                                  {"anon_inode", 2 + masters},
                                                  {"socket", 2 + masters + workers + listeners},
                                                  {"memfd", 4 * masters}});
  return excess.empty() ? std::string() : "slcd has" + excess;
}

void World::CheckDescriptors() {
  // Of what has just ended, and of clients that have just left.
  constexpr Millis kPatience = 5'000;
  const Millis deadline = BootNow() + kPatience;
  std::string excess = DescriptorsTooMany();
  while (!excess.empty() && BootNow() < deadline) {
    ::poll(nullptr, 0, 20);
    excess = DescriptorsTooMany();
  }
  CHECK_MESSAGE(excess.empty(), "descriptors are leaked: ", excess);
}

void World::CheckNothingIsLeft() {
  // slcd answers before it is gone.
  constexpr Millis kPatience = 5'000;
  const Millis deadline = BootNow() + kPatience;
  std::vector<ProcessIdentity> left = FindAllOf(home_);
  while (!left.empty() && BootNow() < deadline) {
    ::poll(nullptr, 0, 10);
    left = FindAllOf(home_);
  }
  std::string names;
  for (const ProcessIdentity& each : left) {
    std::string command = ReadText("/proc/" + std::to_string(each.pid) + "/cmdline");
    std::replace(command.begin(), command.end(), '\0', ' ');
    names += "\n  pid " + std::to_string(each.pid) + ": " + command;
  }
  CHECK_MESSAGE(left.empty(), "processes are left after shutdown:", names);
}

void World::CheckLogs() {
  // A master that crashes has no log of its own to say so: slcd's says that there is a new one.
  static const Words suspicious{" warning ", " error ",   " critical ",     "has taken over",
                                "ssertion",  "Sanitizer", "runtime error:", "terminate called",
                                "abort",     "leaked"};
  for (const std::string& line : LinesOf(DaemonLog())) {
    const auto holds = [&](const std::string& part) { return Contains(line, part); };
    const bool bad = std::any_of(suspicious.begin(), suspicious.end(), holds);
    if (!bad || std::any_of(expected_.begin(), expected_.end(), holds)) continue;
    ADD_FAIL_CHECK_AT(__FILE__, __LINE__, "unexpected line in slcd's log: " << line);
  }
}

// A slcd or master that crashes is replaced so soon that a test need not notice: the kernel does.
// Where its log may not be read nothing is said.
void World::CheckKernelLog() {
  constexpr int kReadAll = 3;
  std::string text(1U << 20, '\0');
  const int length = ::klogctl(kReadAll, text.data(), static_cast<int>(text.size()));
  text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  const std::string journal =
      ReadText(home_ + "/" + kOlderJournalFile) + ReadText(home_ + "/" + kJournalFile);
  for (const std::string& line : LinesOf(text)) {
    if (!Contains(line, "segfault") && !Contains(line, "trap ") && !Contains(line, "general prot"))
      continue;
    for (const std::string name : {"slcd[", "slc-master["}) {
      const std::size_t at = line.find(name);
      if (at == std::string::npos) continue;
      const std::string pid = line.substr(at + name.size(), line.find(']', at) - at - name.size());
      // Pids come back: only of one that began after this world did.
      const double when = std::strtod(line.substr(line.find('[') + 1).c_str(), nullptr);
      const bool ours =
          when * 1000 >= static_cast<double>(began_) &&
          (Contains(journal, "\"pid\":" + pid + ",") || Contains(journal, "\"pid\":" + pid + "}"));
      if (ours) ADD_FAIL_CHECK_AT(__FILE__, __LINE__, "a crash: " << line);
    }
  }
}

void World::CheckSanitizers() {
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string path = entry.path();
    if (!StartsWith(path, folder_ + "/sanitizer.")) continue;
    ADD_FAIL_CHECK_AT(__FILE__, __LINE__, "a sanitizer's report: " << ReadText(path));
  }
}

void World::ShowEvidence() const {
  std::string text =
      "\n---- evidence of \"" + CurrentTest::name + "\" is kept in " + folder_ + "\n";
  constexpr std::size_t kLines = 15;
  text += "  slcd.log:\n" + LastLines(DaemonLog(), kLines);
  std::error_code ignored;
  for (auto it = fs::recursive_directory_iterator(home_ + "/logs", ignored);
       it != fs::recursive_directory_iterator(); it.increment(ignored)) {
    const std::string path = it->path();
    if (!EndsWith(path, "/out.log") && !EndsWith(path, "/err.log")) continue;
    text += "  " + path.substr(home_.size() + 1) + ":\n" + LastLines(ReadText(path), kLines);
  }
  std::fputs(text.c_str(), stderr);
}

}  // namespace slc::test
