#include "daemon/journal_writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/uv/disk_thread.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"
#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

JournalRecord Numbered(unsigned number) {
  JournalRecord record;
  record.time = 1'764'100'000'000 + number;
  record.kind = "worker_ready";
  record.worker = number;
  return record;
}

std::vector<JournalRecord> RecordsIn(const TempFolder& home) {
  std::vector<JournalRecord> records;
  ScanJournal(home.Read("journal"), [&](std::string_view line) {
    auto record = DecodeJournalLine(line.substr(0, line.size() - 1));
    REQUIRE(record.ok());
    records.push_back(*record);
  });
  return records;
}

// Runs the loop until `done`, asked every 10 ms.
void RunUntil(uv::Loop& loop, const std::function<bool()>& done) {
  constexpr Millis kPatience = 10'000;
  const Millis end = BootNow() + kPatience;
  uv::Timer again(loop, [&] {
    if (done() || BootNow() > end) return loop.Stop();
    again.StartIn(10);
  });
  again.StartIn(0);
  loop.Run();
  REQUIRE(done());
}

// What is said meanwhile.
class Lines {
 public:
  Lines() {
    log::SetSink([this](log::Level, const std::string& line) { lines_.push_back(line); });
  }
  ~Lines() { log::SetSink(nullptr); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  const std::vector<std::string>& all() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

}  // namespace

TEST_SUITE_BEGIN("journal");

TEST_CASE("Records come to the file in order, also those that wait when slcd ends") {
  TempFolder home;
  uv::Loop loop;
  {
    uv::DiskThread disk(loop);
    JournalWriter writer(loop, disk, home.fd());
    for (unsigned i = 1; i <= 3; ++i) writer.Write(Numbered(i));
    RunUntil(loop, [&] { return RecordsIn(home).size() == 3; });
    for (unsigned i = 4; i <= 9; ++i) writer.Write(Numbered(i));
  }
  const auto records = RecordsIn(home);
  REQUIRE(records.size() == 9);
  for (unsigned i = 0; i < 9; ++i) CHECK(records[i].worker == i + 1);
}

TEST_CASE("While the disk refuses, records wait; what has no room is counted, and all goes on") {
  constexpr unsigned kRecords = 600;
  constexpr unsigned kRoom = 512;
  TempFolder home;
  // No file can be opened by this name.
  REQUIRE(::mkdir((home / "journal").c_str(), 0700) == 0);
  Lines lines;
  uv::Loop loop;
  uv::DiskThread disk(loop);
  JournalWriter writer(loop, disk, home.fd());
  for (unsigned i = 1; i <= kRecords; ++i) writer.Write(Numbered(i));
  // It works again right behind the first try: the next one comes a second later all the same.
  bool removed = false;
  bool tried = false;
  disk.Run([&] { removed = ::rmdir((home / "journal").c_str()) == 0; }, [&] { tried = true; });
  // The loop may hear of the refusal before the disk thread comes to this.
  RunUntil(loop, [&] { return tried && !lines.all().empty(); });
  REQUIRE(removed);
  REQUIRE(lines.all().size() == 1);
  CHECK(StartsWith(lines.all()[0], "the journal cannot be written: open journal: "));
  RunUntil(loop, [&] { return home.Has("journal") && RecordsIn(home).size() > kRoom; });
  const auto records = RecordsIn(home);
  REQUIRE(records.size() == kRoom + 1);
  for (unsigned i = 0; i < kRoom; ++i) REQUIRE(records[i].worker == i + 1);
  CHECK(records.back().kind == "gap");
  CHECK(records.back().times == kRecords - kRoom);
  CHECK(lines.all().back() == "the journal is written again");
}

TEST_SUITE_END();

}  // namespace slc
