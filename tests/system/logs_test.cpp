// What apps print: log files, slc logs, slc ctl log-dump.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <regex>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/base/time.h"
#include "tests/system/harness.h"

using namespace slc;
using namespace slc::test;
using nlohmann::json;

namespace {

std::string OutLog(World& world, const App& app) {
  return ReadText(world.log_folder(app.name) + "/out.log");
}

// Waits until what the app prints has come through to the file.
void WaitForLog(World& world, const App& app, const std::string& text,
                const std::string& file = "out.log") {
  WaitUntil([&] { return Contains(ReadText(world.log_folder(app.name) + "/" + file), text); },
            20'000, "the text \"" + text + "\" in " + file);
}

// Only what workers printed, without time, pid and worker.
std::vector<std::string> Texts(const std::string& log) {
  static const std::regex line(R"(\S+Z pid:\d+ worker:[1-9]\d* (.*))");
  std::vector<std::string> texts;
  for (const std::string& each : LinesOf(log)) {
    std::smatch match;
    if (std::regex_match(each, match, line)) texts.push_back(match[1]);
  }
  return texts;
}

// Lines of one millisecond in two files have no order between them: what is printed after this
// has a later time than all that has been logged.
void WaitForNextMillisecond() {
  const Millis now = WallNow();
  WaitUntil([&] { return WallNow() > now; }, 20'000, "the clock to go on");
}

App StartExpress(World& world, const Words& options = {}) {
  Words words{"--name", "web", "--size", "1"};
  words.insert(words.end(), options.begin(), options.end());
  return world.StartApp("express4", words);
}

// Prints "TEXT 1" ... "TEXT n".
void Say(const App& app, const std::string& text, int n = 1, const std::string& stream = "out") {
  const std::string url = "/log?n=" + std::to_string(n) + "&stream=" + stream + "&text=" + text;
  REQUIRE(Get(app.url(url)).status == 200);
}

// One worker that prints `count` numbered lines of 100 bytes.
App StartNoisy(World& world, int count, const Words& options) {
  Words words{"--name", "noisy",
              "--size", "1",
              "--env",  "APP_LINES=" + std::to_string(count),
              "--env",  "APP_LINES_PER_S=5000"};
  words.insert(words.end(), options.begin(), options.end());
  const App app = world.StartApp("plain/noisy.js", words);
  WaitUntil([&] { return Contains(Get(app.url()).body, " " + std::to_string(count) + "\n"); },
            60'000, "all lines to be printed");
  return app;
}

}  // namespace

TEST_SUITE("logs") {
  TEST_CASE("each line has time, pid and worker; streams are apart in the files") {
    World world;
    const App app = StartExpress(world);
    const int pid = world.ReadyPids("web").at(0);
    Say(app, "hello", 2);
    Say(app, "trouble", 1, "err");
    WaitForLog(world, app, "hello 2\n");
    WaitForLog(world, app, "trouble 1\n", "err.log");
    const std::regex line(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z pid:\d+ worker:\d+ .*)");
    const std::string out = OutLog(world, app);
    for (const std::string& each : LinesOf(out)) CHECK_MESSAGE(std::regex_match(each, line), each);
    CHECK(Contains(out, " pid:" + std::to_string(pid) + " worker:1 hello 1\n"));
    CHECK_FALSE(Contains(out, "trouble"));
    CHECK(Texts(ReadText(world.log_folder("web") + "/err.log")) ==
          std::vector<std::string>{"trouble 1"});
  }

  TEST_CASE("slc logs merges streams, and takes the last N, a time, an expression, one stream") {
    World world;
    const App app = StartExpress(world);
    Say(app, "one", 1);
    WaitForLog(world, app, "one 1\n");
    WaitForNextMillisecond();
    Say(app, "two", 1, "err");
    WaitForLog(world, app, "two 1\n", "err.log");
    WaitForNextMillisecond();
    Say(app, "three", 30);
    WaitForLog(world, app, "three 30\n");
    const auto logs = [&](Words words) {
      words.insert(words.begin(), {"logs", "web"});
      return Texts(world.Must(words).out);
    };
    const auto all = logs({"-n", "1000"});
    REQUIRE(all.size() == 33);
    CHECK(Contains(all[0], "listening on port"));
    CHECK(all[1] == "one 1");
    CHECK(all[2] == "two 1");
    CHECK(all[3] == "three 1");
    CHECK(logs({}).size() == 20);
    CHECK(logs({"-n", "2"}) == std::vector<std::string>{"three 29", "three 30"});
    CHECK(logs({"--grep", "(one|two) [0-9]"}) == std::vector<std::string>{"one 1", "two 1"});
    CHECK(logs({"--err"}) == std::vector<std::string>{"two 1"});
    CHECK(logs({"--since", "1h"}).size() == 33);
    CHECK(logs({"--since", FormatIso(WallNow() + 60'000)}).empty());
  }

  TEST_CASE("slc logs --json: one value per line") {
    World world;
    const App app = StartExpress(world);
    Say(app, "x%C3%A4", 1, "err");
    WaitForLog(world, app, "\xc3\xa4 1\n", "err.log");
    const auto lines = LinesOf(world.Must({"logs", "web", "--err", "--json"}).out);
    REQUIRE(lines.size() == 1);
    const json line = json::parse(lines[0]);
    CHECK(line["service"] == "web");
    CHECK(line["stream"] == "err");
    CHECK(line["worker"] == 1);
    CHECK(line["pid"] == world.ReadyPids("web").at(0));
    CHECK(line["text"] == "x\xc3\xa4 1");
  }

  TEST_CASE("slc logs of all services names them") {
    World world;
    const App web = StartExpress(world);
    const App other = world.StartApp("express4", {"--name", "other", "--size", "1"});
    Say(web, "from-web");
    Say(other, "from-other");
    WaitForLog(world, web, "from-web 1\n");
    WaitForLog(world, other, "from-other 1\n");
    const std::string text = world.Must({"logs", "-n", "100"}).out;
    for (const std::string& line : LinesOf(text)) {
      if (Contains(line, "from-web"))
        CHECK_MESSAGE(std::regex_search(line, std::regex("^web +\\| ")), line);
      if (Contains(line, "from-other"))
        CHECK_MESSAGE(std::regex_search(line, std::regex("^other +\\| ")), line);
    }
    CHECK(Contains(text, "from-web 1"));
    CHECK(Contains(text, "from-other 1"));
  }

  TEST_CASE("slc logs -f shows what comes, over rotation, until Ctrl-C") {
    World world;
    const App app = StartExpress(world, {"--log-size", "64k"});
    Say(app, "before");
    WaitForLog(world, app, "before 1\n");
    Running follow = world.Begin({"logs", "web", "-f"});
    WaitUntil([&] { return Contains(follow.out(), "before 1\n"); }, 10'000, "the history");
    Say(app, "while", 2000);
    WaitUntil([&] { return Contains(follow.out(), "while 2000\n"); }, 20'000, "the last line");
    CHECK(Exists(world.log_folder("web") + "/out.log"));
    const auto texts = Texts(follow.out());
    CHECK(std::count_if(texts.begin(), texts.end(), [](const std::string& text) {
            return StartsWith(text, "while ");
          }) == 2000);
    follow.Signal(SIGINT);
    CHECK(follow.Wait().code == 0);
  }

  TEST_CASE("log-dump gives what came since the last one, whoever asked") {
    World world;
    const App app = StartExpress(world);
    Say(app, "one");
    WaitForLog(world, app, "one 1\n");
    CHECK(Contains(world.Must({"ctl", "log-dump", "web"}).out, "one 1\n"));
    CHECK(world.Must({"ctl", "log-dump", "web"}).out == "");
    Say(app, "two");
    WaitForLog(world, app, "two 1\n");
    CHECK(Texts(world.Must({"ctl", "log-dump", "web"}).out) == std::vector<std::string>{"two 1"});
    // The cursor is kept where slcd is not needed for it.
    world.KillDaemon();
    world.Must({"ctl", "ls"});
    CHECK_FALSE(Contains(world.Must({"ctl", "log-dump", "web"}).out, "two 1"));
    Running follow = world.Begin({"ctl", "log-dump", "web", "--follow"});
    Say(app, "three");
    WaitUntil([&] { return Contains(follow.out(), "three 1\n"); }, 20'000, "the followed line");
  }

  TEST_CASE("log-dump is at most 1 MiB, the newest") {
    World world;
    const App app = StartExpress(world);
    Say(app, std::string(200, 'x'), 6000);
    WaitForLog(world, app, "x 6000\n");
    const std::string dump = world.Must({"ctl", "log-dump", "web"}).out;
    CHECK(dump.size() <= 1U << 20);
    CHECK(dump.size() > 1U << 19);
    CHECK(Contains(dump, "x 6000\n"));
    CHECK_FALSE(Contains(dump, "x 1\n"));
  }

  TEST_CASE("files are put aside by size and compressed, and no line is lost") {
    World world;
    constexpr int kLines = 4000;
    const App app = StartNoisy(world, kLines, {"--log-size", "64k", "--log-files", "20"});
    const auto count = [&](const char* suffix) {
      int files = 0;
      for (const auto& entry : std::filesystem::directory_iterator(world.log_folder("noisy"))) {
        const std::string name = entry.path().filename();
        if (StartsWith(name, "out.log.") && EndsWith(name, suffix)) ++files;
      }
      return files;
    };
    WaitUntil([&] { return count(".gz") >= 6; }, 30'000, "six compressed files");
    for (const auto& entry : std::filesystem::directory_iterator(world.log_folder("noisy"))) {
      const std::string name = entry.path().filename();
      if (EndsWith(name, ".log")) CHECK(entry.file_size() <= 65536 + 200);
    }
    const auto texts = Texts(world.Must({"logs", "noisy", "-n", "100000"}).out);
    std::vector<int> numbers;
    for (const std::string& text : texts) {
      if (StartsWith(text, "out ")) numbers.push_back(std::atoi(text.c_str() + 4));
    }
    REQUIRE(numbers.size() == kLines);
    bool in_order = true;
    for (int i = 0; i < kLines; ++i)
      in_order = in_order && numbers[static_cast<std::size_t>(i)] == i + 1;
    CHECK(in_order);
  }

  TEST_CASE("the total of a service's log files is capped") {
    World world;
    StartNoisy(world, 5000, {"--log-size", "64k", "--log-files", "3"});
    const auto size = [&] {
      std::uintmax_t sum = 0;
      std::error_code ignored;
      for (const auto& entry : std::filesystem::directory_iterator(world.log_folder("noisy"))) {
        const auto bytes = entry.file_size(ignored);
        if (!ignored && StartsWith(entry.path().filename().string(), "out.log")) sum += bytes;
      }
      return sum;
    };
    WaitUntil([&] { return size() <= 4 * 65536; }, 20'000, "old files to be removed");
  }

  TEST_CASE("--log-rate caps what is logged, in whole lines, and all that is missing is counted") {
    World world;
    constexpr int kLines = 20000;
    // 5,000 lines of 100 bytes a second, which are some 140 in the file, and 500 on stderr.
    StartNoisy(world, kLines, {"--log-rate", "100k"});
    const std::string folder = world.log_folder("noisy");
    const auto lines_of = [&](const char* file) { return LinesOf(ReadText(folder + "/" + file)); };
    const auto is_gap = [](const std::string& line) {
      return Contains(line, "[slc: ") && Contains(line, " dropped]");
    };
    const auto sum_up = [&](const char* file, std::uint64_t* reported) {
      std::uint64_t written = 0;
      for (const std::string& line : lines_of(file)) {
        const std::size_t at = line.find("[slc: ");
        if (is_gap(line)) {
          *reported += std::strtoull(line.c_str() + at + 6, nullptr, 10);
        } else if (Contains(line, "xxx")) {
          CHECK(line.size() > 130);
          ++written;
        }
      }
      return written;
    };
    std::uint64_t written = 0;
    std::uint64_t reported = 0;
    WaitUntil(
        [&] {
          reported = 0;
          written = sum_up("out.log", &reported) + sum_up("err.log", &reported);
          return written + reported == kLines + kLines / 10;
        },
        20'000, "each line to be logged or told of");
    WaitUntil(
        [&] {
          const json status = json::parse(world.Must({"ctl", "status", "noisy", "--json"}).out);
          return status.at(0).at("log_lines_dropped") == reported;
        },
        20'000, "the status to tell of " + std::to_string(reported) + " dropped lines");
    // 4 s and the second in hand, 100 KiB each; the machine may take longer to print.
    const double seconds = static_cast<double>(written) * 145 / 102400;
    MESSAGE(written << " lines written, which is the rate of " << seconds << " s");
    CHECK(written < kLines / 2);
    CHECK(written > 3000);
    // Told of four times a second, not for each line.
    const auto out = lines_of("out.log");
    CHECK(std::count_if(out.begin(), out.end(), is_gap) < 60);
  }

  TEST_CASE("a log file that was moved or deleted is begun anew") {
    World world;
    const App app = StartExpress(world);
    Say(app, "one");
    WaitForLog(world, app, "one 1\n");
    const std::string file = world.log_folder("web") + "/out.log";
    REQUIRE(::rename(file.c_str(), (file + ".mine").c_str()) == 0);
    WaitUntil(
        [&] {
          Say(app, "two");
          return Contains(ReadText(file), "two 1\n");
        },
        20'000, "the new file after a move");
    REQUIRE(::unlink(file.c_str()) == 0);
    WaitUntil(
        [&] {
          Say(app, "three");
          return Contains(ReadText(file), "three 1\n");
        },
        20'000, "the new file after a deletion");
    CHECK(Contains(ReadText(file + ".mine"), "one 1\n"));
  }

  TEST_CASE("a line of 16 KiB is whole, a longer one is cut, bytes that are no text do not hurt") {
    World world;
    const std::string folder =
        world.MakeFolder("lines", {{"app.js",
                                    "console.log('a'.repeat(16384));\n"
                                    "console.log('b'.repeat(20000));\n"
                                    "process.stdout.write(Buffer.from([0xff, 0xfe, 0x00, 0x0a]));\n"
                                    "process.stdout.write('no end');\n" +
                                        std::string(kMirror)}});
    const App app = world.StartPath(folder, {"--size", "1"});
    world.Must({"ctl", "stop", app.name});
    const auto texts = Texts(OutLog(world, app));
    REQUIRE(texts.size() == 5);
    CHECK(texts[0] == std::string(16384, 'a'));
    CHECK(texts[1] == std::string(16384, 'b'));
    CHECK(texts[2] == std::string(20000 - 16384, 'b'));
    CHECK(texts[4] == "no end");
  }

  TEST_CASE("the last words of a crash are in the log") {
    World world;
    const App app = StartExpress(world);
    Get(app.url("/crash"));
    WaitForLog(world, app, "crash asked for by /crash", "err.log");
    WaitForLog(world, app, "exit code 1");
    CHECK(Contains(world.Must({"logs", "web", "--err", "-n", "50"}).out,
                   "Error: crash asked for by /crash"));
  }

  TEST_CASE("the formats json and raw") {
    World world;
    const App app = StartExpress(world, {"--log-format", "json"});
    Say(app, "hello");
    WaitForLog(world, app, "hello 1");
    for (const std::string& line : LinesOf(OutLog(world, app))) {
      CHECK_MESSAGE(json::parse(line, nullptr, false).is_object(), line);
    }
    world.Must(
        {"start", SourcePath("tests/apps/express4"), "--name", "web", "--log-format", "raw"});
    Say(app, "plain");
    WaitForLog(world, app, "\nplain 1\n");
  }

  TEST_CASE("a stopped service still has its log") {
    World world;
    const App app = StartExpress(world);
    Say(app, "hello");
    world.Must({"ctl", "stop", "web"});
    CHECK(Contains(world.Must({"logs", "web"}).out, "hello 1\n"));
  }

  TEST_CASE("a log that cannot be written, and lines that were dropped, are told by status") {
    World world;
    const App app = world.StartApp(
        "plain/noisy.js", {"--size", "1", "--name", "web", "--env", "APP_LINES_PER_S=20000"});
    CHECK_FALSE(Contains(world.Must({"ctl", "status", "web"}).out, "\nLog: "));
    // As hopeless as a full disk, and to be had without one.
    const std::string file = world.log_folder("web") + "/out.log";
    REQUIRE(::rename(file.c_str(), (file + "-moved").c_str()) == 0);
    REQUIRE(::mkdir(file.c_str(), 0700) == 0);
    // slcd asks the master every ten seconds.
    const auto told = [&] {
      const ServiceView view = world.View("web");
      return !view.log_trouble.empty() && view.log_lines_dropped > 0;
    };
    WaitUntil(told, 30'000, "the trouble to be told");
    const std::string text = world.Must({"ctl", "status", "web"}).out;
    CHECK_MESSAGE(Contains(text, "\nLog: cannot be written: "), text);
    CHECK_MESSAGE(Contains(text, " lines were dropped since the master started"), text);
    const json list = world.Json({"ctl", "status", "web"});
    CHECK(list[0]["log_lines_dropped"] > 0);
    CHECK(Contains(list[0]["log_trouble"].get<std::string>(), "out.log"));
    CHECK(Get(app.url()).status == 200);
    REQUIRE(::rmdir(file.c_str()) == 0);
    WaitUntil([&] { return world.View("web").log_trouble.empty(); }, 30'000, "the trouble to end");
    CHECK(world.View("web").log_lines_dropped > 0);
  }

  TEST_CASE("a flood of output does not stop the app") {
    World world;
    const App app = world.StartApp(
        "plain/noisy.js", {"--size", "1", "--env", "APP_LINES_PER_S=50000", "--log-size", "1M"});
    LoadClient load(world, {"url=" + app.url() + ",connections=2,requests=300"});
    WaitUntil([&] { return load.connections() == 0; }, 60'000, "300 requests beside the flood");
    CHECK(world.View(app.name).state == "running");
    CHECK(world.View(app.name).processes.at(1).restarts == 0);
  }
}
