#include "daemon/core/running_spec.h"

#include <doctest/doctest.h>

#include "daemon/core/registry.h"
#include "daemon/generation_resolver.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

// As `slc start` reads it from the folder.
ServiceSpec PlainSpec(const std::string& folder) {
  ServiceSpec spec;
  spec.name = "web";
  spec.directory = folder;
  spec.script = "server.sh";
  spec.arguments = {"from-package-json"};
  return spec;
}

ServiceSpec RichSpec(const std::string& folder) {
  ServiceSpec spec = PlainSpec(folder);
  spec.arguments = {"--fast", "x"};
  spec.own_arguments = true;
  spec.port = 4100;
  spec.listen = {"127.0.0.1:4100"};
  spec.readiness = Readiness::kAlive;
  spec.ready_timeout = 1234;
  spec.drain_timeout = 2345;
  spec.drain_linger = 345;
  spec.stop_signal = "SIGQUIT";
  spec.stop_timeout = 456;
  spec.restart = RestartPolicy::kOnFailure;
  spec.min_uptime = 567;
  spec.max_restarts = 7;
  spec.limits.max_memory = 1U << 30;
  spec.limits.nice = 3;
  spec.limits.log_rate = 4096;
  spec.compile_cache = false;
  spec.log_format = LogFormat::kJson;
  spec.log_file_bytes = 1U << 20;
  spec.log_files = 3;
  spec.environment = {{"TOKEN", "t"}};
  return spec;
}

struct Runs {
  TempFolder folder;
  ServiceSpec before;
  GenerationConfig config;

  Runs() {
    folder.Write("server.sh", "#!/bin/sh\n", 0755);
    Wish wish;
    wish.id = 5;
    wish.spec = before = RichSpec(folder.path());
    auto resolved = ResolveGeneration(wish);
    REQUIRE_MESSAGE(resolved.ok(), resolved.error().message);
    config = *resolved;
  }
};

}  // namespace

TEST_SUITE_BEGIN("running spec");

TEST_CASE("The options that workers show are those they were started with") {
  const Runs runs;
  ServiceSpec spec = SpecOfRunning(runs.config, 5, PlainSpec(runs.folder.path()));
  CHECK(VariablesMissing(runs.config, spec) == std::vector<std::string>{"TOKEN"});
  spec.environment = runs.before.environment;
  CHECK(spec == runs.before);
  CHECK(VariablesMissing(runs.config, spec).empty());
}

TEST_CASE("The port of a service that was given none stays the one of its id") {
  Runs runs;
  runs.config.environment = {"PORT=3005"};
  CHECK_FALSE(SpecOfRunning(runs.config, 5, PlainSpec(runs.folder.path())).port);
  CHECK(SpecOfRunning(runs.config, 6, PlainSpec(runs.folder.path())).port == 3005);
}

TEST_CASE("What ran as another user is never repaired to run as slcd's") {
  Runs runs;
  runs.config.has_run_as = true;
  runs.config.uid = 1001;
  runs.config.gid = 33;
  CHECK(SpecOfRunning(runs.config, 5, PlainSpec(runs.folder.path())).run_as == "1001:33");
}

TEST_CASE("A repair keeps what runs, but for what is given anew") {
  const Runs runs;
  Registry registry(false);
  Quarantined bad;
  bad.id = 5;
  bad.name = "web";
  bad.directory = runs.folder.path();
  bad.command = runs.config.arguments;
  bad.obeyed = FleetWish{true, false, 3, 7, RollMode::kRestart, 1, 40};
  bad.runs = runs.config;
  registry.Quarantine(bad);
  StartWish start;
  start.spec = PlainSpec(runs.folder.path());
  start.spec.max_restarts = 9;
  start.given = {"max-restarts"};
  const auto repaired = registry.ProposeStart(start);
  REQUIRE(repaired);
  CHECK(repaired->wish.spec.max_restarts == 9);
  CHECK(repaired->wish.spec.port == 4100);
  CHECK(repaired->wish.spec.listen == runs.before.listen);
  CHECK(repaired->wish.spec.arguments == runs.before.arguments);
  REQUIRE(repaired->notes.size() == 1);
  CHECK(repaired->notes[0].find("unless .env has them: TOKEN (slc ctl env-set web") !=
        std::string::npos);
}

TEST_SUITE_END();

}  // namespace slc
