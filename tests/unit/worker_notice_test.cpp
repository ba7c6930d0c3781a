#include "daemon/master/core/worker_notice.h"

#include <doctest/doctest.h>

namespace slc {

TEST_CASE("A notice of a worker is read as sd_notify(3) writes it") {
  CHECK(ParseWorkerNotice("") == WorkerNotice{});
  CHECK(ParseWorkerNotice("READY=1").ready);
  CHECK(ParseWorkerNotice("READY=1\n").ready);
  const WorkerNotice all = ParseWorkerNotice(
      "RELOADING=1\nSTATUS=half = done\nERRNO=98\nEXTEND_TIMEOUT_USEC=1500999\nSTOPPING=1");
  CHECK_FALSE(all.ready);
  CHECK(all.reloading);
  CHECK(all.stopping);
  CHECK(all.status == "half = done");
  CHECK(all.errno_value == 98);
  CHECK(all.more_time == 1500);
  CHECK(ParseWorkerNotice("STATUS=").status == "");
  CHECK(ParseWorkerNotice("STATUS=one\nSTATUS=two").status == "two");
}

TEST_CASE("What is none of the words of a notice means nothing") {
  for (const char* text :
       {"READY", "READY=0", "READY=11", "ready=1", " READY=1", "READY=1 ", "\n\n\n", "=1",
        "XREADY=1", "WATCHDOG=1\nMAINPID=1\nFDSTORE=1\nBARRIER=1", "ERRNO=-1", "ERRNO=0",
        "ERRNO=1000000", "EXTEND_TIMEOUT_USEC=-5", "EXTEND_TIMEOUT_USEC=soon",
        "EXTEND_TIMEOUT_USEC=99999999999999999999"}) {
    CAPTURE(text);
    CHECK(ParseWorkerNotice(text) == WorkerNotice{});
  }
  using std::string_view_literals::operator""sv;
  CHECK(ParseWorkerNotice("READY=1\0"sv) == WorkerNotice{});
}

TEST_CASE("A long status is cut between two characters") {
  const std::string most(kLongestStatus, 'x');
  CHECK(ParseWorkerNotice("STATUS=" + most).status == most);
  CHECK(ParseWorkerNotice("STATUS=" + most + "y").status == most);
  const std::string before(kLongestStatus - 1, 'x');
  CHECK(ParseWorkerNotice("STATUS=" + before + "\u00e4 and more").status == before);
  CHECK(ParseWorkerNotice("STATUS=" + before + "\u20ac").status == before);
  // Bytes that are no text are cut somewhere.
  CHECK(ParseWorkerNotice("STATUS=" + std::string(400, '\x80')).status->size() >=
        kLongestStatus - 3);
}

}  // namespace slc
