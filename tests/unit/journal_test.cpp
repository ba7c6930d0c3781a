#include "common/model/journal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "ctl/journal/describe.h"
#include "ctl/journal/reader.h"
#include "daemon/commands/audit.h"
#include "daemon/core/event_pacer.h"
#include "daemon/core/phase_watch.h"
#include "daemon/journal_file.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

JournalRecord Sample(unsigned number = 1) {
  JournalRecord record;
  record.time = 1'764'100'000'000 + number;
  record.kind = "worker_ended";
  record.id = 3;
  record.service = "web";
  record.worker = number;
  record.slot = 2;
  record.generation = 4;
  record.pid = 812;
  record.text = "exit code 1: Error: \"quoted\"\n\x1b[31m and \xff no UTF-8";
  record.status = 256;
  record.took = 3000;
  return record;
}

std::string Lines(unsigned from, unsigned count) {
  std::string lines;
  for (unsigned i = 0; i < count; ++i) lines += EncodeJournalLine(Sample(from + i));
  return lines;
}

std::vector<unsigned> Workers(const std::vector<JournalRecord>& records) {
  std::vector<unsigned> workers;
  for (const auto& record : records) workers.push_back(record.worker);
  return workers;
}

bool Any(const JournalRecord&) { return true; }

}  // namespace

TEST_SUITE_BEGIN("journal");

TEST_CASE("A record comes back from its line as it was") {
  JournalRecord change;
  change.time = 1'764'100'000'123;
  change.kind = "change";
  change.verb = "set-size";
  change.service = "web";
  change.result = "ok";
  change.text = "size 4";
  change.who = JournalActor{0, 17, "root"};
  change.took = 0;
  change.times = 7;
  for (JournalRecord record : {Sample(), change, JournalRecord{}}) {
    if (record.kind.empty()) record.kind = "gap";
    std::string line = EncodeJournalLine(record);
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    CHECK(line.find('\x1b') == std::string::npos);
    line.pop_back();
    auto decoded = DecodeJournalLine(line);
    REQUIRE(decoded.ok());
    if (record.worker != 0) {
      // What is no UTF-8 is replaced.
      record.text = "exit code 1: Error: \"quoted\"\n\x1b[31m and \xef\xbf\xbd no UTF-8";
    }
    CHECK(*decoded == record);
  }
}

TEST_CASE("A text that nobody would read to its end is cut between two characters") {
  JournalRecord record = Sample();
  record.text = std::string(1999, 'x') + "\xc3\xa4" + std::string(5000, 'y');
  const std::string line = EncodeJournalLine(record);
  CHECK(line.size() < 2500);
  CHECK(line.find(std::string(10, 'x') + "...\"") != std::string::npos);
}

TEST_CASE("A record without a kind is none, whatever its checksum says") {
  const std::string time = R"({"time":"2026-11-25T20:05:10.748Z")";
  CHECK(DecodeJournalLine(SealJournalLine(time + R"(,"kind":"running")")).ok());
  CHECK_FALSE(DecodeJournalLine(SealJournalLine(time + R"(,"kind":"")")).ok());
  CHECK_FALSE(DecodeJournalLine(SealJournalLine(time)).ok());
}

TEST_CASE("Any flipped bit of a line is noticed") {
  const std::string line = EncodeJournalLine(Sample());
  const std::string bare = line.substr(0, line.size() - 1);
  REQUIRE(IsSoundJournalLine(bare));
  for (std::size_t at = 0; at < bare.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bare;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      REQUIRE_FALSE(IsSoundJournalLine(flipped));
    }
  }
}

TEST_CASE("A journal cut at any length keeps its whole lines") {
  const std::string whole = Lines(1, 3);
  const std::size_t one = Lines(1, 1).size();
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const JournalScan scan = ScanJournal(std::string_view(whole).substr(0, size));
    REQUIRE(scan.sound == size / one);
    REQUIRE(scan.damaged == 0);
    REQUIRE(scan.torn == size % one);
  }
}

TEST_CASE("A torn last line is cut off when the journal is opened, wherever it was torn") {
  const std::string whole = Lines(1, 2);
  const std::size_t one = Lines(1, 1).size();
  for (std::size_t size = one; size < whole.size(); ++size) {
    TempFolder home;
    home.Write("journal", whole.substr(0, size), 0600);
    JournalFile file(home.fd());
    REQUIRE(file.Append(Lines(3, 1)).ok());
    REQUIRE(file.TakeWarnings().empty());
    REQUIRE(home.Read("journal") == Lines(1, 1) + Lines(3, 1));
    REQUIRE_FALSE(home.Has("journal.bad"));
  }
}

TEST_CASE("A damaged journal is set aside as it was, and goes on with what is sound") {
  TempFolder home;
  std::string damaged = Lines(1, 3);
  damaged[Lines(1, 1).size() + 20] ^= 1;
  damaged += "half a li";
  home.Write("journal", damaged, 0600);
  JournalFile file(home.fd());
  REQUIRE(file.Append(Lines(4, 1)).ok());
  const auto warnings = file.TakeWarnings();
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0] ==
        "journal had 1 damaged lines; it was kept as journal.bad and goes on with the 2 sound "
        "ones");
  CHECK(home.Read("journal.bad") == damaged);
  CHECK(home.Read("journal") == Lines(1, 1) + Lines(3, 2));
}

TEST_CASE("A journal file is the owner's alone, and never what a link or a pipe leads to") {
  TempFolder home;
  JournalFile file(home.fd());
  REQUIRE(file.Append(Lines(1, 1)).ok());
  REQUIRE(file.Sync().ok());
  struct stat info {};
  REQUIRE(::stat((home / "journal").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);

  TempFolder linked;
  linked.Write("victim", "precious");
  REQUIRE(::symlink("victim", (linked / "journal").c_str()) == 0);
  CHECK_FALSE(JournalFile(linked.fd()).Append(Lines(1, 1)).ok());
  CHECK(linked.Read("victim") == "precious");

  TempFolder piped;
  REQUIRE(::mkfifo((piped / "journal").c_str(), 0600) == 0);
  CHECK_FALSE(JournalFile(piped.fd()).Append(Lines(1, 1)).ok());
}

TEST_CASE("A journal is bounded: two files of the size that is allowed") {
  TempFolder home;
  const std::uint64_t limit = 5 * Lines(10, 1).size();
  JournalFile file(home.fd(), limit);
  for (unsigned i = 10; i < 90; ++i) {
    REQUIRE(file.Append(Lines(i, 1)).ok());
    REQUIRE(home.Read("journal").size() <= limit);
  }
  CHECK(home.Read("journal") == Lines(85, 5));
  CHECK(home.Read("journal.1") == Lines(80, 5));
  CHECK_FALSE(home.Has("journal.2"));
}

TEST_CASE("A journal that was removed or renamed by others is begun anew") {
  TempFolder home;
  JournalFile file(home.fd());
  REQUIRE(file.Append(Lines(1, 1)).ok());
  REQUIRE(::unlink((home / "journal").c_str()) == 0);
  REQUIRE(file.Append(Lines(2, 1)).ok());
  CHECK(home.Read("journal") == Lines(2, 1));
  REQUIRE(::rename((home / "journal").c_str(), (home / "mine").c_str()) == 0);
  REQUIRE(file.Append(Lines(3, 1)).ok());
  CHECK(home.Read("journal") == Lines(3, 1));
}

// ------------------------------------------------------------------------------------------------
// reading

TEST_CASE("The last records are found over both files, and what follows after them") {
  TempFolder home;
  home.Write("journal.1", Lines(1, 4), 0600);
  home.Write("journal", Lines(5, 2) + "torn", 0600);
  ctl::JournalReader reader(home.path());
  auto last = reader.Last(3, Any);
  REQUIRE(last.ok());
  CHECK(Workers(*last) == std::vector<unsigned>{4, 5, 6});
  CHECK(reader.damaged() == 0);
  auto none = reader.Next();
  REQUIRE(none.ok());
  CHECK(none->empty());
  // slcd comes, cuts the torn line off, writes, puts the file aside and writes on.
  JournalFile file(home.fd(), Lines(5, 3).size());
  REQUIRE(file.Append(Lines(7, 1)).ok());
  REQUIRE(file.Append(Lines(8, 1)).ok());
  auto next = reader.Next();
  REQUIRE(next.ok());
  CHECK(Workers(*next) == std::vector<unsigned>{7, 8});
}

TEST_CASE("Who follows a journal that is repaired sees nothing twice") {
  TempFolder home;
  home.Write("journal", Lines(1, 3), 0600);
  ctl::JournalReader reader(home.path());
  REQUIRE(Workers(*reader.Last(1, Any)) == std::vector<unsigned>{3});
  std::string damaged = Lines(1, 3);
  damaged[30] ^= 1;
  home.Write("journal", damaged, 0600);
  JournalFile file(home.fd());
  REQUIRE(file.Append(Lines(4, 1)).ok());
  auto next = reader.Next();
  REQUIRE(next.ok());
  CHECK(Workers(*next) == std::vector<unsigned>{4});
}

TEST_CASE("Of no journal there are no records, until there is one") {
  TempFolder home;
  ctl::JournalReader reader(home.path());
  auto last = reader.Last(10, Any);
  REQUIRE(last.ok());
  CHECK(last->empty());
  home.Write("journal", Lines(1, 2), 0600);
  auto next = reader.Next();
  REQUIRE(next.ok());
  CHECK(Workers(*next) == std::vector<unsigned>{1, 2});
}

TEST_CASE("Only what is wanted counts among the last") {
  TempFolder home;
  home.Write("journal", Lines(1, 9), 0600);
  ctl::JournalReader reader(home.path());
  auto odd = reader.Last(2, [](const JournalRecord& record) { return record.worker % 2 == 1; });
  REQUIRE(odd.ok());
  CHECK(Workers(*odd) == std::vector<unsigned>{7, 9});
  auto hinted = reader.Last(2, Any, "\"worker\":4");
  REQUIRE(hinted.ok());
  CHECK(Workers(*hinted) == std::vector<unsigned>{4});
}

TEST_CASE("Events are told in words") {
  CHECK(ctl::DescribeEvent(Sample()).rfind(
            "worker 1 (pid 812) ended after 3.0 s: exit code 1: Error", 0) == 0);
  JournalRecord change;
  change.kind = "change";
  change.verb = "set-size";
  change.result = "storage";
  change.text = "size 4: no space left on device";
  change.took = 100;
  change.who = JournalActor{1000, 17, ""};
  CHECK(ctl::DescribeEvent(change) ==
        "set-size failed after 100 ms (storage): size 4: no space left on device");
  CHECK(ctl::DescribeActor(change) == "by uid 1000 (pid 17)");
}

// ------------------------------------------------------------------------------------------------
// what is recorded

TEST_CASE("A change is described by the names of variables and never by their values") {
  SetEnvironment setting;
  setting.service = "web";
  setting.set = {{"TOKEN", "s3cret"}, {"URL", "http://u:s3cret@host"}};
  setting.unset = {"OLD"};
  CHECK(DescribeRequest(RequestBody{setting}) == "set TOKEN URL, unset OLD");
  CHECK(ServiceNamedBy(RequestBody{setting}) == "web");
  StartService start;
  start.spec.name = "web";
  start.spec.script = "server.js";
  start.spec.directory = "/srv/web";
  start.spec.environment = {{"TOKEN", "s3cret"}};
  start.spec.arguments = {"--password=s3cret"};
  start.size = 2;
  start.given = {"size", "env", "port", "arguments"};
  CHECK(DescribeRequest(RequestBody{start}) ==
        "server.js in /srv/web, size 2, env TOKEN, with port arguments");
  CHECK(IsChange(RequestBody{start}));
  CHECK(NameOfChange(RequestBody{setting}) == std::string("env-set"));
  CHECK(NameOfChange(RequestBody{RestartService{"web", RollMode::kRolling, 1}}) ==
        std::string("soft-restart"));
  CHECK_FALSE(IsChange(RequestBody{GetStatus{}}));
}

TEST_CASE("The facts of a master become what has happened") {
  const auto kinds = [](PhaseWatch& watch, const PhaseFacts& facts) {
    std::string all;
    for (const JournalRecord& record : watch.On(facts)) all += record.kind + " ";
    return all;
  };
  SUBCASE("a start, a roll, and its failure") {
    PhaseWatch watch;
    watch.Expect();
    CHECK(kinds(watch, {1, "starting", 0, "", 1}).empty());
    CHECK(kinds(watch, {1, "running", 2, "", 1}) == "running ");
    CHECK(kinds(watch, {2, "rolling", 2, "", 2}) == "roll_begun ");
    CHECK(kinds(watch, {2, "rolling", 1, "", 2}).empty());
    CHECK(kinds(watch, {2, "running", 2, "", 2}) == "roll_done ");
    CHECK(kinds(watch, {3, "rolling", 2, "", 3}) == "roll_begun ");
    CHECK(kinds(watch, {3, "failed", 2, "exit code 1", 3}) == "roll_failed ");
    CHECK(kinds(watch, {3, "failed", 2, "exit code 1", 3}).empty());
    CHECK(kinds(watch, {4, "stopping", 2, "", 3}).empty());
    CHECK(kinds(watch, {4, "stopped", 0, "", 3}) == "stopped ");
  }
  SUBCASE("crashes in a running service are told once, until they end") {
    PhaseWatch watch;
    CHECK(kinds(watch, {5, "running", 2, "", 1}).empty());
    CHECK(kinds(watch, {5, "starting", 1, "", 1}).empty());
    CHECK(kinds(watch, {5, "running", 2, "", 1}).empty());
    CHECK(kinds(watch, {5, "backoff", 1, "", 1}) == "backoff ");
    CHECK(kinds(watch, {5, "starting", 1, "", 1}).empty());
    CHECK(kinds(watch, {5, "backoff", 1, "", 1}).empty());
    CHECK(kinds(watch, {5, "running", 2, "", 1}) == "backoff_left ");
  }
  SUBCASE("a start that fails") {
    PhaseWatch watch;
    watch.Expect();
    CHECK(kinds(watch, {1, "failed", 0, "exit code 1", 1}) == "failed ");
    CHECK(kinds(watch, {1, "backoff", 0, "exit code 1", 1}) == "backoff ");
    CHECK(kinds(watch, {1, "running", 1, "", 1}) == "backoff_left ");
  }
}

TEST_CASE("A crash loop does not flood the journal, and none of its ends is lost from the count") {
  EventPacer pacer;
  Millis now = 1000;
  std::uint64_t produced = 0;
  std::uint64_t told = 0;
  std::size_t lines = 0;
  const auto count = [&](const std::vector<JournalRecord>& records) {
    lines += records.size();
    for (const JournalRecord& record : records) told += record.times;
  };
  constexpr Millis kDay = 24 * 3600 * 1000;
  const Millis end = now + kDay;
  while (now < end) {
    // As the longest back-off paces it: starts, gets ready, crashes.
    for (const char* kind : {"worker_ready", "worker_ended", "backoff_left", "backoff"}) {
      JournalRecord record = Sample();
      record.time = now;
      record.kind = kind;
      ++produced;
      count(pacer.Take(record, now));
    }
    // Other services see nothing of it.
    JournalRecord calm = Sample();
    calm.service = "calm";
    if (produced == 400) CHECK(pacer.Take(calm, now).size() == 1);
    const auto at = pacer.deadline();
    if (at && *at <= now + 35'000) count(pacer.Pass(*at));
    now += 35'000;
  }
  MESSAGE(produced << " events of a day became " << lines << " records");
  // Of each of the four kinds there are.
  CHECK(lines <= 4 * (EventPacer::kBurst + kDay / EventPacer::kRefill));
  count(pacer.Flush());
  CHECK(told == produced);
  CHECK_FALSE(pacer.deadline());
}

TEST_CASE("After a burst of restarts the next crash is on record at once") {
  EventPacer pacer;
  const auto take = [&](const char* kind, unsigned worker, Millis now) {
    JournalRecord record = Sample(worker);
    record.kind = kind;
    record.time = now;
    return Workers(pacer.Take(record, now));
  };
  for (unsigned i = 0; i < 200; ++i) take("worker_ready", i, 5000);
  // In order: what was folded comes first.
  CHECK(take("worker_ended", 7, 6000) == std::vector<unsigned>{199, 7});
  CHECK(take("worker_ready", 201, 7000).empty());
}

TEST_CASE("In a crash loop a change has its first ends on record at once") {
  EventPacer pacer;
  Millis now = 1000;
  for (unsigned i = 0; i < 100; ++i) pacer.Take(Sample(i), now += 1000);
  const auto before = pacer.Renew("web");
  REQUIRE(before.size() == 1);
  CHECK(before[0].worker == 99);
  CHECK(before[0].times == 100 - EventPacer::kBurst);
  for (unsigned i = 0; i < EventPacer::kAfterChange; ++i) {
    CHECK(Workers(pacer.Take(Sample(200 + i), now += 10)) == std::vector<unsigned>{200 + i});
  }
  CHECK(pacer.Take(Sample(300), now += 10).empty());
  CHECK(pacer.Renew("calm").empty());
}

TEST_CASE("What was folded comes out in its turn without another event") {
  EventPacer pacer;
  for (unsigned i = 0; i < EventPacer::kBurst; ++i) CHECK(pacer.Take(Sample(i), 5000).size() == 1);
  CHECK(pacer.Take(Sample(70), 6000).empty());
  CHECK(pacer.Take(Sample(71), 7000).empty());
  REQUIRE(pacer.deadline());
  CHECK(*pacer.deadline() == 5000 + EventPacer::kRefill);
  CHECK(pacer.Pass(*pacer.deadline() - 1).empty());
  const auto out = pacer.Pass(*pacer.deadline());
  REQUIRE(out.size() == 1);
  CHECK(out[0].worker == 71);
  CHECK(out[0].times == 2);
}

TEST_SUITE_END();

}  // namespace slc
