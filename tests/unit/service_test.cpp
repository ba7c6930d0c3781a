#include "common/model/service.h"

#include <functional>

#include <doctest/doctest.h>

#include "common/model/instance.h"
#include "tests/unit/histories.h"

namespace slc {

TEST_CASE("A size is cpu or 0 to 1024") {
  CHECK(*ParseSize("cpu") == kSizeCpu);
  CHECK(*ParseSize("CPU") == kSizeCpu);
  CHECK(*ParseSize("0") == 0);
  CHECK(*ParseSize("1024") == 1024);
  for (const char* text : {"", "-1", "1025", "100000", "x", "1.5", "4 ", "cpu2", "0x4"}) {
    CAPTURE(text);
    const auto size = ParseSize(text);
    REQUIRE_FALSE(size.ok());
    CHECK(size.error().code == ErrorCode::kInvalid);
    CHECK(size.error().message.find("0 to 1024") != std::string::npos);
  }
  CHECK(FormatSize(kSizeCpu) == "cpu");
  CHECK(FormatSize(7) == "7");
}

TEST_CASE("Names of services") {
  const std::string longest(64, 'a');
  for (const std::string& name : {std::string("a"), std::string("my-app"), std::string("A.b_c-9"),
                                  std::string("9a"), std::string("_x"), longest}) {
    CAPTURE(name);
    CHECK(CheckServiceName(name).ok());
  }
  for (const std::string& name :
       {std::string(), std::string("7"), std::string("007"), std::string(".a"), std::string("-a"),
        std::string("a b"), std::string("a/b"), std::string("../x"), std::string("@a/b"),
        std::string("h\xc3\xb6her"), std::string("a\0b", 3), std::string("a\n"), longest + "a"}) {
    CAPTURE(name);
    CHECK_FALSE(CheckServiceName(name));
  }
  CHECK(CheckServiceName("\x1b[2J").error().message.find('\x1b') == std::string::npos);
}

TEST_CASE("A package or folder name becomes a name of a service") {
  struct Row {
    std::string from;
    const char* to;
  };
  for (const Row& row :
       {Row{"my-app", "my-app"}, Row{"@acme/api", "acme-api"}, Row{"My App (2)", "My-App-2"},
        Row{".hidden", "hidden"}, Row{"--x--", "x"}, Row{"a//b", "a-b"}, Row{"2024", "app-2024"},
        Row{"h\xc3\xb6her", "h-her"}, Row{"", ""}, Row{"///", ""}, Row{"...", ""}, Row{"-.-", ""},
        Row{"\xe5\xba\x94\xe7\x94\xa8", ""}}) {
    CAPTURE(row.from);
    CHECK(ToServiceName(row.from) == row.to);
  }
}

TEST_CASE("Whatever a folder is called, its service's name is good or there is none") {
  RunHistories(10'000, [](Random& random) {
    const std::string alphabet = "aZ09._-@/ \xc3\xb6";
    std::string name;
    const bool digits = random.Chance(20);
    for (auto left = random.Between(0, 90); left > 0; --left) {
      name += digits ? '7' : alphabet[random.Below(static_cast<unsigned>(alphabet.size()))];
    }
    const std::string made = ToServiceName(name);
    if (made.empty() || CheckServiceName(made)) return std::string();
    return "'" + name + "' became '" + made + "'";
  });
}

TEST_CASE("A number of CPUs is written with three decimals at most") {
  for (const auto& [text, millis] : {std::pair{"1", 1000U},
                                     {"1.5", 1500U},
                                     {"0.01", 10U},
                                     {"2.125", 2125U},
                                     {"1024", 1024000U}}) {
    CAPTURE(text);
    REQUIRE(ParseCpus(text));
    CHECK(*ParseCpus(text) == millis);
    CHECK(FormatCpus(millis) == text);
  }
  for (const char* bad :
       {"", ".", "1.", ".5", "0", "0.001", "-1", "1025", "1024.001", "1.0000", "1,5", "x"}) {
    CAPTURE(bad);
    CHECK_FALSE(ParseCpus(bad));
  }
}

TEST_CASE("Every option that changes is told, and values of variables are not") {
  const ServiceSpec before;
  const std::vector<std::pair<const char*, std::function<void(ServiceSpec&)>>> changes = {
      {"folder (none) -> /x", [](ServiceSpec& s) { s.directory = "/x"; }},
      {"script (none) -> a.js", [](ServiceSpec& s) { s.script = "a.js"; }},
      {"arguments (none) -> a b",
       [](ServiceSpec& s) {
         s.arguments = {"a", "b"};
       }},
      {"interpreter (none) -> python3", [](ServiceSpec& s) { s.interpreter = "python3"; }},
      {"node arguments (none) -> -r x",
       [](ServiceSpec& s) {
         s.node_arguments = {"-r", "x"};
       }},
      {"node (none) -> /n", [](ServiceSpec& s) { s.node = "/n"; }},
      {"cwd (none) -> y", [](ServiceSpec& s) { s.cwd = "y"; }},
      {"port (default) -> 80", [](ServiceSpec& s) { s.port = 80; }},
      {"listen (none) -> 80 /a",
       [](ServiceSpec& s) {
         s.listen = {"80", "/a"};
       }},
      {"balance rr -> sticky", [](ServiceSpec& s) { s.balance = Balance::kSticky; }},
      {"ready listening -> alive", [](ServiceSpec& s) { s.readiness = Readiness::kAlive; }},
      {"ready-timeout 30s -> 1ms", [](ServiceSpec& s) { s.ready_timeout = 1; }},
      {"drain-timeout 10s -> 1ms", [](ServiceSpec& s) { s.drain_timeout = 1; }},
      {"drain-linger 500ms -> 1ms", [](ServiceSpec& s) { s.drain_linger = 1; }},
      {"stop-signal SIGTERM -> SIGINT", [](ServiceSpec& s) { s.stop_signal = "SIGINT"; }},
      {"stop-timeout 5s -> 1ms", [](ServiceSpec& s) { s.stop_timeout = 1; }},
      {"restart always -> never", [](ServiceSpec& s) { s.restart = RestartPolicy::kNever; }},
      {"min-uptime 10s -> 1ms", [](ServiceSpec& s) { s.min_uptime = 1; }},
      {"max-restarts (none) -> 3", [](ServiceSpec& s) { s.max_restarts = 3; }},
      {"max-memory (none) -> 150M", [](ServiceSpec& s) { s.limits.max_memory = 150U << 20; }},
      {"hang-timeout (none) -> 2s", [](ServiceSpec& s) { s.limits.hang_timeout = 2000; }},
      {"nofile (none) -> 99", [](ServiceSpec& s) { s.limits.open_files = 99; }},
      {"nice (none) -> -3", [](ServiceSpec& s) { s.limits.nice = -3; }},
      {"cpus (none) -> 1.5", [](ServiceSpec& s) { s.limits.cpu_millis = 1500; }},
      {"log-rate (none) -> 7", [](ServiceSpec& s) { s.limits.log_rate = 7; }},
      {"spare off -> on", [](ServiceSpec& s) { s.spare = true; }},
      {"compile-cache on -> off", [](ServiceSpec& s) { s.compile_cache = false; }},
      {"restart-at (none) -> @daily", [](ServiceSpec& s) { s.restart_at = "@daily"; }},
      {"watch off -> on", [](ServiceSpec& s) { s.watch = true; }},
      {"watch-only (none) -> *.js", [](ServiceSpec& s) { s.watch_only = {"*.js"}; }},
      {"watch-restart off -> on", [](ServiceSpec& s) { s.watch_restart = true; }},
      {"agent on -> off", [](ServiceSpec& s) { s.agent = false; }},
      {"umask 022 -> 077", [](ServiceSpec& s) { s.file_mask = 077; }},
      {"run-as (none) -> nobody", [](ServiceSpec& s) { s.run_as = "nobody"; }},
      {"log-format text -> raw", [](ServiceSpec& s) { s.log_format = LogFormat::kRaw; }},
      {"log-size 10M -> 5", [](ServiceSpec& s) { s.log_file_bytes = 5; }},
      {"log-files 10 -> 3", [](ServiceSpec& s) { s.log_files = 3; }},
      {"env A added",
       [](ServiceSpec& s) {
         s.environment = {{"A", "secret"}};
       }},
      {"env A added",
       [](ServiceSpec& s) {
         s.script_environment = {{"A", "secret"}};
       }},
      {"env A added",
       [](ServiceSpec& s) {
         s.caller_environment = {{"A", "secret"}};
       }},
  };
  for (const auto& [note, change] : changes) {
    ServiceSpec after = before;
    change(after);
    CAPTURE(note);
    CHECK_FALSE(after == before);
    CHECK(DescribeChanges(before, after) == std::vector<std::string>{note});
    CHECK(DescribeChanges(after, after).empty());
  }
  ServiceSpec one;
  one.environment = {{"A", "secret"}, {"B", "1"}};
  ServiceSpec two;
  two.environment = {{"A", "other secret"}};
  CHECK(DescribeChanges(one, two) == std::vector<std::string>{"env A changed", "env B removed"});
}

TEST_CASE("Options in force are those that are not as by default") {
  CHECK(DescribeOptions(ServiceSpec()).empty());
  ServiceSpec spec;
  spec.directory = "/srv/app";
  spec.script = "server.js";
  spec.port = 80;
  spec.environment = {{"A", "1"}};
  spec.balance = Balance::kSlots;
  spec.limits.max_memory = 150U << 20;
  spec.compile_cache = false;
  CHECK(DescribeOptions(spec) ==
        std::vector<std::string>{"balance slots", "max-memory 150M", "compile-cache off"});
}

TEST_CASE("PORT is 3000 and the id, unless it was given") {
  Wish wish;
  wish.id = 1;
  CHECK(EffectivePort(wish) == 3001);
  wish.spec.port = 80;
  CHECK(EffectivePort(wish) == 80);
  wish.spec.environment["PORT"] = "8080";
  CHECK(EffectivePort(wish) == 8080);
  wish.spec.environment["PORT"] = "many";
  CHECK(EffectivePort(wish) == 80);
  wish = Wish{};
  wish.id = 62'535;
  CHECK(EffectivePort(wish) == 65'535);
  wish.id = 62'536;
  CHECK_FALSE(EffectivePort(wish));
  wish.id = 4'294'967'295U;
  CHECK_FALSE(EffectivePort(wish));
}

TEST_CASE("Names of choices are read as they are written") {
  for (const Readiness value : {Readiness::kListening, Readiness::kMessage, Readiness::kAlive}) {
    CHECK(ReadinessFromName(Name(value)) == value);
  }
  for (const RestartPolicy value :
       {RestartPolicy::kAlways, RestartPolicy::kOnFailure, RestartPolicy::kNever}) {
    CHECK(RestartPolicyFromName(Name(value)) == value);
  }
  for (const LogFormat value : {LogFormat::kText, LogFormat::kJson, LogFormat::kRaw}) {
    CHECK(LogFormatFromName(Name(value)) == value);
  }
  for (const WorkerState value :
       {WorkerState::kStarting, WorkerState::kReady, WorkerState::kDraining, WorkerState::kStopping,
        WorkerState::kKilling}) {
    CHECK(WorkerStateFromName(Name(value)) == value);
  }
  CHECK_FALSE(ReadinessFromName("Listening"));
  CHECK_FALSE(RestartPolicyFromName(""));
  CHECK_FALSE(LogFormatFromName("xml"));
  CHECK_FALSE(WorkerStateFromName("running"));
}

TEST_CASE("Listeners are shown as people write them") {
  ListenerFacts listener;
  listener.bound_port = 3001;
  CHECK(DescribeListener(listener) == "0.0.0.0:3001");
  listener.address = "127.0.0.1";
  CHECK(DescribeListener(listener) == "127.0.0.1:3001");
  listener.address = "::1";
  CHECK(DescribeListener(listener) == "[::1]:3001");
  listener.kind = ListenerKind::kUdp;
  CHECK(DescribeListener(listener) == "[::1]:3001/udp");
  listener.kind = ListenerKind::kUnix;
  listener.address = "/run/app.sock";
  CHECK(DescribeListener(listener) == "/run/app.sock");
}

TEST_CASE("Error codes travel by name") {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kProtocol); ++code) {
    const auto value = static_cast<ErrorCode>(code);
    CHECK(ErrorCodeFromName(ErrorCodeName(value)) == value);
  }
  CHECK(ErrorCodeFromName("no such thing") == ErrorCode::kInternal);
  CHECK(SystemError("open x", 2).message == "open x: No such file or directory");
  CHECK(Error{ErrorCode::kSystem, "b"}.During("a").message == "a: b");
}

}  // namespace slc
