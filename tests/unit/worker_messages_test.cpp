// Every message that Node 16 to 24 was recorded to send is read as what it means.
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/model/json_fields.h"
#include "daemon/master/cluster_messages.h"
#include "tests/unit/node_recordings.h"

namespace slc {
namespace {

using testing::kRecordedVersions;
using testing::ReadRecording;
using testing::RecordedWorker;
using Meanings = std::vector<std::string>;

std::string Text(const Online& /*message*/) { return "online"; }
std::string Text(const QueryServer& query) {
  std::string text = "query " + std::to_string(query.seq) + ": " +
                     (query.any_address ? "any" : query.address) + " " +
                     std::to_string(query.port) + " type '" + query.type + "'";
  if (query.index != 0) text += " index " + std::to_string(query.index);
  if (query.fd != -1) text += " fd " + std::to_string(query.fd);
  if (query.flags != 0) text += " flags " + std::to_string(query.flags);
  if (query.backlog != 511) text += " backlog " + std::to_string(query.backlog);
  if (query.data != "null") text += " data " + query.data;
  if (query.readable_all) text += " readable";
  if (query.writable_all) text += " writable";
  return text;
}
std::string Text(const Listening& message) {
  return "listening " + (message.address.empty() ? "any" : message.address) + " " +
         std::to_string(message.port) + " type '" + message.type + "'";
}
std::string Text(const CloseServer& message) { return "close " + message.key; }
std::string Text(const ExitedAfterDisconnect& message) {
  return "leaves " + std::to_string(message.seq);
}
std::string Text(const Accepted& message) {
  return (message.accepted ? "accepted " : "not accepted ") + std::to_string(message.ack);
}
std::string Text(const HandleAck& /*message*/) { return "ack"; }
std::string Text(const HandleNack& /*message*/) { return "nack"; }
std::string Text(const HandleSent& /*message*/) { return "handle"; }
std::string Text(const AgentHello& message) { return "agent " + message.version; }
std::string Text(const AgentParked&) { return "parked"; }
std::string Text(const AgentListening& message) {
  return "agent listening " + message.address + " " + std::to_string(message.port);
}
std::string Text(const AgentPong& message) {
  return std::string("agent turns") + (message.debugged ? ", debugged" : "") +
         (message.id != 0 ? ", " + std::to_string(message.id) : "");
}
std::string Text(const AgentInspected& message) {
  return "inspected " + std::to_string(message.id) + " port " +
         std::to_string(message.debugger_port) + message.debugger_host +
         (message.error ? ": " + *message.error : "");
}
std::string Text(const AgentInspection& message) {
  return "inspection " + std::to_string(message.state.profiling_since) + " " +
         std::to_string(message.state.tracking_since) + " " +
         std::to_string(message.state.debugger_port) + message.state.debugger_host;
}
std::string Text(const AgentStandstill& message) {
  return std::string("stands still for ") + Name(message.what);
}
std::string Text(const AppReady& /*message*/) { return "ready"; }
std::string Text(const OtherMessage& /*message*/) { return "other"; }
std::string Text(const TooDeep& message) { return "deep " + std::to_string(message.depth); }
std::string Text(const Garbage& /*message*/) { return "garbage"; }

std::string MeaningOf(const std::string& line) {
  return std::visit([](const auto& message) { return Text(message); }, ParseWorkerMessage(line));
}

// A listener on a port of any address, and its worker.
const Meanings kPort{"query 1: any 8101 type '4'", "listening any 8101 type '4'"};

Meanings PortAnd(const Meanings& more) {
  Meanings all = kPort;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string Repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// By scenario, behind the "online" with which each begins. What Node 22 and 24 say otherwise than
// their predecessors, apart from the `flags: 0` that means nothing, stands below.
std::map<std::string, Meanings> Expected(int node_version) {
  const std::string ticket_keys = R"( data {"ticketKeys":")";
  std::map<std::string, Meanings> expected{
      {"port", kPort},
      {"http", kPort},
      {"port 0", {"query 1: any 0 type '4'", "listening any 49152 type '4'"}},
      {"port 0 twice",
       {"query 1: any 0 type '4'", "query 2: any 0 type '4' index 1",
        "listening any 49152 type '4'", "listening any 49153 type '4'"}},
      {"several ports",
       {"query 1: any 8101 type '4'", "query 2: any 8102 type '4'", "query 3: any 8103 type '4'",
        "listening any 8101 type '4'", "listening any 8102 type '4'",
        "listening any 8103 type '4'"}},
      {"same port twice",
       {"query 1: any 8101 type '4'", "query 2: any 8101 type '4' index 1",
        "listening any 8101 type '4'", "listening any 8101 type '4'"}},
      {"IPv4", {"query 1: 127.0.0.1 8101 type '4'", "listening 127.0.0.1 8101 type '4'"}},
      {"IPv4 any", {"query 1: 0.0.0.0 8101 type '4'", "listening 0.0.0.0 8101 type '4'"}},
      {"IPv6", {"query 1: ::1 8101 type '6'", "listening ::1 8101 type '6'"}},
      {"IPv6 any", {"query 1: :: 8101 type '6'", "listening :: 8101 type '6'"}},
      {"ipv6Only", {"query 1: :: 8101 type '6' flags 1", "listening :: 8101 type '6'"}},
      {"backlog", {"query 1: any 8101 type '4' backlog 128", "listening any 8101 type '4'"}},
      {"callback", {"query 1: 127.0.0.1 8101 type '4'", "listening 127.0.0.1 8101 type '4'"}},
      {"unix", {"query 1: /app/app.sock -1 type '-1'", "listening /app/app.sock -1 type '-1'"}},
      {"unix for all",
       {"query 1: /app/app.sock -1 type '-1' readable writable",
        "listening /app/app.sock -1 type '-1'"}},
      {"fd", {"query 1: any 0 type '' fd 7", "ack", "listening any 49152 type ''"}},
      {"shared", {"query 1: any 0 type '4'", "ack", "listening any 49152 type '4'"}},
      {"refused", {"query 1: any 8101 type '4'", "other"}},
      {"https",
       {"query 1: any 8443 type '4'" + ticket_keys + Repeated("01", 48) + "\"}",
        "listening any 8443 type '4'"}},
      {"http2",
       {"query 1: any 8443 type '4'" + ticket_keys + Repeated("02", 48) + "\"}",
        "listening any 8443 type '4'"}},

      {"udp4", {"query 1: 0.0.0.0 5300 type 'udp4'", "ack", "listening 0.0.0.0 49152 type 'udp4'"}},
      {"udp4 address",
       {"query 1: 127.0.0.1 5300 type 'udp4'", "ack", "listening 127.0.0.1 49152 type 'udp4'"}},
      {"udp6", {"query 1: :: 5300 type 'udp6'", "ack", "listening :: 49152 type 'udp6'"}},
      {"udp6 only",
       {"query 1: :: 5300 type 'udp6' flags 1", "ack", "listening :: 49152 type 'udp6'"}},
      {"udp reuseAddr",
       {"query 1: 0.0.0.0 5300 type 'udp4' flags 4", "ack", "listening 0.0.0.0 49152 type 'udp4'"}},
      {"udp fd", {"query 1: any 0 type 'udp4' fd 8", "ack", "listening any 49152 type 'udp4'"}},

      {"accepted", PortAnd({"ack", "accepted 1"})},
      {"no such listener", PortAnd({"ack", "not accepted 1"})},
      {"maxConnections", PortAnd({"ack", "accepted 1"})},
      {"no handle came along", PortAnd({"nack"})},

      {"close", PortAnd({"close key-0"})},
      {"disconnected",
       {"query 1: any 8101 type '4'", "query 2: ::1 8102 type '6'", "listening any 8101 type '4'",
        "listening ::1 8102 type '6'", "close key-0", "close key-1"}},
      {"disconnects itself", PortAnd({"close key-0", "leaves 4"})},

      {"sends a socket", PortAnd({"ack", "accepted 1", "handle"})},
      {"sends a raw handle", PortAnd({"ack", "accepted 1", "handle"})},
      {"sends a server", {"handle"}},
      {"sends a UDP socket", {"handle"}},
      {"goes on after a handle", PortAnd({"ack", "accepted 1", "handle", "other"})},

      {"ready", {"ready"}},
      {"values", Meanings(11, "other")},
      // Half a surrogate pair is no text for our parser. It is the app's own business all the same.
      {"texts", {"other", "other", "garbage"}},
      {"commands of its own", Meanings(5, "other")},
      {"looks like ours", Meanings(3, "other")},

      {"agent", {"agent 1.1.0", "query 1: any 8101 type '4'", "listening any 8101 type '4'"}},
      {"agent, exclusive", {"agent 1.1.0", "agent listening 127.0.0.1 49152"}},
      {"agent, exclusive unix", {"agent 1.1.0", "agent listening /app/app.sock -1"}},
      {"agent, asked",
       {"agent 1.1.0", "query 1: any 8101 type '4'", "query 2: any 8102 type '4'",
        "listening any 8101 type '4'", "listening any 8102 type '4'", "agent turns"}},
      {"agent, drained",
       {"agent 1.1.0", "query 1: any 8101 type '4'", "listening any 8101 type '4'", "close key-0"}},
  };
  if (node_version >= 22) {
    // 0 is a limit like others; before it meant none.
    expected["maxConnections"] = PortAnd({"ack", "not accepted 1"});
    expected["agent, reusePort"] = {"agent 1.1.0", "agent listening 0.0.0.0 49152"};
  }
  return expected;
}

}  // namespace

TEST_CASE("Each recorded message of each Node version is read as what it means") {
  for (const int version : kRecordedVersions) {
    CAPTURE(version);
    std::map<std::string, Meanings> expected = Expected(version);
    for (const RecordedWorker& worker : ReadRecording(version)) {
      CAPTURE(worker.scenario);
      REQUIRE(expected.count(worker.scenario) == 1);
      Meanings meanings = expected[worker.scenario];
      meanings.insert(meanings.begin(), "online");
      expected.erase(worker.scenario);
      REQUIRE(worker.messages.size() == meanings.size());
      for (std::size_t i = 0; i < meanings.size(); ++i) {
        CAPTURE(worker.messages[i]);
        CHECK(MeaningOf(worker.messages[i]) == meanings[i]);
        // The channel decides on this alone, before the message is read.
        CHECK(AnnouncesHandle(worker.messages[i]) == (meanings[i] == "handle"));
      }
    }
    for (const auto& [scenario, meanings] : expected) {
      FAIL_CHECK("node", version, ".tsv lacks: ", scenario);
    }
  }
}

TEST_CASE("What no Node was seen to send is read too, or is garbage") {
  CHECK(MeaningOf(R"({"accepted":true,"ack":7,"cmd":"NODE_CLUSTER"})") == "accepted 7");
  CHECK(MeaningOf("\x02"
                  R"({"cmd":"NODE_CLUSTER","act":"online"})") == "online");  // Bun
  CHECK(MeaningOf(R"({"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"port":"80","fd":-2,)"
                  R"("addressType":{},"backlog":false,"index":-1})") == "query 1: any 0 type ''");
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"parked"})") == "parked");
  CHECK(MeaningOf(R"({"cmd":"NODE_CLUSTER","act":"invented"})") == "other");
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"pong","debugged":true})") == "agent turns, debugged");
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"pong","debugged":1})") == "agent turns");
  CHECK(MeaningOf(R"({"cmd":"NODE_CLUSTER","ack":3})") == "other");
  for (const char* line : {"", "{", "ready", R"({"cmd":"NODE_CLUSTER","act":"onl)"}) {
    CHECK(MeaningOf(line) == "garbage");
  }
}

TEST_CASE("What the agent says of looks into it is clipped to what can be") {
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"inspected","id":7,"port":45401})") ==
        "inspected 7 port 45401");
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"inspected","id":7,"port":45401,"host":"::1"})") ==
        "inspected 7 port 45401::1");
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"inspection","debugger":7,"host":")" +
                  std::string(1000, 'x') + "\"}")
            .size() < 100);
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"inspected","id":7,"error":"no"})") ==
        "inspected 7 port 0: no");
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"inspected","id":-7,"port":70000,"error":7})") ==
        "inspected 0 port 0: ");
  const std::string endless =
      R"({"cmd":"NODE_SLC","act":"inspected","id":7,"error":")" + std::string(50'000, 'x') + "\"}";
  CHECK(MeaningOf(endless).size() < 2000);
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"inspection","profiling":5,"tracking":6,)"
                  R"("debugger":7})") == "inspection 5 6 7");
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"inspection","profiling":18446744073709551615,)"
                  R"("tracking":-1,"debugger":"x"})") == "inspection 0 0 0");
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"standstill","what":"heap-snapshot"})") ==
        "stands still for heap-snapshot");
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"standstill","what":"dbg-start"})") == "other");
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"standstill","what":7})") == "other");
}

TEST_CASE("A question to the agent comes with a descriptor if its answer is large") {
  AgentQuestion question{7, Inspection::kCpuStart, 500, 1234.5, "uid 0", "r\"1"};
  CHECK(MeaningOf(AgentInspect(question)) == "other");
  CHECK_FALSE(AnnouncesHandle(AgentInspect(question)));
  question.what = Inspection::kHeapSnapshot;
  const std::string frame = AgentInspect(question);
  CHECK(AnnouncesHandle(frame));
  auto parsed = ParseJson(frame);
  REQUIRE(parsed);
  CHECK((*parsed)["msg"]["until"] == 1234.5);
  CHECK((*parsed)["msg"]["request"] == "r\"1");
}

TEST_CASE("Another agent than ours is looked into by its own slc only") {
  for (const char* version : {"", "1.0.0", "1.1.0", "1.2.0", "9.0.0"}) {
    CAPTURE(version);
    CHECK_FALSE(CanInspect(version, Inspection::kHeapSnapshot));
  }
  CHECK(CanInspect(kAgentVersion, Inspection::kHeapSnapshot));
  // What it has left open can be closed.
  CHECK(CanInspect("1.2.0", Inspection::kDebugStop));
  CHECK_FALSE(CanInspect("1.1.0", Inspection::kDebugStop));
}

TEST_CASE("A ping has a number for an agent that gives it back") {
  CHECK(AgentPing() == "{\"cmd\":\"NODE_SLC\",\"act\":\"ping\"}\n");
  CHECK(AgentPing(7) == "{\"cmd\":\"NODE_SLC\",\"act\":\"ping\",\"id\":7}\n");
  CHECK(MeaningOf(R"({"cmd":"NODE_SLC","act":"pong","debugged":false,"id":7})") ==
        "agent turns, 7");
  for (const char* version : {"", "1.0.0", "1.1.0", "1.2.0"}) CHECK_FALSE(EchoesPings(version));
  CHECK(EchoesPings(kAgentVersion));
}

TEST_CASE("A message deeper than our parser goes is one all the same") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(MeaningOf(nested(65)) == "other");
  CHECK(MeaningOf(nested(66)) == "deep 66");
  CHECK(MeaningOf(nested(30'000)) == "deep 30000");
  CHECK(MeaningOf(nested(65) + "]") == "garbage");
  CHECK(MeaningOf(std::string(60'000, '[')) == "garbage");
}

TEST_CASE("What comes back in an answer is small enough for one frame, whatever was asked for") {
  const std::string huge(60'000, '\x01');
  std::string quoted;
  AppendJsonString(quoted, huge);
  const auto ask = [&](const std::string& members) {
    const auto message = ParseWorkerMessage(
        R"({"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"port":80,)" + members + "}");
    return std::get<QueryServer>(message);
  };
  const QueryServer address = ask(R"("addressType":"-1","address":)" + quoted);
  CHECK(address.address.size() == kMostAddress);
  // What is left of it is another place, which must not be bound.
  CHECK(address.type.empty());
  CHECK(ask(R"("addressType":)" + quoted).type.size() <= 4);
  CHECK(ask(R"("addressType":4,"data":)" + quoted).data == "null");
  ListenerFacts listener;
  listener.key = address.address + ":80:udp6:0";
  listener.data = ask(R"("addressType":4,"data":")" + std::string(kMostData - 2, 'x') + '"').data;
  CHECK(listener.data.size() == kMostData);
  constexpr std::size_t kWholeFrame = 16U << 10;
  CHECK(SharedListener(1, listener, 2).size() < kWholeFrame);
  CHECK(RoundRobinListener(1, listener, 2).size() < kWholeFrame);
  CHECK(ListenError(1, listener.key, 1, 2).size() < kWholeFrame);
  const auto listening = ParseWorkerMessage(
      R"({"cmd":"NODE_SLC","act":"listening","port":1,"address":)" + quoted + "}");
  CHECK(std::get<AgentListening>(listening).address.size() == 64);
}

}  // namespace slc
