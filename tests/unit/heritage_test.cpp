// What slcd tells its next image.
#include "daemon/heritage.h"

#include <doctest/doctest.h>

using namespace slc;

TEST_CASE("What an image of slcd leaves of facts is read back by the next") {
  DaemonFacts facts;
  facts.epoch = 7;
  facts.version = "1.2.3";
  facts.request = "r";
  facts.peer = Peer{1000, 4711};
  facts.began = 99;
  facts.instances[3] = InstanceFacts{{12, 34}, 5, 1};
  facts.store = {{"kept/3/state", true}, {"kept/3/config/1", false}};
  const auto read = DecodeDaemonFacts(EncodeDaemonFacts(facts));
  REQUIRE(read);
  CHECK(read->epoch == 7);
  CHECK(read->version == "1.2.3");
  CHECK(read->request == "r");
  CHECK(read->peer.uid == 1000);
  CHECK(read->peer.pid == 4711);
  CHECK(read->began == 99);
  REQUIRE(read->instances.count(3) == 1);
  CHECK(read->instances.at(3).master == ProcessIdentity{12, 34});
  CHECK(read->instances.at(3).launches == 5);
  CHECK(read->instances.at(3).hellos == 1);
  REQUIRE(read->store.size() == 2);
  CHECK(read->store[0].name == "kept/3/state");
  CHECK(read->store[0].keep);
  CHECK(read->store[1].name == "kept/3/config/1");
  CHECK_FALSE(read->store[1].keep);
}

TEST_CASE("What an older image leaves says nothing of systemd") {
  const auto read = DecodeDaemonFacts("{\"epoch\":1}");
  REQUIRE(read);
  CHECK(read->store.empty());
}
