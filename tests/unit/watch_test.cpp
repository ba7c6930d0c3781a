// --watch: which files count, and when they restart a service.
#include <deque>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/core/watch_pace.h"
#include "daemon/core/watch_rules.h"
#include "tests/unit/histories.h"

namespace slc {

TEST_CASE("Watch: what editors, runtimes and logs leave does not count, nor what git ignores") {
  WatchRules rules;
  rules.SetIgnored("", IgnoreFile::Parse("dist/\n*.gen.js\n!keep.gen.js\n.env\n"));
  for (const char* file : {"app.js", "src/app.js", "package.json", "views/index.html",
                           "keep.gen.js", "src/keep.gen.js", ".env", "a.pidgin", "#notes"}) {
    CAPTURE(file);
    CHECK(rules.Counts(file));
  }
  for (const char* file :
       {".eslintrc", "src/.app.js.swp", "app.js~", "4913", "src/4913", ".#app.js", "#app.js#",
        "app.js.swp", "app.js___jb_tmp___", "npm-debug.log", "logs/out.log", "x.pyc", "a.gen.js",
        "src/.env", "server.pid"}) {
    CAPTURE(file);
    CHECK_FALSE(rules.Counts(file));
  }
  for (const char* folder :
       {".git", "node_modules", "src/node_modules", ".slc", "dist", "src/dist", "__pycache__"}) {
    CAPTURE(folder);
    CHECK_FALSE(rules.Watches(folder));
  }
  CHECK(rules.Watches("src"));
  rules.SetForeign("var/slc");
  CHECK(rules.Watches("var"));
  CHECK_FALSE(rules.Watches("var/slc"));
}

TEST_CASE("Watch: rules from above the app's folder are about it, too") {
  WatchRules rules;
  rules.SetPlace("packages/web");
  rules.SetIgnored("", IgnoreFile::Parse("/packages/web/tmp\n*.out\n"));
  rules.SetIgnored("packages", IgnoreFile::Parse("web/b.js\n"));
  rules.SetIgnored("packages/web", IgnoreFile::Parse("!good.out\n"));
  CHECK_FALSE(rules.Watches("tmp"));
  CHECK(rules.Watches("src/tmp"));
  CHECK_FALSE(rules.Counts("b.js"));
  CHECK_FALSE(rules.Counts("a.out"));
  CHECK(rules.Counts("good.out"));
  CHECK_FALSE(rules.IgnoresAll());
  rules.SetIgnored("packages", IgnoreFile::Parse("web\n"));
  CHECK(rules.IgnoresAll());
}

TEST_CASE("Watch: --watch-only narrows what counts") {
  const WatchRules rules({"*.js", "config/", "views/*.html"});
  CHECK(rules.Counts("app.js"));
  CHECK(rules.Counts("src/app.js"));
  CHECK(rules.Counts("config/deep/down.json"));
  CHECK(rules.Counts("views/index.html"));
  CHECK_FALSE(rules.Counts("views/deep/index.html"));
  CHECK_FALSE(rules.Counts("README.md"));
  CHECK_FALSE(rules.Counts(".env"));
  CHECK_FALSE(rules.Counts("x.log"));
  CHECK(WatchRules::IsPattern("src/**/*.ts"));
  for (const char* wrong : {"", "!*.js", "#a", "/", "a[", "a\nb"}) {
    CAPTURE(wrong);
    CHECK_FALSE(WatchRules::IsPattern(wrong));
  }
}

TEST_CASE("Watch: files that change together make one restart, when they are quiet") {
  WatchPace pace;
  CHECK_FALSE(pace.deadline(0));
  pace.Changed("b.js", 1000);
  pace.Changed("a.js", 1100);
  pace.Changed("a.js", 1100);
  CHECK(pace.deadline(1100) == 1300);
  CHECK_FALSE(pace.Pass(false, 1299).restart);
  const WatchPace::Deed deed = pace.Pass(false, 1300);
  CHECK(deed.restart);
  CHECK(deed.occasion == "a.js and 1 more");
  CHECK_FALSE(pace.deadline(1300));
  CHECK_FALSE(pace.Pass(false, 5000).restart);
  // Never quiet: not for ever.
  for (Millis now = 10'000; now < 12'000; now += 100) {
    pace.Changed("a.js", now);
    CHECK_FALSE(pace.Pass(false, now).restart);
  }
  CHECK(pace.Pass(false, 12'000).restart);
}

TEST_CASE("Watch: what changes during a change waits for its end") {
  WatchPace pace;
  pace.Changed("a.js", 1000);
  CHECK_FALSE(pace.Pass(true, 1200).restart);
  CHECK(pace.deadline(1200) == 1300);
  CHECK_FALSE(pace.Pass(true, 1300).restart);
  pace.Changed("b.js", 1350);
  CHECK(pace.Pass(false, 1600).occasion == "a.js and 1 more");
}

TEST_CASE("Watch: a loop of restarts is paused, longer each time") {
  WatchPace pace;
  Millis now = 1000;
  const auto churn = [&] {
    int restarts = 0;
    for (int i = 0; i < 50; ++i, now += 1000) {
      pace.Changed("data.json", now);
      const WatchPace::Deed deed = pace.Pass(false, now + 200);
      if (deed.paused) return restarts;
      if (deed.restart) ++restarts;
    }
    return restarts;
  };
  CHECK(churn() == 10);
  CHECK(pace.pausing());
  CHECK(pace.pause() == WatchPace::kFirstPause);
  // It goes on changing: it goes on being paused.
  for (int i = 0; i < 100; ++i, now += 1000) {
    pace.Changed("data.json", now);
    CHECK_FALSE(pace.Pass(false, now + 200).restart);
  }
  now = *pace.deadline(now);
  CHECK(pace.Pass(false, now).restart);
  CHECK_FALSE(pace.pausing());
  CHECK(churn() == 9);
  CHECK(pace.pause() == 2 * WatchPace::kFirstPause);
  now = *pace.deadline(now);
  CHECK(pace.Pass(false, now).restart);
  now += WatchPace::kForgiven + WatchPace::kWithin;
  CHECK(churn() == 10);
  CHECK(pace.pause() == WatchPace::kFirstPause);
}

TEST_CASE("Watch: whatever changes when, the last change is followed by a restart") {
  RunHistories(500, [](Random& random) -> std::string {
    WatchPace pace;
    Millis now = 0;
    Millis changed = 0;
    Millis restarted = 0;
    std::deque<Millis> restarts;
    bool busy = false;
    for (int i = 0; i < 400; ++i) {
      const auto at = pace.deadline(now);
      const Millis until = now + random.Between(0, random.Chance(5) ? 100'000 : 700);
      const bool due = at && *at <= until;
      now = due ? std::max(now, *at) : until;
      if (due || random.Chance(30)) {
        const WatchPace::Deed deed = pace.Pass(busy, now);
        if (deed.restart && busy) return "restarted while it was being changed";
        if (deed.restart) {
          restarted = now;
          restarts.push_back(now);
        }
      } else {
        pace.Changed("a", now);
        changed = now;
      }
      if (random.Chance(20)) busy = !busy;
      while (!restarts.empty() && restarts.front() <= now - WatchPace::kWithin) {
        restarts.pop_front();
      }
      // Pauses of 10, 20 and 40 s leave room for four bursts.
      if (restarts.size() > 4 * WatchPace::kMost) return "a loop";
    }
    for (int i = 0; i < 3; ++i) {
      const auto at = pace.deadline(now);
      if (!at) break;
      now = std::max(now, *at);
      if (pace.Pass(false, now).restart) restarted = now;
    }
    if (changed > 0 && restarted < changed) return "the last change was lost";
    return pace.deadline(now) ? "there is nothing to wait for" : "";
  });
}

}  // namespace slc
