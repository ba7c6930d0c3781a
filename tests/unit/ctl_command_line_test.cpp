#include <algorithm>

#include <doctest/doctest.h>

#include "ctl/command_line.h"
#include "ctl/command_table.h"

namespace slc::ctl {
namespace {

using Words = std::vector<std::string>;

template <typename T>
T Parse(const Words& words) {
  auto parsed = ParseCommandLine(words);
  const auto* printout = std::get_if<Printout>(&parsed);
  const std::string complaint = printout != nullptr ? printout->text : "";
  INFO(complaint);
  REQUIRE(printout == nullptr);
  const auto* options = std::get_if<T>(&std::get<Command>(parsed));
  REQUIRE(options != nullptr);
  return *options;
}

std::string Refused(const Words& words) {
  auto parsed = ParseCommandLine(words);
  const auto* printout = std::get_if<Printout>(&parsed);
  if (printout == nullptr || !printout->is_error) return "accepted";
  // One clear line.
  CHECK(printout->text.find('\n') == std::string::npos);
  return printout->text;
}

std::string Shown(const Words& words) {
  auto parsed = ParseCommandLine(words);
  const auto* printout = std::get_if<Printout>(&parsed);
  return printout != nullptr && !printout->is_error ? printout->text : "not shown";
}

bool Contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("slc ctl alone is status") {
  CHECK(Parse<StatusOptions>({"ctl"}).service.empty());
  CHECK(Parse<StatusOptions>({"ctl", "--wide"}).wide);
  CHECK(Parse<StatusOptions>({"ctl", "--json"}).control.json);
  CHECK(Parse<StatusOptions>({"ctl", "status", "my-app", "--wide"}).service == "my-app");
}

TEST_CASE("a gateway listens at several places, and a token has several scopes") {
  const auto gateway =
      Parse<GatewayOptions>({"gateway", "start", "--listen", "127.0.0.1:1", "--listen",
                             "unix:/run/a", "--host", "a", "--host", "b"});
  CHECK(gateway.wish.listen == Words{"127.0.0.1:1", "unix:/run/a"});
  CHECK(gateway.wish.hosts == Words{"a", "b"});
  const auto token =
      Parse<TokenOptions>({"token", "add", "ci", "--scope", "read,operate", "--scope", "deploy"});
  CHECK(token.scopes == std::vector<Scope>{Scope::kRead, Scope::kOperate, Scope::kDeploy});
}

TEST_CASE("slc service knows two things to do, and shows them unless it is told to act") {
  const auto shown = Parse<BootOptions>({"service", "install"});
  CHECK(shown.install);
  CHECK_FALSE(shown.yes);
  CHECK_FALSE(shown.user);
  CHECK(shown.name == "slc");
  const auto mine =
      Parse<BootOptions>({"service", "uninstall", "--user", "--yes", "--force", "--name", "b"});
  CHECK_FALSE(mine.install);
  CHECK((mine.user && mine.yes && mine.force));
  CHECK(mine.name == "b");
  CHECK(Contains(Refused({"service", "start"}), "neither install nor uninstall"));
  CHECK(Contains(Refused({"service", "install", "--name", "a/b"}), "no name for a unit"));
  CHECK(Contains(Refused({"service"}), "missing argument"));
  CHECK(Contains(Refused({"startup"}), "did you mean 'slc service'?"));
  CHECK(Parse<DoctorOptions>({"doctor", "--json"}).json);
  CHECK(Contains(Refused({"doctor", "web"}), "has no place"));
}

TEST_CASE("slc build knows whole builds and single steps, in the words of the original") {
  using Mode = BuildOptions::Mode;
  CHECK(Parse<BuildOptions>({"build"}).mode == Mode::kDefault);
  CHECK(Parse<BuildOptions>({"build"}).onto == "deploy");
  CHECK(Parse<BuildOptions>({"build", "-n"}).mode == Mode::kNpm);
  CHECK(Parse<BuildOptions>({"build", "-i", "-p"}).mode == Mode::kNpm);
  CHECK(Parse<BuildOptions>({"build", "--git"}).mode == Mode::kGit);
  CHECK(Parse<BuildOptions>({"build", "--install", "--commit"}).mode == Mode::kGit);
  CHECK(Parse<BuildOptions>({"build", "--onto", "x"}).mode == Mode::kGit);
  CHECK(Parse<BuildOptions>({"build", "--output", "x.tgz"}).mode == Mode::kNpm);
  CHECK(Parse<BuildOptions>({"build", "-p"}).mode == Mode::kSteps);
  CHECK(Parse<BuildOptions>({"build", "-i", "-p", "-c", "--onto", "x"}).mode == Mode::kSteps);
  CHECK(Parse<BuildOptions>({"build", "-b", "-s", "--json"}).scripts);
  CHECK(Contains(Refused({"build", "--npm", "--git"}), "not both"));
  CHECK(Contains(Refused({"build", "--npm", "-i"}), "single steps are given alone"));
  CHECK(Contains(Refused({"build", "--npm", "--onto", "x"}), "--git or --commit"));
  CHECK(Contains(Refused({"build", "--git", "--output", "x"}), "--npm or --pack"));
  CHECK(Contains(Refused({"build", "."}), "has no place"));
}

TEST_CASE("slc deploy takes a URL, then what is to be deployed") {
  auto options = Parse<DeployOptions>({"deploy", "http://u:p@box:1", "../x.tgz", "-s", "web"});
  CHECK(options.url == "http://u:p@box:1");
  CHECK(options.what == "../x.tgz");
  CHECK(options.service == "web");
  options = Parse<DeployOptions>({"deploy", "../x.tgz", "-z", "cpu"});
  CHECK(options.url.empty());
  CHECK(options.what == "../x.tgz");
  CHECK(options.size == "cpu");
  CHECK(Parse<DeployOptions>({"deploy", "unix:/x"}).url == "unix:/x");
  CHECK(Contains(Refused({"deploy", "x", "http://box"}), "URL, then archive or branch"));
  CHECK(Contains(Refused({"deploy", "-z", "-1"}), "from 0 to 1024"));
  CHECK(Contains(Refused({"deploy", "--cert", "x"}), "go together"));
}

TEST_CASE("The control socket and --json may stand before or after the verb") {
  for (const Words& words :
       {Words{"ctl", "-C", "/s", "--json", "ls"}, Words{"ctl", "ls", "-C", "/s", "--json"},
        Words{"ctl", "--control=/s", "ls", "--json"},
        Words{"ctl", "--json", "ls", "--control", "/s"}, Words{"ctl", "-C/s", "ls", "--json"}}) {
    const auto options = Parse<ListOptions>(words);
    CHECK(options.control.at == "/s");
    CHECK(options.control.json);
  }
  CHECK(Contains(Refused({"ctl", "-C"}), "option -C needs a value"));
}

TEST_CASE("A slcd elsewhere is named in front of the command, the verb, or behind them") {
  const std::string url = "https://u:p@box:1";
  for (const Words& words :
       {Words{"-C", url, "--cacert", "a", "--cert=b", "--key", "c", "ctl", "ls"},
        Words{"ctl", "-C", url, "--cacert", "a", "--cert=b", "--key", "c", "ls"},
        Words{"ctl", "ls", "-C", url, "--cacert=a", "--cert", "b", "--key", "c"},
        Words{"--control=" + url, "ctl", "--key=c", "ls", "--cacert", "a", "--cert", "b"}}) {
    const Control control = Parse<ListOptions>(words).control;
    CHECK(control.at == url);
    CHECK(control.ca == "a");
    CHECK(control.certificate == "b");
    CHECK(control.key == "c");
  }
  CHECK(Parse<LogsQuery>({"-C", url, "logs", "-f"}).control.at == url);
  CHECK(Parse<StatusOptions>({"-C", url, "ctl"}).control.at == url);
  // What stands nearer counts.
  CHECK(Parse<ListOptions>({"-C", url, "ctl", "ls", "-C", "unix:/s"}).control.at == "unix:/s");
  CHECK(Contains(Refused({"-C", url}), "a command is missing"));
  CHECK(Contains(Refused({"-C"}), "option -C needs a value"));
  CHECK(Contains(Refused({"ctl", "ls", "-C", "ftp://u:secret@x"}), "'ftp://' is not known here"));
  CHECK_FALSE(Contains(Refused({"ctl", "ls", "-C", "http://u:secret@x:y"}), "secret"));
  CHECK(Contains(Refused({"ctl", "ls", "-C", url, "--cert", "b"}), "go together"));
}

TEST_CASE("What means nothing for a slcd elsewhere is refused, and says what to do") {
  const std::string url = "http://u:secret@box";
  for (const Words& words :
       {Words{"start"}, Words{"run"}, Words{"build"}, Words{"deploy"}, Words{"doctor"},
        Words{"upgrade"}, Words{"gateway"}, Words{"token", "ls"}, Words{"service", "install"}}) {
    Words before{"-C", url};
    before.insert(before.end(), words.begin(), words.end());
    Words behind = words;
    behind.insert(behind.end(), {"--control", url});
    for (const Words& all : {before, behind}) {
      const std::string said = Refused(all);
      CAPTURE(said);
      CHECK(Contains(said, "slc " + words[0] + ": not with -C http://box:8701: "));
    }
  }
  CHECK(Contains(Refused({"start", "-C", url}), "slc deploy URL"));
  CHECK(Contains(Refused({"-C", "/run/slcd.sock", "start"}), "not with -C: "));
  CHECK(Parse<TokenOptions>({"-C", "/s", "token", "ls"}).control.at == "/s");
  CHECK(Parse<StartOptions>({"start", "--", "-C", "x"}).spec.arguments == Words{"-C", "x"});
}

TEST_CASE("Every verb is parsed into its own options") {
  CHECK(Parse<CreateOptions>({"ctl", "create", "web", "--size", "3"}).size == 3);
  CHECK(Parse<StartServiceOptions>({"ctl", "start", "1"}).service == "1");
  CHECK_FALSE(Parse<StopOptions>({"ctl", "stop", "a"}).soft);
  CHECK(Parse<StopOptions>({"ctl", "soft-stop", "a"}).soft);
  CHECK_FALSE(Parse<RestartOptions>({"ctl", "restart", "a"}).rolling);
  CHECK(Parse<RestartOptions>({"ctl", "soft-restart", "a", "--parallel", "2"}).parallel == 2);
  CHECK(Parse<RestartOptions>({"ctl", "cluster-restart", "a", "--no-wait"}).rolling);
  CHECK_FALSE(Parse<RestartOptions>({"ctl", "cluster-restart", "a", "--no-wait"}).wait);
  CHECK(Parse<SetSizeOptions>({"ctl", "set-size", "a", "0"}).size == 0);
  CHECK(Parse<SetSizeOptions>({"ctl", "set-size", "a", "cpu"}).size == kSizeCpu);
  CHECK(Parse<EnvironmentGetOptions>({"ctl", "env", "a", "X", "Y"}).keys == Words{"X", "Y"});
  CHECK(Parse<EnvironmentGetOptions>({"ctl", "env-get", "a"}).keys.empty());
  const auto set = Parse<EnvironmentChangeOptions>(
      {"ctl", "env-set", "a", "X=1=2", "Y=[a,b]", "Z=", "--no-restart"});
  CHECK(set.set == Environment{{"X", "1=2"}, {"Y", "[a,b]"}, {"Z", ""}});
  CHECK_FALSE(set.restart);
  CHECK(Parse<EnvironmentChangeOptions>({"ctl", "env-unset", "a", "X"}).unset == Words{"X"});
  CHECK(Parse<PackagesOptions>({"ctl", "npmls", "a", "0"}).depth == 0U);
  CHECK(Parse<InspectOptions>({"ctl", "cpu-start", "1.1.7", "--interval", "500"}).interval == 500);
  const auto snapshot =
      Parse<InspectOptions>({"ctl", "heap-snapshot", "web.7", "x", "--timeout", "30s"});
  CHECK(snapshot.what == Inspection::kHeapSnapshot);
  CHECK(snapshot.worker == "web.7");
  CHECK(snapshot.name == "x");
  CHECK(snapshot.patience == 30'000);
  CHECK(Contains(Refused({"ctl", "cpu-start", "7", "12", "3"}), "not supported yet"));
  CHECK(Contains(Refused({"ctl", "cpu-start", "7", "--interval", "1"}), "from 50 to 100000"));
  CHECK(Contains(Refused({"ctl", "objects-start", "7", "x"}), "'x' has no place"));
  CHECK(Contains(Parse<UnsupportedOptions>({"ctl", "patch", "7", "f"}).why, "not supported"));
  CHECK(Contains(Parse<UnsupportedOptions>({"ctl", "tracing-stop", "a"}).why, "not supported"));
  CHECK(Parse<RemoveOptions>({"ctl", "remove", "a"}).service == "a");
  Parse<InfoOptions>({"ctl", "info"});
  Parse<ShutdownOptions>({"ctl", "shutdown"});
}

TEST_CASE("A value behind -- is no option") {
  CHECK(Parse<EnvironmentChangeOptions>({"ctl", "env-set", "a", "--", "X=-1"}).set ==
        Environment{{"X", "-1"}});
  CHECK(Parse<StopOptions>({"ctl", "stop", "--", "-odd"}).service == "-odd");
}

TEST_CASE("A negative number is a bad size, not an unknown option") {
  CHECK(Contains(Refused({"ctl", "set-size", "my-app", "-1"}), "from 0 to 1024, not '-1'"));
  CHECK(Contains(Refused({"ctl", "set-size", "my-app", "-1", "--json"}), "not '-1'"));
  CHECK(Contains(Refused({"start", "--size", "-1"}), "--size: size must be"));
  CHECK(Contains(Refused({"ctl", "npmls", "a", "-3"}), "not '-3'"));
}

TEST_CASE("Bad values are refused with their limits") {
  CHECK(Contains(Refused({"ctl", "set-size", "a", "x"}), "not 'x'"));
  CHECK(Contains(Refused({"ctl", "set-size", "a", "100000"}), "not '100000'"));
  CHECK(Contains(Refused({"start", "--port", "70000"}), "from 1 to 65535, not '70000'"));
  CHECK(Contains(Refused({"start", "--env", "FOO"}), "not of the form NAME=VALUE"));
  CHECK(Contains(Refused({"start", "--name", "a b"}), "no name for a service"));
  CHECK(Contains(Refused({"start", "--name", "42"}), "not only digits"));
  CHECK(Contains(Refused({"start", "--ready", "soon"}), "listening, message, alive"));
  CHECK(Contains(Refused({"start", "--restart", "x"}), "always, on-failure, never"));
  CHECK(Contains(Refused({"start", "--stop-signal", "FOO"}), "no signal 'FOO'"));
  CHECK(Contains(Refused({"start", "--ready-timeout", "soon"}), "for example 500ms, 30s, 2m"));
  CHECK(Contains(Refused({"start", "--ready-timeout", "0"}), "100ms at least"));
  CHECK(Contains(Refused({"start", "--drain-timeout", "2d"}), "24h at most"));
  CHECK(Contains(Refused({"start", "--log-size", "9"}), "64k at least"));
  CHECK(Contains(Refused({"start", "--log-files", "0"}), "from 1 to 1000"));
  CHECK(Contains(Refused({"start", "--node-args", "a | b"}), "cannot be cut into words"));
  CHECK(Contains(Refused({"ctl", "soft-restart", "a", "--parallel", "0"}), "from 1 to 1024"));
  CHECK(Contains(Refused({"ctl", "env-set", "a", "X"}), "not of the form"));
  CHECK(Contains(Refused({"ctl", "env-set", "a", "=x"}), "not of the form"));
  CHECK(Contains(Refused({"ctl", "env-unset", "a", "X=1"}), "no name for a variable"));
  CHECK(Contains(Refused({"ctl", "create", "a/b"}), "no name for a service"));
  CHECK(Contains(Refused({"ctl", "stop", ""}), "SVC must not be empty"));
  CHECK(Contains(Refused({"ctl", "status", ""}), "SVC must not be empty"));
}

TEST_CASE("Control bytes in a wrong word are shown, not sent to the terminal") {
  CHECK(Contains(Refused({"ctl", "\x1b[2J"}), "\\x1b[2J"));
  CHECK(Contains(Refused({"ctl", "set-size", "a", "\x1b"}), "\\x1b"));
  CHECK(Contains(Refused({"start", "--\x1b"}), "\\x1b"));
}

TEST_CASE("A slip of the keyboard gets a suggestion") {
  CHECK(Contains(Refused({"ctl", "soft-restat", "a"}), "did you mean 'slc ctl soft-restart'?"));
  CHECK(Contains(Refused({"strat"}), "did you mean 'slc start'?"));
  CHECK(Contains(Refused({"stop", "my-app"}), "did you mean 'slc ctl stop'?"));
  CHECK(Contains(Refused({"statsu"}), "did you mean 'slc ctl status'?"));
  CHECK(Contains(Refused({"start", "--prot", "1"}), "did you mean '--port'?"));
  CHECK(Contains(Refused({"ctl", "ls", "--jsno"}), "did you mean '--json'?"));
  // In the wrong place, or by the name it has elsewhere; never something worse than was meant.
  CHECK(Contains(Refused({"ctl", "logs", "a"}), "did you mean 'slc logs'?"));
  CHECK(Contains(Refused({"ctl", "lgos", "a"}), "did you mean 'slc logs'?"));
  CHECK(Contains(Refused({"ctl", "run"}), "did you mean 'slc run'?"));
  CHECK(Contains(Refused({"ctl", "reload", "a"}), "did you mean 'slc ctl soft-restart'?"));
  CHECK(Contains(Refused({"reload", "a"}), "did you mean 'slc ctl soft-restart'?"));
  CHECK(Contains(Refused({"list"}), "did you mean 'slc ctl ls'?"));
  CHECK(Contains(Refused({"ctl", "scale", "a", "3"}), "did you mean 'slc ctl set-size'?"));
  CHECK(Contains(Refused({"delete", "a"}), "did you mean 'slc ctl remove'?"));
  CHECK(Contains(Refused({"ctl", "tail", "a"}), "did you mean 'slc logs'?"));
  CHECK_FALSE(Contains(Refused({"ctl", "reform", "a"}), "remove"));
  CHECK_FALSE(Contains(Refused({"ctl", ""}), "did you mean"));
  CHECK(Contains(Refused({"ctl", "quetzal"}), "unknown command 'quetzal'; try 'slc ctl --help'"));
  CHECK(Contains(Refused({"--bogus"}), "unknown option '--bogus'"));
}

TEST_CASE("The number of arguments is checked") {
  CHECK(Contains(Refused({"ctl", "stop"}), "missing argument: slc ctl stop SVC"));
  CHECK(Contains(Refused({"ctl", "set-size", "a"}), "missing argument"));
  CHECK(Contains(Refused({"ctl", "env-set", "a"}), "missing argument"));
  CHECK(Contains(Refused({"ctl", "stop", "a", "b"}), "'b' has no place"));
  CHECK(Contains(Refused({"start", "a", "b"}), "comes after '--'"));
  CHECK(Contains(Refused({"start", "--size"}), "option --size needs a value"));
}

TEST_CASE("A refusal of a command line that asks for JSON is JSON") {
  auto parsed = ParseCommandLine({"ctl", "set-size", "a", "x", "--json"});
  CHECK(std::get<Printout>(parsed).json);
  parsed = ParseCommandLine({"ctl", "set-size", "a", "x"});
  CHECK_FALSE(std::get<Printout>(parsed).json);
  parsed = ParseCommandLine({"ctl", "bogus", "--json"});
  CHECK(std::get<Printout>(parsed).json);
}

TEST_CASE("slc start takes all its options, and knows which were given") {
  const auto options = Parse<StartOptions>({"start",
                                            "app.py",
                                            "--name",
                                            "web",
                                            "--size",
                                            "cpu",
                                            "--port",
                                            "8080",
                                            "--env",
                                            "A=1",
                                            "--env",
                                            "B=x y",
                                            "--listen",
                                            "80",
                                            "--listen",
                                            "a=/run/a",
                                            "--balance",
                                            "slots",
                                            "--cwd",
                                            "/srv",
                                            "--node",
                                            "/n",
                                            "--node-args",
                                            "--x='a b' -y",
                                            "--node-args",
                                            "-z",
                                            "--interpreter",
                                            "python3",
                                            "--ready",
                                            "alive",
                                            "--ready-timeout",
                                            "5s",
                                            "--drain-timeout",
                                            "1m",
                                            "--drain-linger",
                                            "0",
                                            "--stop-signal",
                                            "int",
                                            "--stop-timeout",
                                            "250ms",
                                            "--restart",
                                            "on-failure",
                                            "--min-uptime",
                                            "3s",
                                            "--no-agent",
                                            "--run-as",
                                            "www:www",
                                            "--replace",
                                            "--no-wait",
                                            "--log-format",
                                            "json",
                                            "--log-size",
                                            "1M",
                                            "--log-files",
                                            "3",
                                            "--max-restarts",
                                            "4",
                                            "--max-memory",
                                            "300M",
                                            "--hang-timeout",
                                            "20s",
                                            "--nofile",
                                            "4096",
                                            "--nice",
                                            "-5",
                                            "--cpus",
                                            "0.5",
                                            "--log-rate",
                                            "1M",
                                            "--spare",
                                            "--no-compile-cache",
                                            "--restart-at",
                                            "@daily",
                                            "--watch-only",
                                            "*.js",
                                            "--watch-restart",
                                            "--",
                                            "--port",
                                            "9"});
  const ServiceSpec& spec = options.spec;
  CHECK(options.target == "app.py");
  CHECK(spec.name == "web");
  CHECK(options.size == kSizeCpu);
  CHECK(spec.port == 8080);
  CHECK(spec.environment == Environment{{"A", "1"}, {"B", "x y"}});
  CHECK(spec.listen == Words{"80", "a=/run/a"});
  CHECK(spec.balance == Balance::kSlots);
  CHECK(spec.cwd == "/srv");
  CHECK(spec.node == "/n");
  CHECK(spec.node_arguments == Words{"--x=a b", "-y", "-z"});
  CHECK(spec.interpreter == "python3");
  CHECK(spec.readiness == Readiness::kAlive);
  CHECK(spec.ready_timeout == 5000);
  CHECK(spec.drain_timeout == 60000);
  CHECK(spec.drain_linger == 0);
  CHECK(spec.stop_signal == "SIGINT");
  CHECK(spec.stop_timeout == 250);
  CHECK(spec.restart == RestartPolicy::kOnFailure);
  CHECK(spec.min_uptime == 3000);
  CHECK_FALSE(spec.agent);
  CHECK(spec.run_as == "www:www");
  CHECK(spec.log_format == LogFormat::kJson);
  CHECK(spec.log_file_bytes == 1U << 20);
  CHECK(spec.log_files == 3);
  CHECK(spec.max_restarts == 4U);
  CHECK(spec.limits.max_memory == 300U << 20);
  CHECK(spec.limits.hang_timeout == 20000);
  CHECK(spec.limits.open_files == 4096);
  CHECK(spec.limits.nice == -5);
  CHECK(spec.limits.cpu_millis == 500);
  CHECK(spec.limits.log_rate == 1U << 20);
  CHECK(spec.spare);
  CHECK_FALSE(spec.compile_cache);
  CHECK(spec.restart_at == "@daily");
  CHECK(spec.watch);
  CHECK(spec.watch_only == Words{"*.js"});
  CHECK(spec.watch_restart);
  CHECK(spec.arguments == Words{"--port", "9"});
  CHECK(options.replace);
  CHECK_FALSE(options.wait);
  // In no particular order, each once.
  Words given = options.given;
  std::sort(given.begin(), given.end());
  CHECK(given == Words{"arguments",    "balance",      "compile-cache", "cpus",
                       "cwd",          "drain-linger", "drain-timeout", "env",
                       "hang-timeout", "interpreter",  "listen",        "log-files",
                       "log-format",   "log-rate",     "log-size",      "max-memory",
                       "max-restarts", "min-uptime",   "name",          "nice",
                       "no-agent",     "node",         "node-args",     "nofile",
                       "port",         "ready",        "ready-timeout", "restart",
                       "restart-at",   "run-as",       "size",          "spare",
                       "stop-signal",  "stop-timeout", "watch",         "watch-only"});
}

TEST_CASE("slc start alone gives nothing") {
  const auto options = Parse<StartOptions>({"start"});
  CHECK(options.given.empty());
  CHECK(options.target.empty());
  CHECK_FALSE(options.size);
  CHECK(options.wait);
  CHECK(options.spec == ServiceSpec{});
}

TEST_CASE("--wait-ready is --ready message, and --port default goes back to the default") {
  CHECK(Parse<StartOptions>({"start", "--wait-ready"}).spec.readiness == Readiness::kMessage);
  const auto options = Parse<StartOptions>({"start", "--port", "default"});
  CHECK_FALSE(options.spec.port);
  CHECK(options.given == Words{"port"});
}

TEST_CASE("The last one of two values counts") {
  CHECK(Parse<StartOptions>({"start", "--port", "1", "--port", "2"}).spec.port == 2);
}

TEST_CASE("An option takes one value, and takes it as it is") {
  const auto options =
      Parse<StartOptions>({"start", "--env", "A=[1,2]", "--cwd", "[a,b]", "app.js"});
  CHECK(options.spec.environment == Environment{{"A", "[1,2]"}});
  CHECK(options.spec.cwd == "[a,b]");
  CHECK(options.target == "app.js");
  CHECK(Parse<StartOptions>({"start", "--cwd=x=y", "--env=A=\"q\""}).spec.cwd == "x=y");
  CHECK(Parse<StartOptions>({"start", "--env=A=\"q\""}).spec.environment ==
        Environment{{"A", "\"q\""}});
}

TEST_CASE("slc run takes the options of start, but does not detach") {
  CHECK(Parse<RunOptions>({"run", "/srv", "--size", "2", "--", "x"}).start.target == "/srv");
  CHECK(Contains(Refused({"run", "--no-wait"}), "unknown option '--no-wait'"));
}

TEST_CASE("slc logs and log-dump take their options") {
  const auto logs = Parse<LogsQuery>({"logs", "my-app", "-f", "-n", "5", "--grep", "a|b", "--err",
                                      "--since", "2026-11-22T17:16", "-C", "/s", "--json"});
  CHECK(logs.service == "my-app");
  CHECK(logs.follow);
  CHECK(logs.lines == 5U);
  CHECK(logs.grep == "a|b");
  CHECK(logs.errors_only);
  CHECK(logs.since == ParseIso("2026-11-22T17:16"));
  CHECK(logs.control.at == "/s");
  CHECK(logs.control.json);
  const Millis since = Parse<LogsQuery>({"logs", "--since", "10m"}).since;
  CHECK(since <= WallNow() - 600000);
  CHECK(since > WallNow() - 660000);
  CHECK(Parse<LogsQuery>({"logs"}).service.empty());
  CHECK(Parse<LogDumpQuery>({"ctl", "log-dump", "a", "--follow"}).follow);
  CHECK(Contains(Refused({"logs", "--since", "yesterday"}), "is no time"));
  CHECK(Contains(Refused({"logs", "--since", "5"}), "is no time"));
  CHECK(Contains(Refused({"logs", "-n", "x"}), "--lines: a number of lines"));
  CHECK(Contains(Refused({"logs", "--grep", "("}), "--grep"));
}

TEST_CASE("Help and version are shown where they are asked for") {
  CHECK(Shown({"--version"}) == "slc " SLC_VERSION "\n");
  CHECK(Shown({"ctl", "--version"}) == "slc " SLC_VERSION "\n");
  CHECK(Contains(Shown({}), "usage: slc COMMAND"));
  CHECK(Shown({"--help"}) == OverviewText());
  CHECK(Shown({"help"}) == OverviewText());
  CHECK(Shown({"ctl", "--help"}) == ControlHelpText());
  CHECK(Shown({"ctl", "help"}) == ControlHelpText());
  CHECK(Contains(Shown({"start", "--help"}), "--ready-timeout TIME"));
  CHECK(Shown({"help", "start"}) == Shown({"start", "-h"}));
  CHECK(Shown({"ctl", "help", "set-size"}) == Shown({"ctl", "set-size", "--help"}));
  CHECK(Contains(Shown({"ctl", "set-size", "--help"}),
                 "usage: slc ctl set-size [options] SVC N|cpu"));
  // Behind -- it belongs to the app.
  CHECK(Parse<StartOptions>({"start", "--", "--help"}).spec.arguments == Words{"--help"});
}

TEST_CASE("Every command has a help of its own") {
  for (const CommandInfo& command : Verbs()) {
    CAPTURE(std::string(command.name));
    CHECK(Contains(Shown({"ctl", command.name, "--help"}),
                   std::string("usage: slc ctl ") + command.name));
    CHECK(Contains(ControlHelpText(), std::string("\n  ") + command.name));
  }
  for (const CommandInfo& command : Programs()) {
    CAPTURE(std::string(command.name));
    CHECK(Contains(Shown({command.name, "--help"}), std::string("usage: slc ") + command.name));
  }
}

}  // namespace slc::ctl
