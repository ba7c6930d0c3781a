// What a slcd that starts makes of the journal's end.
#include "daemon/core/past.h"

#include <doctest/doctest.h>

namespace slc {
namespace {

constexpr Millis kThen = 1'764'100'000'000;

std::string Line(const char* kind, ServiceId id, int pid = 0, const char* boot = "") {
  JournalRecord record;
  record.time = kThen;
  record.kind = kind;
  record.id = id;
  if (id != 0) record.service = "web";
  record.pid = pid;
  record.boot = boot;
  // Of what others say nothing is to be made.
  record.text = R"("kind":"daemon_stopping","id":7,)";
  return EncodeJournalLine(record);
}

std::string Slcd(const char* kind, const char* boot = "a") { return Line(kind, 0, 12, boot); }

}  // namespace

TEST_SUITE_BEGIN("journal");

TEST_CASE("When the last record was made is known, whatever it is about") {
  CHECK(Past().last() == 0);
  CHECK(Past({"", true}, "a").last() == 0);
  CHECK(Past({Slcd("daemon_started") + Line("change", 0), true}, "a").last() == kThen);
  CHECK(Past({Line("worker_ready", 1) + "{\"torn", false}, "a").last() == kThen);
}

TEST_CASE("How the slcd before had ended is told by the next one only if that one could not") {
  const std::string killed =
      "the one before (pid 12) had ended without telling why: killed or crashed";
  CHECK(Past({"", true}, "a").OfDaemon(13).empty());
  CHECK(Past({Slcd("daemon_started"), true}, "a").OfDaemon(13) == killed);
  // It has executed itself anew.
  CHECK(Past({Slcd("daemon_started"), true}, "a").OfDaemon(12).empty());
  CHECK(Past({Slcd("daemon_started") + Slcd("daemon_leaving"), true}, "a").OfDaemon(13).empty());
  CHECK(Past({Slcd("daemon_leaving") + Slcd("daemon_started"), true}, "a").OfDaemon(13) == killed);
  CHECK(Past({Slcd("daemon_stopping"), true}, "b").OfDaemon(13) == "the machine was started anew");
  // A journal of before slcd told the boot.
  CHECK(Past({Slcd("daemon_stopping", ""), true}, "b").OfDaemon(13).empty());
}

TEST_CASE("A service that ran and of which nothing is left: that it ended, and since when") {
  const std::string slcd = Slcd("daemon_started");
  const std::string ran =
      "since when is not known; the last record of it is of 2025-11-25T19:46:40.000Z";
  CHECK(Past({slcd + Line("master_launched", 3), true}, "a").EndOf(3) == ran);
  CHECK(Past({slcd + Line("worker_ended", 3) + Line("change", 3), true}, "a").EndOf(3) == ran);
  CHECK(Past({slcd + Line("running", 3), true}, "b").EndOf(3) == "the machine was started anew");
  // Another's, and none.
  CHECK_FALSE(Past({slcd + Line("running", 3), true}, "a").EndOf(30));
  for (const char* other : {"change", "generation", "quarantined", "fallen_back", "gap"}) {
    CHECK_FALSE(Past({slcd + Line(other, 3), true}, "a").EndOf(3));
  }
  CHECK_FALSE(Past({"", true}, "a").EndOf(3));
  for (const char* end : {"stopped", "finished", "master_failed", "all_gone"}) {
    CHECK_FALSE(Past({slcd + Line("running", 3) + Line(end, 3), true}, "a").EndOf(3));
    CHECK(Past({slcd + Line(end, 3) + Line("running", 3), true}, "a").EndOf(3) == ran);
  }
}

TEST_CASE("What the end of a long journal does not tell is not made up") {
  const std::string slcd = Slcd("daemon_started");
  CHECK(Past({slcd, false}, "a").EndOf(3) == "since when is not known");
  CHECK_FALSE(Past({slcd + Slcd("daemon_stopping"), false}, "a").EndOf(3));
  CHECK_FALSE(Past({Line("running", 4), false}, "a").EndOf(3));
  // The first line is cut, the last one torn.
  const std::string torn = slcd.substr(9) + Line("running", 3) + Line("stopped", 3).substr(0, 60);
  const Past past({torn, false}, "a");
  CHECK(past.OfDaemon(13).empty());
  CHECK(past.EndOf(3));
}

TEST_SUITE_END();

}  // namespace slc
