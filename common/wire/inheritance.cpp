#include "common/wire/inheritance.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <set>

#include <nlohmann/json.hpp>

#include "common/model/json_fields.h"
#include "common/wire/self_check.h"
#include "common/wire/snapshot_format.h"

namespace slc {
namespace {

using nlohmann::json;

constexpr int kHighestFd = 1 << 24;

sigset_t HeldBack() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  return signals;
}

bool SetCloseOnExec(int fd, bool on) { return ::fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) == 0; }

Error Broken(const std::string& what) {
  return Error{ErrorCode::kInvalid, "what the last image left cannot be read: " + what};
}

}  // namespace

Status Bequest::Add(const std::string& name, const std::string& text) {
  auto memfd = MakeMemfd("slc-text", text);
  if (!memfd) return memfd.error();
  owned.emplace_back(*memfd);
  fds[name] = *memfd;
  return Ok();
}

Result<Inheritance> Inheritance::Receive(int manifest) {
  if (!SetCloseOnExec(manifest, true)) return SystemError("open what the last image left", errno);
  const UniqueFd owned(manifest);
  auto text = ReadMemfd(manifest);
  if (!text) return text.error();
  auto parsed = ParseJson(*text);
  if (!parsed) return parsed.error();
  Inheritance inheritance;
  std::uint32_t form = 0;
  JsonFields fields(*parsed, "manifest");
  fields.Require("form");
  fields.Require("fds");
  fields.Read("form", form);
  fields.Read("facts", inheritance.facts_);
  std::map<std::string, int> numbers;
  fields.ReadArray("fds", [&](const json& element) {
    JsonFields entry(element, "fd");
    std::string name;
    int number = -1;
    entry.Require("name");
    entry.Require("fd");
    entry.Read("name", name);
    entry.Read("fd", number);
    if (!numbers.emplace(name, number).second) entry.Fail("name", "a name of its own");
    return entry.status();
  });
  if (Status good = fields.status(); !good) return good.error();
  if (form != kInheritanceForm) return Broken("its form is " + std::to_string(form));
  std::set<int> seen{manifest};
  for (const auto& [name, number] : numbers) {
    const bool sound = number > STDERR_FILENO && number <= kHighestFd && seen.insert(number).second;
    if (!sound || !SetCloseOnExec(number, true)) {
      return Broken("'" + name + "' is not an open descriptor of its own");
    }
  }
  for (const auto& [name, number] : numbers) inheritance.fds_.Add(name, UniqueFd(number));
  return inheritance;
}

Error ExecuteInPlace(const std::string& program, std::vector<std::string> arguments,
                     const Bequest& bequest, const rlimit& found_core) {
  json fds = json::array();
  for (const auto& [name, fd] : bequest.fds) fds.push_back(json{{"name", name}, {"fd", fd}});
  auto memfd = MakeMemfd("slc-inherit", DumpJson(json{{"form", kInheritanceForm},
                                                      {"facts", bequest.facts},
                                                      {"fds", std::move(fds)}}));
  if (!memfd) return memfd.error();
  const UniqueFd manifest(*memfd);
  arguments.emplace_back("--inherit");
  arguments.push_back(std::to_string(manifest.get()));
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  rlimit our_core{};
  ::getrlimit(RLIMIT_CORE, &our_core);
  ::setrlimit(RLIMIT_CORE, &found_core);
  const sigset_t held = HeldBack();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &held, &before);
  const auto set_all = [&](bool close_on_exec) {
    SetCloseOnExec(manifest.get(), close_on_exec);
    for (const auto& [name, fd] : bequest.fds) SetCloseOnExec(fd, close_on_exec);
  };
  // A library may have opened something without close-on-exec.
  ::close_range(3U, ~0U, CLOSE_RANGE_CLOEXEC);
  set_all(false);
  ::execv(program.c_str(), argv.data());
  const int reason = errno;
  set_all(true);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::setrlimit(RLIMIT_CORE, &our_core);
  return SystemError("execute " + program, reason);
}

void AcceptSignals() {
  const sigset_t held = HeldBack();
  ::pthread_sigmask(SIG_UNBLOCK, &held, nullptr);
}

}  // namespace slc
