#include "ctl/json_output.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "common/model/json.h"
#include "common/model/json_fields.h"

namespace slc::ctl {
namespace {

using nlohmann::json;

// One line. Bytes that would move a terminal's cursor although they are fine in JSON, DEL and the
// C1 block, are written as escapes: values hold what applications print.
std::string Line(const std::string& text) {
  std::string safe;
  safe.reserve(text.size() + 1);
  static constexpr char kHex[] = "0123456789abcdef";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    unsigned code = 0;
    if (byte == 0x7f) code = byte;
    if (byte == 0xc2 && next >= 0x80 && next <= 0x9f) code = next;
    if (code == 0) {
      safe += text[i];
      continue;
    }
    safe += "\\u00";
    safe += kHex[code >> 4U];
    safe += kHex[code & 15U];
    if (byte == 0xc2) ++i;
  }
  return safe + "\n";
}

std::string Line(const json& value) { return Line(DumpJson(value)); }

// More digits than that are noise in a measurement of 100 ms.
double Tenths(double value) { return std::round(value * 10) / 10; }

json Named(const ServiceView& service) { return json{{"id", service.id}, {"name", service.name}}; }

json PackageToJson(const PackageTree& tree) {
  json value{{"name", tree.name}, {"version", tree.version}};
  if (tree.invalid) value["invalid"] = true;
  if (tree.missing) value["missing"] = true;
  if (tree.deduped) value["deduped"] = true;
  json list = json::array();
  for (const PackageTree& each : tree.dependencies) list.push_back(PackageToJson(each));
  value["dependencies"] = std::move(list);
  return value;
}

}  // namespace

std::string ServicesJson(const std::vector<ServiceView>& services,
                         const std::optional<UsageByPid>& usage) {
  json list = json::array();
  for (const ServiceView& service : services) {
    list.push_back(ToJson(service));
    if (!usage) continue;
    for (json& process : list.back()["processes"]) {
      const auto used = usage->find(process["pid"].get<int>());
      const bool known = used != usage->end();
      process["cpu_percent"] = known ? json(Tenths(used->second.cpu_percent)) : json();
      process["memory_bytes"] = known ? json(used->second.resident) : json();
    }
  }
  return Line(list);
}

std::string InfoJson(const DaemonInfo& info) {
  return Line(json{{"ok", true}, {"running", true}, {"info", ToJson(info)}});
}

std::string NotRunningJson(const std::string& home) {
  return Line(json{{"ok", true}, {"running", false}, {"home", home}});
}

std::string EnvironmentJson(const ServiceView& service, const Environment& environment) {
  return Line(json{{"ok", true}, {"service", Named(service)}, {"environment", environment}});
}

std::string PackagesJson(const ServiceView& service, const PackageTree& tree) {
  return Line(json{{"ok", true}, {"service", Named(service)}, {"packages", PackageToJson(tree)}});
}

std::string InspectedJson(const Inspected& inspected) {
  const NamedWorker& worker = inspected.worker;
  json value{{"ok", true},
             {"service", json{{"id", worker.service}, {"name", worker.service_name}}},
             {"worker", worker.worker},
             {"pid", worker.pid},
             {"took_ms", inspected.took}};
  if (!inspected.file.empty()) {
    value["file"] = inspected.file;
    value["bytes"] = inspected.bytes;
  }
  if (inspected.port > 0) {
    value["port"] = inspected.port;
    value["host"] = inspected.host;
  }
  if (!inspected.objects) return Line(value);
  value["objects"] = inspected.objects->objects;
  value["paused_ms"] = inspected.objects->paused;
  if (!inspected.ended) return Line(value);
  value["span_ms"] = inspected.objects->until - inspected.objects->since;
  json classes = json::array();
  for (const ClassGrowth& one : inspected.objects->classes) {
    classes.push_back(json{{"name", one.name},
                           {"count", one.count},
                           {"size", one.size},
                           {"total", one.total},
                           {"total_size", one.total_size}});
  }
  value["classes"] = std::move(classes);
  return Line(value);
}

std::string LogLineJson(const std::string& service, LogStream stream, const LogFields& fields) {
  // Read by people as well: in an order that makes sense to them.
  nlohmann::ordered_json object;
  object["service"] = service;
  object["time"] = nullptr;
  object["pid"] = nullptr;
  object["worker"] = nullptr;
  if (fields.time) object["time"] = FormatIso(*fields.time);
  if (fields.pid) object["pid"] = *fields.pid;
  if (fields.worker) object["worker"] = *fields.worker;
  object["stream"] = Name(stream);
  object["text"] = fields.text;
  return Line(object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

std::string EventJson(const JournalRecord& record) { return Line(EncodeJournalRecord(record)); }

std::string WhyJson(const std::string& service, const Diagnosis& diagnosis,
                    const std::vector<std::string>& log_tail) {
  const auto event = [](const std::optional<JournalRecord>& record) {
    if (!record) return json();
    auto value = ParseJson(EncodeJournalRecord(*record));
    return value ? std::move(*value) : json();
  };
  return Line(json{{"ok", true},
                   {"service", service},
                   {"up", diagnosis.up},
                   {"state", diagnosis.state},
                   {"last_end", event(diagnosis.last_end)},
                   {"schedule", event(diagnosis.schedule)},
                   {"last_reason", diagnosis.last_reason},
                   {"master_end", event(diagnosis.last_master_end)},
                   {"outgrown", event(diagnosis.last_outgrown)},
                   {"stopped_by", event(diagnosis.stopped_by)},
                   {"changes", diagnosis.changes},
                   {"good_generation", diagnosis.good},
                   {"on_disk", diagnosis.on_disk},
                   {"port", diagnosis.port},
                   {"damage", diagnosis.damage},
                   {"hangs", diagnosis.hangs},
                   {"now", diagnosis.doing},
                   {"log_tail", log_tail}});
}

std::string LogDumpJson(const std::vector<DumpedLog>& logs) {
  json list = json::array();
  for (const DumpedLog& each : logs) list.push_back({{"service", each.service}, {"log", each.log}});
  return Line(json{{"ok", true}, {"logs", std::move(list)}});
}

std::string BootJson(const BootDeed& deed) {
  json commands = deed.before;
  for (const auto& command : deed.after) commands.push_back(command);
  return Line(json{{"ok", true},
                   {"done", deed.done},
                   {"file", deed.file},
                   {"unit", deed.unit},
                   {"commands", commands},
                   {"notes", deed.notes}});
}

std::string FindingsJson(const Findings& findings) {
  json list = json::array();
  for (const Finding& finding : findings) {
    list.push_back(json{{"level", Name(finding.level)},
                        {"check", finding.check},
                        {"text", finding.text},
                        {"advice", finding.advice}});
  }
  return Line(json{{"ok", !AnyWrong(findings)}, {"findings", std::move(list)}});
}

std::string UpgradeJson(const Reply& reply, const UpgradeReport& report, Millis took) {
  json value{{"ok", !reply.error}, {"processes", ToJson(report)}, {"took_ms", took}};
  if (reply.error) {
    value["error"] =
        json{{"code", ErrorCodeName(reply.error->code)}, {"message", reply.error->message}};
  }
  return Line(value);
}

std::string GatewayJson(const Reply& reply, const GatewayView& view) {
  return Line(json{{"ok", true}, {"notes", reply.notes}, {"gateway", ToJson(view)}});
}

std::string TokenJson(const std::string& name, const std::string& token) {
  return Line(json{{"ok", true}, {"name", name}, {"token", token}});
}

std::string BuildJson(const BuildReport& report) {
  const bool archive = !report.archive.empty();
  const bool branch = !report.branch.empty();
  return Line(json{{"ok", true},
                   {"name", report.name},
                   {"version", report.version},
                   {"archive", archive ? json(report.archive) : json()},
                   {"files", archive ? json(report.files) : json()},
                   {"bytes", archive ? json(report.bytes) : json()},
                   {"branch", branch ? json(report.branch) : json()},
                   {"commit", branch ? json(report.commit) : json()},
                   {"unchanged", report.unchanged},
                   {"notes", report.notes},
                   {"took_ms", report.took}});
}

std::string DeployJson(const DeployReport& report) {
  return Line(json{{"ok", true},
                   {"service", json{{"id", report.service_id}, {"name", report.service}}},
                   {"url", report.url},
                   {"deployed", report.deployed},
                   {"release", report.release.empty() ? json() : json(report.release)},
                   {"unchanged", report.unchanged},
                   {"notes", report.notes},
                   {"took_ms", report.took}});
}

std::string ReleasesJson(const ReleaseList& releases) {
  json list = json::array();
  for (const ReleaseView& view : releases) list.push_back(ToJson(view));
  return Line(json{{"ok", true}, {"releases", std::move(list)}});
}

std::string ProfilesJson(const ProfileList& profiles) {
  json list = json::array();
  for (const Profile& profile : profiles) list.push_back(ToJson(profile));
  return Line(json{{"ok", true}, {"profiles", std::move(list)}});
}

std::string ProfileWrittenJson(const Profile& profile, const std::string& file) {
  return Line(json{{"ok", true}, {"file", file}, {"profile", ToJson(profile)}});
}

std::string RollbackJson(const DeployReply& done, Millis took) {
  return Line(
      json{{"ok", true}, {"release", done.release}, {"text", done.text}, {"took_ms", took}});
}

std::string DoneJson(const Reply& reply, Millis took) {
  json value{{"ok", true}, {"notes", reply.notes}, {"took_ms", took}};
  const auto* services = std::get_if<std::vector<ServiceView>>(&reply.data);
  if (services != nullptr && services->size() == 1) value["service"] = ToJson(services->front());
  return Line(value);
}

std::string ErrorJson(const Error& error, const std::vector<std::string>& log_tail,
                      const std::vector<std::string>& notes) {
  return Line(json{{"ok", false},
                   {"error", json{{"code", ErrorCodeName(error.code)}, {"message", error.message}}},
                   {"log_tail", log_tail},
                   {"notes", notes}});
}

}  // namespace slc::ctl
