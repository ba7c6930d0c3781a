#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/model/view.h"
#include "common/wire/messages.h"

namespace slc {
namespace {

// What a worker or a file may hold: quotes, control bytes, and text that is no UTF-8.
const std::string kHostile = "a\"b\\c\n\t\x01\x7f\xff\xc3\xa4 \xf0\x9f\x98\x80 \xed\xa0\x80}";

// As it comes out of DumpJson, whose bytes are UTF-8.
std::string Clean(const std::string& text) {
  return nlohmann::json::parse(DumpJson(nlohmann::json(text))).get<std::string>();
}

// No member of it is as in a fresh one.
ServiceView FullView() {
  ServiceView view;
  view.id = 7;
  for (std::string* text :
       {&view.name, &view.state, &view.reason, &view.damage, &view.directory, &view.script,
        &view.size, &view.agent_version, &view.log_directory, &view.run_as, &view.spare_trouble,
        &view.log_trouble, &view.restart_at, &view.next_restart_text, &view.schedule_trouble,
        &view.watch, &view.watch_trouble}) {
    *text = kHostile;
  }
  view.wanted = true;
  view.cluster_size = 2;
  view.generation = 3;
  view.port = 4;
  view.environment = {{"A", kHostile}, {"B", ""}};
  view.options = {kHostile, "balance slots"};
  view.log_lines_dropped = 18'446'744'073'709'551'615U;
  view.log_dropped_ago = 5;
  view.next_restart = 6;
  view.facts_age = 8;
  ProcessView process;
  process.pid = 9;
  process.worker = 10;
  process.slot = 11;
  process.generation = 12;
  for (std::string* text :
       {&process.state, &process.shows, &process.status_text, &process.reason}) {
    *text = kHostile;
  }
  process.spare = true;
  process.listening = {kHostile, "0.0.0.0:80"};
  process.started_wall = 1'795'722'932'201;
  process.uptime = -14;
  process.restarts = 15;
  process.stuck = 16;
  process.replaced = true;
  process.reloading = true;
  process.inspection = {1'795'722'932'202, 1'795'722'932'203, 20, kHostile};
  process.snapshotting = true;
  view.processes = {process, ProcessView{}};
  SlotView slot;
  slot.slot = 17;
  slot.state = kHostile;
  slot.retry_in = 18;
  slot.restarts = 19;
  slot.reason = kHostile;
  view.idle_slots = {slot, SlotView{}};
  return view;
}

std::vector<ServiceView> ThroughTheWire(std::vector<ServiceView> views) {
  Reply reply;
  reply.data = std::move(views);
  const std::string text = EncodeReply("id", reply);
  auto message = DecodeServerMessage(text);
  REQUIRE_MESSAGE(message, text);
  CHECK(message->id == "id");
  auto* services = std::get_if<std::vector<ServiceView>>(&std::get<Reply>(message->body).data);
  REQUIRE(services != nullptr);
  return std::move(*services);
}

TEST_CASE("views come through the wire as they were, whatever their texts hold") {
  ServiceView bare;
  ServiceView port_zero;
  port_zero.port = 0;
  const std::vector<ServiceView> sent{FullView(), bare, port_zero};
  const std::vector<ServiceView> got = ThroughTheWire(sent);
  REQUIRE(got.size() == sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    CHECK(DumpJson(ToJson(got[i])) == DumpJson(ToJson(sent[i])));
  }
  CHECK(got[0].name == Clean(kHostile));
  CHECK_FALSE(got[1].port);
  CHECK(got[2].port == 0);
  CHECK(ThroughTheWire({}).empty());
}

TEST_CASE("each member of a view is among those that are shown") {
  // A member that is added and not shown would come through the wire as nothing, unnoticed.
  const nlohmann::json shown = ToJson(FullView());
  CHECK(shown.size() == 30);
  CHECK(shown["processes"][0].size() == 24);
  CHECK(shown["idle_slots"][0].size() == 5);
  for (const auto& member : shown.items()) {
    INFO(member.key());
    CHECK(member.value() != ToJson(ServiceView{})[member.key()]);
  }
  const nlohmann::json& process = shown["processes"][0];
  for (const auto& member : process.items()) {
    INFO(member.key());
    CHECK(member.value() != shown["processes"][1][member.key()]);
  }
}

}  // namespace
}  // namespace slc
