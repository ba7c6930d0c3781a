#include "common/wire/link.h"

#include <nlohmann/json.hpp>

#include "common/model/json.h"
#include "common/model/json_fields.h"

namespace slc::link {
namespace {

using nlohmann::json;

json Body(const Hello& p) {
  return json{
      {"protocol", p.protocol.newest}, {"oldest", p.protocol.oldest},  {"epoch", p.epoch},
      {"pid", p.daemon.pid},           {"start", p.daemon.start_time}, {"revive", p.revive}};
}
json Body(const MasterHello& p) {
  return json{{"protocol", p.protocol.newest},
              {"oldest", p.protocol.oldest},
              {"version", p.version},
              {"epoch", p.epoch},
              {"pid", p.master.pid},
              {"start", p.master.start_time},
              {"boot_id", p.boot_id},
              {"in_charge", p.in_charge},
              {"trials", p.trials},
              {"looks", p.looks}};
}
json Body(const Setup& p) {
  return json{{"service", p.service},
              {"name", p.name},
              {"epoch", p.epoch},
              {"cookie", p.cookie},
              {"log_directory", p.log_directory},
              {"daemon_program", p.daemon_program},
              {"home", p.home}};
}
json Body(const Order& p) { return json{{"wish", ToJson(p.wish)}, {"configs", p.configs}}; }
json Body(const AdoptFds& p) { return json{{"names", p.names}}; }
json Body(const AdoptEnd&) { return json::object(); }
json Body(const ExitStatus& p) {
  return json{{"pid", p.process.pid}, {"start", p.process.start_time}, {"status", p.status}};
}
json Body(const Ping& p) { return json{{"number", p.number}}; }
json Body(const Leaving& p) { return json{{"revive", p.revive}}; }
json Body(const Store& p) { return json{{"epoch", p.epoch}, {"names", p.names}}; }
json Body(const Drop& p) { return json{{"names", p.names}}; }
json Body(const StoredAll& p) { return json{{"unsent", p.unsent}}; }
json Body(const Facts& p) {
  json value{{"order", p.order},     {"phase", p.phase},       {"ready", p.ready},
             {"workers", p.workers}, {"log_tail", p.log_tail}, {"trial", p.trial}};
  if (p.exit_code) value["exit_code"] = *p.exit_code;
  if (p.failure) {
    value["failure"] = json{{"order", p.failure->order},
                            {"generation", p.failure->generation},
                            {"worker", p.failure->worker},
                            {"slot", p.failure->slot},
                            {"reason", p.failure->reason}};
    if (p.failure->status) value["failure"]["status"] = *p.failure->status;
  }
  return value;
}
json Body(const Notice& p) {
  json value{{"kind", p.progress.kind},
             {"worker", p.progress.worker},
             {"slot", p.progress.slot},
             {"pid", p.progress.pid},
             {"generation", p.progress.generation},
             {"millis", p.progress.millis},
             {"text", p.progress.text},
             {"listening", p.progress.listening},
             {"at", p.at},
             {"late", p.late},
             {"unasked", p.unasked},
             {"missed", p.missed}};
  if (p.status) value["status"] = *p.status;
  return value;
}
json Body(const InCharge& p) {
  return json{{"epoch", p.epoch}, {"kept", p.kept}, {"replaced", p.replaced}};
}
json Body(const Pong& p) { return json{{"number", p.number}}; }
json Body(const Upgrade& p) { return json{{"program", p.program}}; }
json Body(const UpgradeRefused& p) { return json{{"reason", p.reason}}; }

json Body(const StoreAgain& p) { return json{{"names", p.names}}; }
json Body(const Inspect& p) {
  return json{{"number", p.number},     {"worker", p.worker}, {"what", Name(p.what)},
              {"interval", p.interval}, {"by", p.by},         {"request", p.request}};
}
json Body(const Inspected& p) {
  json value{
      {"number", p.number}, {"debugger_port", p.debugger_port}, {"debugger_host", p.debugger_host}};
  if (p.error) {
    value["code"] = ErrorCodeName(p.error->code);
    value["message"] = p.error->message;
  }
  return value;
}

void ReadRange(JsonFields& f, ProtocolRange& range) {
  f.Read("protocol", range.newest);
  // Who does not say speaks that one alone.
  range.oldest = range.newest;
  f.Read("oldest", range.oldest);
}

void Fill(JsonFields& f, Hello& p) {
  f.Require("epoch");
  ReadRange(f, p.protocol);
  f.Read("epoch", p.epoch);
  f.Read("pid", p.daemon.pid);
  f.Read("start", p.daemon.start_time);
  f.Read("revive", p.revive);
}
void Fill(JsonFields& f, MasterHello& p) {
  ReadRange(f, p.protocol);
  p.version.clear();
  f.Read("version", p.version);
  f.Read("epoch", p.epoch);
  f.Read("pid", p.master.pid);
  f.Read("start", p.master.start_time);
  f.Read("boot_id", p.boot_id);
  f.Read("in_charge", p.in_charge);
  p.trials = false;
  f.Read("trials", p.trials);
  p.looks = false;
  f.Read("looks", p.looks);
}
void Fill(JsonFields& f, Setup& p) {
  f.Require("service");
  f.Read("service", p.service);
  f.Read("name", p.name);
  f.Read("epoch", p.epoch);
  f.Read("cookie", p.cookie);
  f.Read("log_directory", p.log_directory);
  f.Read("daemon_program", p.daemon_program);
  f.Read("home", p.home);
}
void Fill(JsonFields& f, Order& p) {
  f.Require("wish");
  f.ReadObject("wish", [&](const json& wish) { return FromJson(wish, p.wish); });
  f.Read("configs", p.configs);
}
void Fill(JsonFields& f, AdoptFds& p) { f.Read("names", p.names); }
void Fill(JsonFields&, AdoptEnd&) {}
void Fill(JsonFields& f, ExitStatus& p) {
  f.Read("pid", p.process.pid);
  f.Read("start", p.process.start_time);
  f.Read("status", p.status);
}
void Fill(JsonFields& f, Ping& p) { f.Read("number", p.number); }
void Fill(JsonFields& f, Leaving& p) { f.Read("revive", p.revive); }
void Fill(JsonFields& f, Store& p) {
  f.Read("epoch", p.epoch);
  f.Read("names", p.names);
}
void Fill(JsonFields& f, Drop& p) { f.Read("names", p.names); }
void Fill(JsonFields& f, StoredAll& p) { f.Read("unsent", p.unsent); }
void Fill(JsonFields& f, Facts& p) {
  f.Read("order", p.order);
  f.Read("phase", p.phase);
  f.Read("ready", p.ready);
  f.Read("workers", p.workers);
  f.Read("log_tail", p.log_tail);
  f.Read("exit_code", p.exit_code);
  f.Read("trial", p.trial);
  f.ReadObject("failure", [&](const json& value) {
    FleetFailure failure;
    JsonFields parts(value, "failure");
    parts.Read("order", failure.order);
    parts.Read("generation", failure.generation);
    parts.Read("worker", failure.worker);
    parts.Read("slot", failure.slot);
    parts.Read("reason", failure.reason);
    parts.Read("status", failure.status);
    p.failure = failure;
    return parts.status();
  });
}
void Fill(JsonFields& f, Notice& p) {
  f.Read("kind", p.progress.kind);
  f.Read("worker", p.progress.worker);
  f.Read("slot", p.progress.slot);
  f.Read("pid", p.progress.pid);
  f.Read("generation", p.progress.generation);
  f.Read("millis", p.progress.millis);
  f.Read("text", p.progress.text);
  f.Read("listening", p.progress.listening);
  f.Read("at", p.at);
  f.Read("late", p.late);
  f.Read("unasked", p.unasked);
  f.Read("missed", p.missed);
  f.Read("status", p.status);
}
void Fill(JsonFields& f, InCharge& p) {
  f.Read("epoch", p.epoch);
  f.Read("kept", p.kept);
  f.Read("replaced", p.replaced);
}
void Fill(JsonFields& f, Pong& p) { f.Read("number", p.number); }
void Fill(JsonFields& f, StoreAgain& p) { f.Read("names", p.names); }
void Fill(JsonFields& f, Inspect& p) {
  f.Require("number");
  f.Require("what");
  f.Read("number", p.number);
  f.Read("worker", p.worker);
  f.ReadName("what", [&](const std::string& name) {
    const auto what = InspectionFromName(name);
    if (what) p.what = *what;
    return what.has_value();
  });
  f.Read("interval", p.interval);
  f.Read("by", p.by);
  f.Read("request", p.request);
}
void Fill(JsonFields& f, Inspected& p) {
  f.Require("number");
  f.Read("number", p.number);
  f.Read("debugger_port", p.debugger_port);
  f.Read("debugger_host", p.debugger_host);
  f.ReadName("code", [&](const std::string& name) {
    p.error.emplace().code = ErrorCodeFromName(name);
    return true;
  });
  if (p.error) f.Read("message", p.error->message);
}
void Fill(JsonFields& f, Upgrade& p) {
  f.Require("program");
  f.Read("program", p.program);
}
void Fill(JsonFields& f, UpgradeRefused& p) { f.Read("reason", p.reason); }

// The wire's name of each packet, in the order of Packet.
constexpr const char* kKinds[] = {
    "hello",     "master_hello", "setup",   "order",           "adopt_fds",
    "adopt_end", "exit",         "ping",    "leaving",         "store",
    "drop",      "stored_all",   "facts",   "notice",          "in_charge",
    "pong",      "store_again",  "upgrade", "upgrade_refused", "inspect",
    "inspected"};
static_assert(std::size(kKinds) == std::variant_size_v<Packet>);

template <std::size_t I = 0>
bool DecodeBody(const std::string& kind, JsonFields& fields, Packet& packet) {
  if constexpr (I < std::variant_size_v<Packet>) {
    if (kind != kKinds[I]) return DecodeBody<I + 1>(kind, fields, packet);
    Fill(fields, packet.emplace<I>());
    return true;
  } else {
    return false;
  }
}

}  // namespace

std::string Encode(const Packet& packet) {
  json value = std::visit([](const auto& body) { return Body(body); }, packet);
  value["is"] = kKinds[packet.index()];
  return DumpJson(value);
}

Result<Packet> Decode(const std::string& text) {
  auto parsed = ParseJson(text);
  if (!parsed) return parsed.error().During("packet");
  Packet packet;
  std::string kind;
  JsonFields fields(*parsed, "packet");
  fields.Require("is");
  fields.Read("is", kind);
  if (Status good = fields.status(); !good) return good.error();
  if (!DecodeBody(kind, fields, packet)) {
    return Error{ErrorCode::kProtocol, "unknown packet '" + kind + "'"};
  }
  if (Status good = fields.status(); !good) return good.error();
  return packet;
}

std::string ConfigName(Generation generation) { return "config/" + std::to_string(generation); }
std::string ListenerName(const std::string& key, std::size_t place) {
  return place == 0 ? "listen/" + key : "listen-too/" + std::to_string(place) + "/" + key;
}
std::string WorkerFdName(WorkerId worker, const char* part) {
  return "worker/" + std::to_string(worker) + "/" + part;
}

}  // namespace slc::link
