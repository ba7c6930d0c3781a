#include "tests/system/harness/world.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/base/unique_fd.h"
#include "common/model/json_fields.h"
#include "tests/system/harness/current_test.h"
#include "tests/system/harness/home_processes.h"

namespace slc::test {
namespace {

namespace fs = std::filesystem;

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
  std::string path = base + "/slc-system-" + AsFileName(CurrentTestName()) + "-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) FAIL("cannot make ", path, ": ", std::strerror(errno));
  return path;
}

std::string CommandText(const Words& words) { return Join(words, " "); }

}  // namespace

World::World() : folder_(MakeTemporaryFolder()), home_(folder_ + "/home") {
  KillAllWhenWeEnd(home_);
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
    MarkCurrentTestAsFailed();
  }
  KillAllOf(home_);
  if (CurrentTestHasFailed() || std::uncaught_exceptions() > 0) {
    ShowEvidence();
  } else if (Variable("SLC_TEST_KEEP") != "1") {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
}

std::string World::NodePath(int major) const {
  std::string path =
      SourcePath("tests/node_versions/node_modules/node" + std::to_string(major) + "/bin/node");
  if (!Exists(path)) FAIL(path, " is missing; run `npm ci` in tests/node_versions");
  return path;
}

void World::Preload(const std::string& library) {
  std::string& libraries = env_["SLC_TEST_PRELOAD"];
  libraries += (libraries.empty() ? "" : ":") + library;
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
  for (const char* file : {"agent.cjs", "inspect.cjs"}) {
    Install(file, SourcePath(std::string("daemon/master/agent/") + file));
  }
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

}  // namespace slc::test
