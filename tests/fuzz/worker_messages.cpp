// Lines a worker sends on its IPC channel. They come from an application, so anything may come.
#include <set>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/model/json_fields.h"
#include "daemon/master/cluster_messages.h"
#include "daemon/master/core/json_shape.h"
#include "tests/fuzz/fuzz.h"

namespace slc {
namespace {

using fuzz::Check;
using nlohmann::json;

// A message of the primary is one line of JSON.
json CheckLine(const std::string& line) {
  Check(line.find('\n') == line.size() - 1, "a message is one line");
  auto parsed = ParseJson(line);
  Check(parsed.ok(), "a message is JSON");
  return *parsed;
}

// Whatever a worker asks for, the answer names its question and the listener.
void CheckAnswers(const QueryServer& query) {
  ListenerFacts listener;
  listener.key = query.address + ":" + std::to_string(query.port) + ":" + query.type;
  listener.address = query.address;
  listener.data = query.data;
  const auto check = [&](const json& answer) {
    Check(answer.at("ack") == query.seq, "an answer names its question");
    Check(answer.at("key") == listener.key, "an answer names the listener");
  };
  check(CheckLine(SharedListener(query.seq, listener, 1)).at("msg"));
  check(CheckLine(RoundRobinListener(query.seq, listener, 1)));
  check(CheckLine(ListenError(query.seq, listener.key, 98, 1)));
  Check(query.backlog > 0, "a backlog is positive");
}

// Of several members with one name Node and our two parsers may take different ones.
bool NamesAreUnique(const std::string& line) {
  std::vector<std::set<std::string>> names;
  bool unique = true;
  const auto look = [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) names.emplace_back();
    if (event == json::parse_event_t::object_end) names.pop_back();
    if (event == json::parse_event_t::key) unique &= names.back().insert(value).second;
    return true;
  };
  const json parsed = json::parse(line, look, /*allow_exceptions=*/false);
  return unique && !parsed.is_discarded();
}

// The order of members does not matter, although the most frequent message is read by a short cut.
void CheckOrderDoesNotMatter(const std::string& line, const WorkerMessage& message) {
  const auto parsed = ParseJson(line);
  if (!parsed || !NamesAreUnique(line)) return;
  const WorkerMessage sorted = ParseWorkerMessage(DumpJson(*parsed));
  Check(sorted.index() == message.index(), "the order of members does not change the kind");
  if (const auto* accepted = std::get_if<Accepted>(&message)) {
    const auto& other = std::get<Accepted>(sorted);
    Check(other.ack == accepted->ack && other.accepted == accepted->accepted,
          "the short cut reads what the parser reads");
  }
}

// What is JSON is never taken for a breach of the protocol, however it is cut.
void CheckShape(const std::string& line) {
  JsonShape whole;
  whole.Take(line);
  JsonShape pieces;
  for (std::size_t at = 0; at < line.size(); at += 3) {
    pieces.Take(std::string_view(line).substr(at, 3));
  }
  Check(whole.whole() == pieces.whole() && whole.depth() == pieces.depth(),
        "pieces have the shape of the whole");
  if (ParseJson(line)) Check(whole.whole(), "JSON has the shape of JSON");
}

}  // namespace
}  // namespace slc

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  const std::string line = fuzz::Text(data, size);
  const WorkerMessage message = ParseWorkerMessage(line);
  if (const auto* query = std::get_if<QueryServer>(&message)) CheckAnswers(*query);
  CheckOrderDoesNotMatter(line, message);
  CheckShape(line);
  AnnouncesHandle(line);
  CheckLine(NewConnection(line, 1));
  return 0;
}
