#include "daemon/master/cluster_messages.h"

#include <charconv>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json_fields.h"
#include "daemon/master/core/json_shape.h"

namespace slc {
namespace {

using nlohmann::json;

constexpr std::string_view kHandleAck = R"({"cmd":"NODE_HANDLE_ACK"})";
constexpr std::string_view kAcceptedPrefix = R"({"cmd":"NODE_CLUSTER","ack":)";
constexpr std::string_view kHandlePrefix = R"({"cmd":"NODE_HANDLE",)";

// {"cmd":"NODE_CLUSTER","ack":12,"accepted":true,"seq":34}: one per connection, so it is read
// without a JSON parser when it looks the way Node writes it.
bool ParseAcceptedFast(std::string_view line, Accepted& message) {
  if (!StartsWith(line, kAcceptedPrefix)) return false;
  const char* at = line.data() + kAcceptedPrefix.size();
  const char* end = line.data() + line.size();
  const auto [rest, code] = std::from_chars(at, end, message.ack);
  if (code != std::errc{}) return false;
  const std::string_view tail(rest, static_cast<std::size_t>(end - rest));
  if (StartsWith(tail, R"(,"accepted":true,)")) {
    message.accepted = true;
    return true;
  }
  return StartsWith(tail, R"(,"accepted":false,)");
}

std::uint64_t Number(const json& value, const char* key) {
  const auto found = value.find(key);
  if (found == value.end() || !found->is_number_unsigned()) return 0;
  return found->get<std::uint64_t>();
}

int Integer(const json& value, const char* key, int otherwise) {
  const auto found = value.find(key);
  if (found == value.end() || !found->is_number_integer()) return otherwise;
  const auto number = found->get<std::int64_t>();
  return number < -1 || number > 0x7fffffff ? otherwise : static_cast<int>(number);
}

std::string Text(const json& value, const char* key) {
  const auto found = value.find(key);
  return found != value.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool Flag(const json& value, const char* key) {
  const auto found = value.find(key);
  return found != value.end() && found->is_boolean() && found->get<bool>();
}

// addressType is 4, 6 or -1 as a number, "udp4" or "udp6" as a text.
std::string AddressType(const json& value) {
  const auto found = value.find("addressType");
  if (found == value.end()) return {};
  constexpr std::size_t kLongest = 4;
  if (found->is_string()) return found->get<std::string>().substr(0, kLongest);
  return found->is_number_integer() ? std::to_string(found->get<int>()) : std::string();
}

WorkerMessage ParseQuery(const json& value) {
  QueryServer query;
  query.seq = Number(value, "seq");
  query.index = Number(value, "index");
  query.address = Text(value, "address");
  query.any_address = query.address.empty();
  query.port = Integer(value, "port", 0);
  query.type = AddressType(value);
  query.fd = Integer(value, "fd", -1);
  query.flags = Integer(value, "flags", 0);
  const int backlog = Integer(value, "backlog", 0);
  if (backlog > 0) query.backlog = backlog;
  const auto data = value.find("data");
  query.readable_all = Flag(value, "readableAll");
  query.writable_all = Flag(value, "writableAll");
  query.data = data == value.end() ? "null" : DumpJson(*data);
  if (query.data.size() > kMostData) query.data = "null";
  if (query.address.size() > kMostAddress) {
    query.address.resize(kMostAddress);
    // What is left names another place.
    query.type.clear();
  }
  return query;
}

WorkerMessage ParseCluster(const json& value) {
  const std::string act = Text(value, "act");
  if (act.empty()) {
    const auto accepted = value.find("accepted");
    if (accepted == value.end() || !accepted->is_boolean()) return OtherMessage{};
    return Accepted{Number(value, "ack"), accepted->get<bool>()};
  }
  if (act == "online") return Online{};
  if (act == "queryServer") return ParseQuery(value);
  if (act == "listening") {
    return Listening{Text(value, "address"), Integer(value, "port", 0), AddressType(value)};
  }
  if (act == "close") return CloseServer{Text(value, "key")};
  if (act == "exitedAfterDisconnect") return ExitedAfterDisconnect{Number(value, "seq")};
  return OtherMessage{};
}

int Port(const json& value, const char* key) {
  const int port = Integer(value, key, 0);
  return port > 0 && port <= 65535 ? port : 0;
}

// Longer than any numeric address with its scope.
constexpr std::size_t kLongestAddress = 64;

std::string Host(const json& value) { return Text(value, "host").substr(0, kLongestAddress); }

WorkerMessage ParseInspected(const json& value) {
  // A sentence; an app that forges one must not fill a snapshot or a journal.
  constexpr std::size_t kLongest = 1024;
  AgentInspected inspected{Number(value, "id"), {}, Port(value, "port"), Host(value)};
  if (value.contains("error")) inspected.error = Text(value, "error").substr(0, kLongest);
  return inspected;
}

WorkerMessage ParseInspection(const json& value) {
  const auto since = [&value](const char* key) {
    // The year 2286: what follows is no time.
    constexpr std::uint64_t kMost = 10'000'000'000'000;
    const std::uint64_t wall = Number(value, key);
    return wall < kMost ? static_cast<Millis>(wall) : 0;
  };
  return AgentInspection{
      {since("profiling"), since("tracking"), Port(value, "debugger"), Host(value)}};
}

WorkerMessage ParseAgent(const json& value) {
  const std::string act = Text(value, "act");
  if (act == "hello") return AgentHello{Text(value, "version").substr(0, 32)};
  if (act == "parked") return AgentParked{};
  if (act == "listening") {
    return AgentListening{Text(value, "address").substr(0, kLongestAddress),
                          Integer(value, "port", 0)};
  }
  if (act == "pong") return AgentPong{Flag(value, "debugged"), Number(value, "id")};
  if (act == "inspected") return ParseInspected(value);
  if (act == "inspection") return ParseInspection(value);
  if (act == "standstill") {
    const auto what = InspectionFromName(Text(value, "what"));
    if (what && HasResult(*what)) return AgentStandstill{*what};
  }
  return OtherMessage{};
}

std::string Head(std::uint64_t ack) {
  return R"({"cmd":"NODE_CLUSTER","ack":)" + std::to_string(ack);
}

std::string Tail(std::uint64_t seq) { return R"(,"seq":)" + std::to_string(seq) + "}"; }

std::string QuotedKey(const std::string& key) {
  std::string text = R"(,"key":)";
  AppendJsonString(text, key);
  return text;
}

std::string DataOf(const ListenerFacts& listener) {
  return R"(,"data":)" + (listener.data.empty() ? std::string("null") : listener.data);
}

// What our parser does not take Node may well have written: an application's deep message.
WorkerMessage Unparsed(std::string_view line) {
  JsonShape shape;
  shape.Take(line);
  if (shape.whole() && shape.depth() > kMostJsonDepth) return TooDeep{shape.depth()};
  return Garbage{};
}

}  // namespace

WorkerMessage ParseWorkerMessage(std::string_view line) {
  if (!line.empty() && line[0] == '\x02') line.remove_prefix(1);
  if (line == kHandleAck) return HandleAck{};
  Accepted accepted;
  if (ParseAcceptedFast(line, accepted)) return accepted;
  auto parsed = ParseJson(std::string(line));
  if (!parsed) return Unparsed(line);
  const json& value = *parsed;
  if (value.is_string()) {
    if (value.get<std::string>() == "ready") return AppReady{};
    return OtherMessage{};
  }
  if (!value.is_object()) return OtherMessage{};
  const std::string command = Text(value, "cmd");
  if (command == "NODE_CLUSTER") return ParseCluster(value);
  if (command == "NODE_SLC") return ParseAgent(value);
  if (command == "NODE_HANDLE") return HandleSent{};
  if (command == "NODE_HANDLE_ACK") return HandleAck{};
  if (command == "NODE_HANDLE_NACK") return HandleNack{};
  return OtherMessage{};
}

bool AnnouncesHandle(std::string_view line) {
  if (!line.empty() && line[0] == '\x02') line.remove_prefix(1);
  return StartsWith(line, kHandlePrefix);
}

std::string NewConnection(const std::string& key, std::uint64_t seq) {
  std::string text =
      R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":"newconn")";
  text += QuotedKey(key);
  text += Tail(seq);
  text += "}\n";
  return text;
}

std::string SharedListener(std::uint64_t ack, const ListenerFacts& listener, std::uint64_t seq) {
  const char* type = listener.kind == ListenerKind::kUdp ? "dgram.Native" : "net.Native";
  return std::string(R"({"cmd":"NODE_HANDLE","type":")") + type + R"(","msg":)" + Head(ack) +
         QuotedKey(listener.key) + R"(,"errno":0)" + DataOf(listener) + Tail(seq) + "}\n";
}

std::string RoundRobinListener(std::uint64_t ack, const ListenerFacts& listener,
                               std::uint64_t seq) {
  std::string name = R"(,"sockname":{"address":)";
  AppendJsonString(name, !listener.address.empty() ? listener.address
                         : listener.family == 6    ? std::string("::")
                                                   : std::string("0.0.0.0"));
  name += R"(,"family":"IPv)" + std::to_string(listener.family) + R"(","port":)" +
          std::to_string(listener.bound_port) + "}";
  return Head(ack) + QuotedKey(listener.key) + R"(,"errno":null)" + DataOf(listener) + name +
         Tail(seq) + "\n";
}

std::string ListenError(std::uint64_t ack, const std::string& key, int errno_value,
                        std::uint64_t seq) {
  return Head(ack) + QuotedKey(key) + R"(,"errno":)" + std::to_string(-errno_value) +
         R"(,"data":null)" + Tail(seq) + "\n";
}

std::string Acknowledge(std::uint64_t ack, std::uint64_t seq) {
  return Head(ack) + Tail(seq) + "\n";
}

std::string HandleAcknowledgement() { return std::string(kHandleAck) + "\n"; }

std::string Disconnect(std::uint64_t seq) {
  return R"({"cmd":"NODE_CLUSTER","act":"disconnect")" + Tail(seq) + "\n";
}

std::string AgentDrain(Millis linger) {
  return R"({"cmd":"NODE_SLC","act":"drain","linger":)" + std::to_string(linger) + "}\n";
}

std::string AgentKeepCode() { return "{\"cmd\":\"NODE_SLC\",\"act\":\"keep\"}\n"; }

std::string AgentPromote(SlotNumber slot) {
  return R"({"cmd":"NODE_SLC","act":"promote","slot":)" + std::to_string(slot - 1) + "}\n";
}

std::string AgentHangUp() { return "{\"cmd\":\"NODE_SLC\",\"act\":\"hangup\"}\n"; }

std::string AgentPing(std::uint64_t id) {
  const std::string number = id == 0 ? std::string() : R"(,"id":)" + std::to_string(id);
  return R"({"cmd":"NODE_SLC","act":"ping")" + number + "}\n";
}

// The first one took whatever it did not know for the order to drain.
bool AnswersPings(const std::string& agent_version) {
  return !agent_version.empty() && agent_version != "1.0.0";
}

bool EchoesPings(const std::string& agent_version) {
  return AnswersPings(agent_version) && agent_version != "1.1.0" && agent_version != "1.2.0";
}

std::string AgentInspect(const AgentQuestion& question) {
  json message{{"cmd", "NODE_SLC"},
               {"act", "inspect"},
               {"id", question.id},
               {"what", Name(question.what)},
               {"interval", question.interval},
               {"until", question.until},
               {"by", question.by},
               {"request", question.request}};
  if (!HasResult(question.what)) return DumpJson(message) + "\n";
  return R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":)" + DumpJson(message) + "}\n";
}

bool CanInspect(const std::string& agent_version, Inspection what) {
  if (agent_version == kAgentVersion) return true;
  // Whoever left a door open before slc was upgraded can close it.
  return what == Inspection::kDebugStop && agent_version == "1.2.0";
}

std::string ShutdownText() { return "\"shutdown\"\n"; }
std::string ShutdownCommand() { return "{\"cmd\":\"CLUSTER_CONTROL_shutdown\"}\n"; }

}  // namespace slc
