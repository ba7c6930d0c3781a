#include "common/wire/messages.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>

#include <nlohmann/json.hpp>

#include "common/base/version.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"

namespace slc {
namespace {

using nlohmann::json;

// One struct per request: its verb on the wire, and both directions of its mapping.
json BodyToJson(const StartService& body) {
  json value{{"spec", ToJson(body.spec)}, {"replace", body.replace}, {"given", body.given}};
  if (body.size) value["size"] = FormatSize(*body.size);
  return value;
}
json BodyToJson(const CreateService& body) {
  return json{{"name", body.name}, {"size", FormatSize(body.size)}};
}
json BodyToJson(const ListServices&) { return json::object(); }
json BodyToJson(const GetStatus& body) { return json{{"service", body.service}}; }
json BodyToJson(const GetInfo&) { return json::object(); }
json BodyToJson(const RunService& body) { return json{{"service", body.service}}; }
json BodyToJson(const StopService& body) {
  return json{{"service", body.service}, {"soft", body.soft}};
}
json BodyToJson(const RestartService& body) {
  return json{{"service", body.service},
              {"rolling", body.mode == RollMode::kRolling},
              {"parallel", body.parallel}};
}
json BodyToJson(const SetSize& body) {
  return json{{"service", body.service}, {"size", FormatSize(body.size)}};
}
json BodyToJson(const SetEnvironment& body) {
  return json{{"service", body.service},
              {"set", body.set},
              {"unset", body.unset},
              {"restart", body.restart}};
}
json BodyToJson(const RemoveService& body) { return json{{"service", body.service}}; }
json BodyToJson(const Shutdown&) { return json::object(); }
json BodyToJson(const UpgradeAll&) { return json::object(); }
json BodyToJson(const GetGateway&) { return json::object(); }
json BodyToJson(const SetGateway& body) {
  return json{{"wish", ToJson(body.wish, Secrets::kShown)}, {"given", body.given}};
}
json BodyToJson(const AddCredential& body) {
  return json{{"credential", CredentialToJson(body.credential)}};
}
json BodyToJson(const RemoveCredential& body) { return json{{"name", body.name}}; }
json BodyToJson(const ServeGateway&) { return json::object(); }
json BodyToJson(const ReadLogs& body) {
  json value{{"service", body.service},
             {"follow", body.follow},
             {"since", body.since},
             {"grep", body.grep},
             {"errors_only", body.errors_only}};
  if (body.last) value["last"] = *body.last;
  return value;
}
json BodyToJson(const ReadEvents& body) {
  json value{{"service", body.service}, {"follow", body.follow}};
  if (body.last) value["last"] = *body.last;
  return value;
}
json BodyToJson(const DumpLogs& body) { return json{{"service", body.service}}; }
json BodyToJson(const ListPackages& body) { return json{{"service", body.service}}; }
json BodyToJson(const InspectWorker& body) {
  return json{{"service", body.service},
              {"worker", body.worker},
              {"what", Name(body.what)},
              {"interval", body.interval}};
}
json BodyToJson(const PrintLook& body) {
  json value{{"look", Name(body.look)}, {"service", body.service},
             {"json", body.json},       {"follow", body.follow},
             {"since", body.since},     {"grep", body.grep},
             {"wide", body.wide},       {"errors_only", body.errors_only}};
  if (body.last) value["last"] = *body.last;
  if (body.depth) value["depth"] = *body.depth;
  return value;
}

json BodyToJson(const Deploy& body) {
  json value{{"service", body.service},
             {"origin", Name(body.origin)},
             {"commit", body.commit},
             {"branch", body.branch},
             {"folder", body.folder}};
  if (body.keep) value["keep"] = *body.keep;
  if (body.canary_time) value["canary_time"] = *body.canary_time;
  if (body.health) value["health"] = *body.health;
  if (body.npm) value["npm"] = *body.npm ? "on" : "off";
  return value;
}
json BodyToJson(const ListReleases& body) { return json{{"service", body.service}}; }
json BodyToJson(const Rollback& body) {
  return json{{"service", body.service}, {"release", body.release}};
}

constexpr const char* kGitSteps[] = {"upload-info", "receive-info", "receive"};

json BodyToJson(const ServeGit& body) {
  return json{{"service", body.service}, {"step", kGitSteps[static_cast<std::size_t>(body.step)]}};
}

json BodyToJson(const CaptureProfile& body) {
  return json{{"service", body.service}, {"worker", body.worker}, {"type", Name(body.type)}};
}
json BodyToJson(const ListProfiles& body) { return json{{"service", body.service}}; }
json BodyToJson(const ReadProfile& body) {
  return json{{"service", body.service}, {"profile", body.profile}, {"secrets", body.secrets}};
}
json BodyToJson(const RemoveProfile& body) {
  return json{{"service", body.service}, {"profile", body.profile}};
}

void ReadSize(JsonFields& fields, std::uint32_t& size) {
  fields.ReadName("size", [&](const std::string& text) {
    const auto parsed = ParseSize(text);
    if (parsed) size = *parsed;
    return parsed.ok();
  });
}

void Fill(JsonFields& fields, StartService& body) {
  fields.Require("spec");
  fields.ReadObject("spec", [&](const json& spec) { return FromJson(spec, body.spec); });
  fields.ReadName("size", [&](const std::string& text) {
    const auto parsed = ParseSize(text);
    if (parsed) body.size = *parsed;
    return parsed.ok();
  });
  fields.Read("replace", body.replace);
  fields.Read("given", body.given);
}
void Fill(JsonFields& fields, CreateService& body) {
  fields.Require("name");
  fields.Read("name", body.name);
  ReadSize(fields, body.size);
}
void Fill(JsonFields&, ListServices&) {}
void Fill(JsonFields& fields, GetStatus& body) { fields.Read("service", body.service); }
void Fill(JsonFields&, GetInfo&) {}
void Fill(JsonFields& fields, RunService& body) {
  fields.Require("service");
  fields.Read("service", body.service);
}
void Fill(JsonFields& fields, StopService& body) {
  fields.Require("service");
  fields.Read("service", body.service);
  fields.Read("soft", body.soft);
}
void Fill(JsonFields& fields, RestartService& body) {
  fields.Require("service");
  fields.Read("service", body.service);
  bool rolling = false;
  fields.Read("rolling", rolling);
  body.mode = rolling ? RollMode::kRolling : RollMode::kRestart;
  fields.Read("parallel", body.parallel);
  if (body.parallel < 1 || body.parallel > kMostWorkers) {
    fields.Fail("parallel", "a number from 1 to 1024");
  }
}
void Fill(JsonFields& fields, SetSize& body) {
  fields.Require("service");
  fields.Require("size");
  fields.Read("service", body.service);
  ReadSize(fields, body.size);
}
void Fill(JsonFields& fields, SetEnvironment& body) {
  fields.Require("service");
  fields.Read("service", body.service);
  fields.Read("set", body.set);
  fields.Read("unset", body.unset);
  fields.Read("restart", body.restart);
}
void Fill(JsonFields& fields, RemoveService& body) {
  fields.Require("service");
  fields.Read("service", body.service);
}
void Fill(JsonFields&, Shutdown&) {}
void Fill(JsonFields&, UpgradeAll&) {}
void Fill(JsonFields&, GetGateway&) {}
void Fill(JsonFields& fields, SetGateway& body) {
  fields.Require("wish");
  fields.ReadObject("wish", [&](const json& wish) { return FromJson(wish, body.wish); });
  fields.Read("given", body.given);
}
void Fill(JsonFields& fields, AddCredential& body) {
  fields.Require("credential");
  fields.ReadObject("credential", [&](const json& one) { return FromJson(one, body.credential); });
}
void Fill(JsonFields& fields, RemoveCredential& body) {
  fields.Require("name");
  fields.Read("name", body.name);
}
void Fill(JsonFields&, ServeGateway&) {}
void Fill(JsonFields& fields, ReadLogs& body) {
  fields.Read("service", body.service);
  fields.Read("follow", body.follow);
  fields.Read("last", body.last);
  fields.Read("since", body.since);
  fields.Read("grep", body.grep);
  fields.Read("errors_only", body.errors_only);
}
void Fill(JsonFields& fields, ReadEvents& body) {
  fields.Read("service", body.service);
  fields.Read("follow", body.follow);
  fields.Read("last", body.last);
}
void Fill(JsonFields& fields, DumpLogs& body) {
  fields.Require("service");
  fields.Read("service", body.service);
}
void Fill(JsonFields& fields, ListPackages& body) {
  fields.Require("service");
  fields.Read("service", body.service);
}
void Fill(JsonFields& fields, InspectWorker& body) {
  fields.Require("service");
  fields.Require("worker");
  fields.Require("what");
  fields.Read("service", body.service);
  fields.Read("worker", body.worker);
  fields.ReadName("what", [&](const std::string& name) {
    const auto what = InspectionFromName(name);
    if (what) body.what = *what;
    return what.has_value();
  });
  fields.Read("interval", body.interval);
  if (body.interval < kLeastSamplingInterval || body.interval > kMostSamplingInterval) {
    fields.Fail("interval", "a number from 50 to 100000");
  }
}
void Fill(JsonFields& fields, PrintLook& body) {
  fields.Require("look");
  fields.ReadName("look", [&](const std::string& name) {
    const auto look = PrintedLookFromName(name);
    if (look) body.look = *look;
    return look.has_value();
  });
  fields.Read("service", body.service);
  fields.Read("json", body.json);
  fields.Read("follow", body.follow);
  fields.Read("since", body.since);
  fields.Read("grep", body.grep);
  fields.Read("wide", body.wide);
  fields.Read("errors_only", body.errors_only);
  fields.Read("last", body.last);
  fields.Read("depth", body.depth);
}

// In the order of PrintedLook.
constexpr const char* kPrintedLooks[] = {"status", "logs", "log-dump", "events", "why", "npmls"};

void Fill(JsonFields& fields, Deploy& body) {
  fields.Require("service");
  fields.Read("service", body.service);
  fields.ReadName("origin", [&](const std::string& name) {
    const auto origin = ReleaseOriginFromName(name);
    if (origin) body.origin = *origin;
    return origin.has_value();
  });
  fields.Read("commit", body.commit);
  fields.Read("branch", body.branch);
  fields.Read("folder", body.folder);
  fields.Read("keep", body.keep);
  if (body.keep && (*body.keep < 1 || *body.keep > kMostKept)) {
    fields.Fail("keep", "a number from 1 to 1000");
  }
  Millis canary_time = -1;
  fields.Read("canary_time", canary_time);
  if (canary_time > kLongestCanary) fields.Fail("canary_time", "an hour at most");
  if (canary_time >= 0) body.canary_time = canary_time;
  // One that is there and empty takes the path away.
  constexpr const char* kNotSaid = "?";
  std::string health = kNotSaid;
  fields.Read("health", health);
  if (health != kNotSaid) {
    if (!health.empty() && !CheckHealthPath(health)) fields.Fail("health", "a path, as /healthz");
    body.health = health;
  }
  int npm = -1;
  fields.ReadName("npm", [&](const std::string& name) {
    npm = name == "on" ? 1 : 0;
    return name == "on" || name == "off";
  });
  if (npm >= 0) body.npm = npm == 1;
}
void Fill(JsonFields& fields, ListReleases& body) {
  fields.Require("service");
  fields.Read("service", body.service);
}
void Fill(JsonFields& fields, Rollback& body) {
  fields.Require("service");
  fields.Read("service", body.service);
  fields.Read("release", body.release);
}

void Fill(JsonFields& fields, ServeGit& body) {
  fields.Require("service");
  fields.Require("step");
  fields.Read("service", body.service);
  fields.ReadName("step", [&](const std::string& name) {
    for (std::size_t i = 0; i < std::size(kGitSteps); ++i) {
      if (name != kGitSteps[i]) continue;
      body.step = static_cast<GitStep>(i);
      return true;
    }
    return false;
  });
}

void Fill(JsonFields& fields, CaptureProfile& body) {
  for (const char* key : {"service", "worker", "type"}) fields.Require(key);
  fields.Read("service", body.service);
  fields.Read("worker", body.worker);
  fields.ReadName("type", [&](const std::string& name) {
    const auto type = ProfileTypeFromName(name);
    if (type) body.type = *type;
    return type.has_value();
  });
}
void Fill(JsonFields& fields, ListProfiles& body) { fields.Read("service", body.service); }
void Fill(JsonFields& fields, ReadProfile& body) {
  fields.Require("profile");
  fields.Read("service", body.service);
  fields.Read("profile", body.profile);
  fields.Read("secrets", body.secrets);
}
void Fill(JsonFields& fields, RemoveProfile& body) {
  fields.Require("profile");
  fields.Read("service", body.service);
  fields.Read("profile", body.profile);
}

// The wire's verb of each request type, in the order of RequestBody.
constexpr const char* kVerbs[] = {
    "slc-start",   "create",    "list",     "status",        "info",     "start",    "stop",
    "restart",     "set-size",  "env-set",  "remove",        "shutdown", "upgrade",  "gateway",
    "gateway-set", "token-add", "token-rm", "gateway-serve", "logs",     "events",   "log-dump",
    "npmls",       "inspect",   "print",    "deploy",        "releases", "rollback", "git",
    "capture",     "profiles",  "profile",  "profile-rm"};
static_assert(std::size(kVerbs) == std::variant_size_v<RequestBody>);

template <std::size_t I = 0>
bool DecodeBody(const std::string& verb, JsonFields& fields, RequestBody& body) {
  if constexpr (I < std::variant_size_v<RequestBody>) {
    if (verb != kVerbs[I]) return DecodeBody<I + 1>(verb, fields, body);
    Fill(fields, body.emplace<I>());
    return true;
  } else {
    return false;
  }
}

json ProgressToJson(const Progress& progress) {
  return json{
      {"kind", progress.kind}, {"worker", progress.worker},         {"slot", progress.slot},
      {"pid", progress.pid},   {"generation", progress.generation}, {"millis", progress.millis},
      {"text", progress.text}, {"listening", progress.listening}};
}

// Without its services, see AppendServices.
json ReplyToJson(const Reply& reply) {
  json value{{"ok", !reply.error.has_value()}};
  if (reply.error) {
    value["error"] =
        json{{"code", ErrorCodeName(reply.error->code)}, {"message", reply.error->message}};
  }
  if (!reply.log_tail.empty()) value["log_tail"] = reply.log_tail;
  if (!reply.notes.empty()) value["notes"] = reply.notes;
  if (const auto* info = std::get_if<DaemonInfo>(&reply.data)) {
    value["info"] = ToJson(*info);
  } else if (const auto* report = std::get_if<UpgradeReport>(&reply.data)) {
    value["upgrade"] = ToJson(*report);
  } else if (const auto* gateway = std::get_if<GatewayView>(&reply.data)) {
    value["gateway"] = ToJson(*gateway);
  } else if (const auto* wish = std::get_if<GatewayWish>(&reply.data)) {
    value["gateway_wish"] = ToJson(*wish, Secrets::kShown);
  } else if (const auto* inspection = std::get_if<InspectionReply>(&reply.data)) {
    value["inspection"] = json{{"debugger_port", inspection->debugger_port},
                               {"debugger_host", inspection->debugger_host}};
  } else if (const auto* deployed = std::get_if<DeployReply>(&reply.data)) {
    value["deployed"] = json{{"release", deployed->release}, {"text", deployed->text}};
  } else if (const auto* releases = std::get_if<ReleaseList>(&reply.data)) {
    json& list = value["releases"] = json::array();
    for (const ReleaseView& release : *releases) list.push_back(ToJson(release));
  } else if (const auto* profiles = std::get_if<ProfileList>(&reply.data)) {
    json& list = value["profiles"] = json::array();
    for (const Profile& profile : *profiles) list.push_back(ToJson(profile));
  }
  return value;
}

// Puts the services of a reply into `message`, which ends with the braces of the reply and of
// itself. There may be hundreds, so they are not made values first.
void AppendServices(std::string& message, const std::vector<ServiceView>& services) {
  message.resize(message.size() - 2);
  message += ",\"services\":[";
  for (std::size_t i = 0; i < services.size(); ++i) {
    if (i > 0) message += ',';
    AppendSparse(message, services[i]);
  }
  message += "]}}";
}

Status ReadReply(const json& value, Reply& reply) {
  JsonFields fields(value, "reply");
  fields.ReadObject("error", [&](const json& error) {
    JsonFields parts(error, "error");
    std::string code;
    Error read;
    parts.Read("code", code);
    parts.Read("message", read.message);
    read.code = ErrorCodeFromName(code);
    reply.error = read;
    return parts.status();
  });
  fields.Read("log_tail", reply.log_tail);
  fields.Read("notes", reply.notes);
  if (value.is_object() && value.contains("services")) {
    auto& services = reply.data.emplace<std::vector<ServiceView>>();
    fields.ReadArray("services", [&](const json& element) {
      services.emplace_back();
      return FromJson(element, services.back());
    });
  }
  fields.ReadObject("info", [&](const json& element) {
    return FromJson(element, reply.data.emplace<DaemonInfo>());
  });
  fields.ReadObject("gateway", [&](const json& element) {
    return FromJson(element, reply.data.emplace<GatewayView>());
  });
  fields.ReadObject("gateway_wish", [&](const json& element) {
    return FromJson(element, reply.data.emplace<GatewayWish>());
  });
  fields.ReadObject("inspection", [&](const json& element) {
    JsonFields parts(element, "inspection");
    auto& inspection = reply.data.emplace<InspectionReply>();
    parts.Read("debugger_port", inspection.debugger_port);
    parts.Read("debugger_host", inspection.debugger_host);
    return parts.status();
  });
  fields.ReadObject("deployed", [&](const json& element) {
    auto& deployed = reply.data.emplace<DeployReply>();
    JsonFields parts(element, "deployed");
    parts.Read("release", deployed.release);
    parts.Read("text", deployed.text);
    return parts.status();
  });
  if (value.is_object() && value.contains("releases")) {
    auto& releases = reply.data.emplace<ReleaseList>();
    fields.ReadArray("releases", [&](const json& element) {
      releases.emplace_back();
      return FromJson(element, releases.back());
    });
  }
  if (value.is_object() && value.contains("profiles")) {
    auto& profiles = reply.data.emplace<ProfileList>();
    fields.ReadArray("profiles", [&](const json& element) {
      profiles.emplace_back();
      return FromJson(element, profiles.back());
    });
  }
  if (value.is_object() && value.contains("upgrade")) {
    auto& report = reply.data.emplace<UpgradeReport>();
    fields.ReadArray("upgrade", [&](const json& element) {
      report.emplace_back();
      return FromJson(element, report.back());
    });
  }
  return fields.status();
}

Status ReadProgress(const json& value, Progress& progress) {
  JsonFields fields(value, "progress");
  fields.Read("kind", progress.kind);
  fields.Read("worker", progress.worker);
  fields.Read("slot", progress.slot);
  fields.Read("pid", progress.pid);
  fields.Read("generation", progress.generation);
  fields.Read("millis", progress.millis);
  fields.Read("text", progress.text);
  fields.Read("listening", progress.listening);
  return fields.status();
}

}  // namespace

std::string EncodeRequest(const Request& request) {
  json value = std::visit([](const auto& body) { return BodyToJson(body); }, request.body);
  const ProtocolRange& own = OwnVersion().control;
  return DumpJson(json{{"v", own.newest},
                       {"oldest", own.oldest},
                       {"id", request.id},
                       {"wait", request.wait},
                       {"principal", request.principal},
                       {"descriptors", request.descriptors},
                       {"verb", kVerbs[request.body.index()]},
                       {"args", std::move(value)}});
}

Result<Request> DecodeRequest(const std::string& text) {
  auto parsed = ParseJson(text);
  if (!parsed) return parsed.error().During("request");
  Request request;
  std::string verb;
  ProtocolRange range;
  JsonFields fields(*parsed, "request");
  fields.Require("v");
  fields.Require("verb");
  fields.Read("v", range.newest);
  range.oldest = range.newest;
  fields.Read("oldest", range.oldest);
  fields.Read("id", request.id);
  fields.Read("wait", request.wait);
  fields.Read("principal", request.principal);
  fields.Read("descriptors", request.descriptors);
  fields.Read("verb", verb);
  if (Status good = fields.status(); !good) return good.error();
  const Version& own = OwnVersion();
  if (!range.Meets(own.control)) {
    return Error{ErrorCode::kProtocol,
                 std::string("this slcd (") + own.text + ") speaks protocol " +
                     std::to_string(own.control.newest) + ", the client " +
                     std::to_string(range.newest) +
                     "; use the slc that lies beside the slcd that runs, or replace it: kill its "
                     "pid, the services go on and the next command starts the installed one"};
  }
  static const json kNoArguments = json::object();
  const auto found = parsed->find("args");
  JsonFields arguments(found != parsed->end() ? *found : kNoArguments, verb);
  if (!DecodeBody(verb, arguments, request.body)) {
    return Error{ErrorCode::kUsage, "this slcd (" + std::string(own.text) + ") does not know '" +
                                        verb + "'; if it is older than slc, slc upgrade helps"};
  }
  if (Status good = arguments.status(); !good) return good.error();
  return request;
}

std::string RequestIdOf(const std::string& text) {
  auto parsed = ParseJson(text);
  std::string id;
  if (parsed) JsonFields(*parsed, "request").Read("id", id);
  return id;
}

std::string EncodeProgress(const std::string& id, const Progress& progress) {
  return DumpJson(json{{"id", id}, {"progress", ProgressToJson(progress)}});
}

std::string EncodeReply(const std::string& id, const Reply& reply, std::size_t descriptors) {
  // Members come in the order of their names: "reply" is last, see AppendServices.
  json message{{"id", id}, {"reply", ReplyToJson(reply)}};
  if (descriptors > 0) message["descriptors"] = descriptors;
  std::string text = DumpJson(message);
  if (const auto* services = std::get_if<std::vector<ServiceView>>(&reply.data)) {
    AppendServices(text, *services);
  }
  return text;
}

Result<ServerMessage> DecodeServerMessage(const std::string& text) {
  auto parsed = ParseJson(text);
  if (!parsed) return parsed.error().During("answer");
  ServerMessage message;
  JsonFields fields(*parsed, "answer");
  fields.Read("id", message.id);
  fields.Read("descriptors", message.descriptors);
  if (parsed->is_object() && parsed->contains("progress")) {
    fields.ReadObject("progress", [&](const json& value) {
      return ReadProgress(value, message.body.emplace<Progress>());
    });
  } else {
    fields.Require("reply");
    fields.ReadObject("reply", [&](const json& value) {
      return ReadReply(value, message.body.emplace<Reply>());
    });
  }
  if (Status good = fields.status(); !good) return good.error();
  return message;
}

void GiveDescriptors(Reply& reply, std::uint32_t announced, std::vector<UniqueFd> descriptors) {
  if (descriptors.size() < announced && !reply.error) {
    reply.error =
        Error{ErrorCode::kSystem,
              "what slcd has sent found no room: too many files are open here (ulimit -n)"};
  }
  reply.descriptors = std::move(descriptors);
}

const char* VerbOf(const RequestBody& body) { return VerbAt(body.index()); }
const char* VerbAt(std::size_t index) { return kVerbs[index]; }

const char* Name(PrintedLook look) { return kPrintedLooks[static_cast<int>(look)]; }

std::optional<PrintedLook> PrintedLookFromName(const std::string& name) {
  const auto* const found = std::find(std::begin(kPrintedLooks), std::end(kPrintedLooks), name);
  if (found == std::end(kPrintedLooks)) return std::nullopt;
  return static_cast<PrintedLook>(found - std::begin(kPrintedLooks));
}

}  // namespace slc
