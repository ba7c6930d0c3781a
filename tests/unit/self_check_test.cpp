#include "common/wire/self_check.h"

#include <doctest/doctest.h>

#include "common/wire/link.h"
#include "common/wire/messages.h"

using namespace slc;

namespace {

SelfCheck Speaking(ProtocolRange link) {
  SelfCheck check = DescribeSelf("slcd");
  check.link = link;
  return check;
}

}  // namespace

TEST_CASE("what a binary says of itself is read as it was said") {
  const SelfCheck own = DescribeSelf("slcd");
  const auto read = DecodeSelfCheck("slcd", EncodeSelfCheck(own) + "\n");
  REQUIRE(read);
  CHECK(read->version == OwnVersion().text);
  CHECK(read->control == own.control);
  CHECK(read->link == own.link);
  CHECK(read->inheritance == kInheritanceForm);
}

TEST_CASE("what is no self-check of that program is refused") {
  CHECK(!DecodeSelfCheck("slcd", ""));
  CHECK(!DecodeSelfCheck("slcd", "usage: slcd"));
  CHECK(!DecodeSelfCheck("slcd", "{}"));
  CHECK(!DecodeSelfCheck("slc-master", EncodeSelfCheck(DescribeSelf("slcd"))));
}

TEST_CASE("versions follow each other while their protocols meet") {
  CHECK(CanFollow(Speaking({2, 1}), Speaking({3, 2})));
  CHECK(CanFollow(Speaking({3, 2}), Speaking({2, 1})));
  CHECK(CanFollow(Speaking({1, 1}), Speaking({2, 1})));
  const Status far = CanFollow(Speaking({1, 1}), Speaking({3, 2}));
  REQUIRE(!far);
  CHECK(far.error().message.find("speaks link protocol 2 to 3, what runs speaks 1") !=
        std::string::npos);
  SelfCheck other_form = Speaking({1, 1});
  ++other_form.inheritance;
  CHECK(!CanFollow(Speaking({1, 1}), other_form));
}

TEST_CASE("a request of a version whose protocols meet ours is read") {
  const auto of = [](int newest, int oldest) {
    return DecodeRequest("{\"v\":" + std::to_string(newest) +
                         ",\"oldest\":" + std::to_string(oldest) + ",\"verb\":\"info\"}");
  };
  const int own = static_cast<int>(OwnVersion().control.newest);
  CHECK(of(own + 1, own));
  const auto far = of(own + 2, own + 1);
  REQUIRE(!far);
  CHECK(far.error().code == ErrorCode::kProtocol);
  // Its answer must find the way back.
  CHECK(RequestIdOf("{\"v\":9,\"oldest\":9,\"id\":\"a-1\",\"verb\":\"info\"}") == "a-1");
  CHECK(RequestIdOf("no JSON").empty());
  // Said before there was a range.
  CHECK(DecodeRequest("{\"v\":1,\"verb\":\"info\"}"));
}

TEST_CASE("a hello without a range speaks one protocol, and without a version has none") {
  const auto packet = link::Decode("{\"is\":\"master_hello\",\"protocol\":7,\"epoch\":1}");
  REQUIRE(packet);
  const auto& hello = std::get<link::MasterHello>(*packet);
  CHECK(hello.protocol == ProtocolRange{7, 7});
  CHECK(hello.version.empty());
  CHECK_FALSE(hello.trials);
  CHECK_FALSE(hello.looks);
  const auto own = link::Decode(link::Encode(link::MasterHello{}));
  REQUIRE(own);
  CHECK(std::get<link::MasterHello>(*own).looks);
}

TEST_CASE("what is said of a trial comes through") {
  const auto through = [](const link::Packet& packet) {
    auto decoded = link::Decode(link::Encode(packet));
    REQUIRE(decoded);
    return std::move(*decoded);
  };
  CHECK(std::get<link::MasterHello>(through(link::MasterHello{})).trials);
  link::Order order;
  order.wish.trial = true;
  order.wish.same_as = 4;
  CHECK(std::get<link::Order>(through(order)).wish == order.wish);
  link::Facts facts;
  facts.trial = 12;
  CHECK(std::get<link::Facts>(through(facts)).trial == 12);
}
