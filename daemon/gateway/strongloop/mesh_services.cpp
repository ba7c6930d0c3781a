#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/letters.h"
#include "common/base/text.h"
#include "common/model/json_fields.h"
#include "daemon/gateway/strongloop/mesh_call.h"

namespace slc::gateway {
namespace {

using nlohmann::json;

// A dump is 1 MiB at most, before each line got its time and worker.
constexpr std::size_t kMostLogBytes = 8U << 20;
// Some 100,000 packages.
constexpr std::size_t kMostModuleBytes = 8U << 20;

// As `slc ctl npmls` tells of them, in the form of npm: by their names.
json ModuleOf(const json& package) {
  json dependencies = json::object();
  for (const json& each : package["dependencies"]) {
    dependencies[each["name"].get<std::string>()] = ModuleOf(each);
  }
  return json{{"name", package["name"]},
              {"version", package["version"]},
              {"dependencies", std::move(dependencies)}};
}

Result<json> ModulesOf(const std::string& line) {
  // It comes from slc, and is as deep as packages need each other: ParseJson stops at 64.
  const json told = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (told.is_object() && told.contains("packages")) return ModuleOf(told["packages"]);
  const bool failed = told.is_object() && told.contains("error") && told["error"].is_object();
  if (failed) return Error{ErrorCode::kInternal, TextOf(told["error"], "message")};
  return Error{ErrorCode::kInternal,
               "slc tells of no packages: " + Printable(Trim(line.substr(0, 200)))};
}

}  // namespace

void MeshApi::GroupsOfService(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    AnswerRows(call, ServiceRow(view)["_groups"].get<std::vector<json>>());
  });
}

void MeshApi::InstancesOfService(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    AnswerRows(call, {InstanceRow(view, facts_)});
  });
}

void MeshApi::ProcessesOfInstance(const Call& call) {
  WithService(
      call, [this, call](const ServiceView& view) { AnswerRows(call, ProcessRows(view, facts_)); });
}

void MeshApi::GetEnvironment(const Call& call) {
  WithService(call, [call](const ServiceView& view) {
    call.respond(Answer(json{{"env", ServiceRow(view)["env"]}}));
  });
}

void MeshApi::ListModules(const Call& call) {
  const auto fail = [call](const Error& error) { call.respond(Failure(500, error.message)); };
  WithService(call, [this, call, fail](const ServiceView& view) {
    ListPackages list{std::to_string(view.id)};
    backend_.Ask(call.principal, std::move(list), [this, call, fail](Result<Reply> reply) {
      if (!reply) return fail(reply.error());
      if (reply->error) return fail(*reply->error);
      if (reply->descriptors.empty()) {
        return fail({ErrorCode::kInternal, "slcd sent no list of packages"});
      }
      backend_.ReadAll(std::move(reply->descriptors.front()), kMostModuleBytes,
                       [call, fail](const Result<std::string>& text) {
                         if (!text) return fail(text.error());
                         const auto tree = ModulesOf(*text);
                         if (!tree) return fail(tree.error());
                         call.respond(Answer(*tree));
                       });
    });
  });
}

void MeshApi::ShutDown(const Call& call) {
  backend_.Ask(call.principal, Shutdown{}, [call](const Result<Reply>& reply) {
    if (!reply) return call.respond(Refused(reply.error()));
    if (reply->error) return call.respond(Refused(*reply->error));
    call.respond(Answer(json{{"message", "slcd was shut down"}}));
  });
}

void MeshApi::CreateOneService(const Call& call) {
  const std::string name = TextOf(call.body(), "name");
  if (name.empty()) {
    json body = json::parse(
        Failure(422,
                "The `ServerService` instance is not valid. Details: `name` can't be blank (value: "
                "undefined).",
                nullptr, "ValidationError")
            .body);
    body["error"]["details"] = json{{"context", "ServerService"},
                                    {"codes", {{"name", {"presence"}}}},
                                    {"messages", {{"name", {"can't be blank"}}}}};
    return call.respond(Answer(body, 422));
  }
  backend_.Ask(call.principal, CreateService{name, kSizeCpu},
               [this, call, name](const Result<Reply>& reply) {
                 if (!reply) return call.respond(Refused(reply.error()));
                 if (reply->error) return call.respond(Refused(*reply->error));
                 WithViews(call, [call, name](const Views& views) {
                   for (const ServiceView& view : views) {
                     if (view.name == name) return call.respond(Answer(ServiceRow(view)));
                   }
                   call.respond(Failure(500, "the service was removed meanwhile"));
                 });
               });
}

void MeshApi::DeleteService(const Call& call) {
  backend_.Ask(call.principal, RemoveService{call.id()}, [call](const Result<Reply>& reply) {
    if (!reply) return call.respond(Refused(reply.error()));
    const bool unknown = reply->error && reply->error->code == ErrorCode::kNotFound;
    if (reply->error && !unknown) return call.respond(Refused(*reply->error));
    call.respond(Answer(json{{"count", unknown ? 0 : 1}}));
  });
}

void MeshApi::Command(const Call& call, const ServiceView& view, RequestBody body, json response) {
  backend_.Ask(
      call.principal, std::move(body),
      [this, call, id = view.id, response = std::move(response)](const Result<Reply>& reply) {
        const std::optional<Error> failed = !reply ? std::optional(reply.error()) : reply->error;
        // Also a failure is answered with 200: the client looks for it in the list.
        if (failed) {
          return call.respond(
              Answer(json::array({json{{"instance", id}, {"error", failed->message}}})));
        }
        WithService(call, [this, call, response](const ServiceView& now) {
          call.respond(Answer(
              json::array({json{{"instance", InstanceRow(now, facts_)}, {"response", response}}})));
        });
      });
}

void MeshApi::StartOne(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    const char* error = !HasApp(view) ? "no current application"
                        : view.wanted ? "application running, so cannot be started"
                                      : nullptr;
    if (error != nullptr) {
      return call.respond(Answer(json::array({json{{"instance", view.id}, {"error", error}}})));
    }
    Command(call, view, RunService{std::to_string(view.id)}, json{{"message", "starting..."}});
  });
}

void MeshApi::StopOne(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    if (!HasApp(view)) {
      return call.respond(Answer(
          json::array({json{{"instance", view.id}, {"error", "no current application to stop"}}})));
    }
    Command(call, view, StopService{std::to_string(view.id), IsSet(call.body(), "soft")},
            json::object());
  });
}

void MeshApi::RestartOne(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    if (!HasApp(view)) {
      return call.respond(
          Answer(json::array({json{{"instance", view.id}, {"error", "no current application"}}})));
    }
    // The original's soft restart stopped the whole service first; ours is what its users asked
    // for.
    const bool rolling = IsSet(call.body(), "rolling");
    if (rolling && !view.wanted) {
      // There are no workers to replace: it stays stopped.
      return call.respond(Answer(json::array(
          {json{{"instance", InstanceRow(view, facts_)}, {"response", json::object()}}})));
    }
    RestartService restart;
    restart.service = std::to_string(view.id);
    restart.mode = rolling || IsSet(call.body(), "soft") ? RollMode::kRolling : RollMode::kRestart;
    Command(call, view, std::move(restart),
            rolling ? json::object() : json{{"message", "re-starting..."}});
  });
}

void MeshApi::SetClusterSize(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    std::string text = TextOf(call.body(), "size");
    if (SameLetters(text, "cpu")) text = "cpu";
    const auto size = ParseSize(text);
    if (!size) {
      return call.respond(
          Answer(json::array({json{{"instance", view.id}, {"error", size.error().message}}})));
    }
    Command(call, view, SetSize{std::to_string(view.id), *size},
            json{{"message", "size was changed"}});
  });
}

// The original forgets what it has dumped, and so do we: see `slc ctl log-dump`.
void MeshApi::DumpLog(const Call& call) {
  WithService(call, [this, call](const ServiceView& view) {
    if (!HasApp(view)) {
      const json nothing{{"log", nullptr}, {"message", "No application running, no log to dump"}};
      return call.respond(Answer(
          json::array({json{{"instance", InstanceRow(view, facts_)}, {"response", nothing}}})));
    }
    const auto fail = [call, id = view.id](const Error& error) {
      call.respond(Answer(json::array({json{{"instance", id}, {"error", error.message}}})));
    };
    const json instance = InstanceRow(view, facts_);
    DumpLogs dump{std::to_string(view.id)};
    backend_.Ask(
        call.principal, std::move(dump), [this, call, fail, instance](Result<Reply> reply) {
          if (!reply) return fail(reply.error());
          if (reply->error) return fail(*reply->error);
          if (reply->descriptors.empty()) return fail({ErrorCode::kInternal, "slcd sent no log"});
          backend_.ReadAll(std::move(reply->descriptors.front()), kMostLogBytes,
                           [call, fail, instance](const Result<std::string>& text) {
                             if (!text) return fail(text.error());
                             call.respond(Answer(json::array(
                                 {json{{"instance", instance}, {"response", {{"log", *text}}}}})));
                           });
        });
  });
}

void MeshApi::ChangeEnvironment(const Call& call, Environment set, std::vector<std::string> unset) {
  WithService(
      call, [this, call, set = std::move(set), unset = std::move(unset)](const ServiceView& view) {
        SetEnvironment change{std::to_string(view.id), set, unset, true};
        backend_.Ask(call.principal, std::move(change), [this, call](const Result<Reply>& reply) {
          if (!reply) return call.respond(Refused(reply.error()));
          if (reply->error) return call.respond(Refused(*reply->error));
          WithService(call, [call](const ServiceView& now) {
            call.respond(Answer(json{{"env", ServiceRow(now)["env"]}}));
          });
        });
      });
}

void MeshApi::PutEnvironment(const Call& call) {
  Environment set;
  std::vector<std::string> unset;
  for (const auto& [name, value] : call.body().items()) {
    std::string text = TextOf(call.body(), name.c_str());
    if (text.empty()) {
      unset.push_back(name);
    } else {
      set[name] = std::move(text);
    }
  }
  ChangeEnvironment(call, std::move(set), std::move(unset));
}

void MeshApi::PutVariable(const Call& call) {
  const std::string& name = call.parameters.at("name");
  const json body{{"value", call.body()}};
  const std::string text = call.body().is_object() ? "" : TextOf(body, "value");
  if (text.empty()) return ChangeEnvironment(call, {}, {name});
  ChangeEnvironment(call, {{name, text}}, {});
}

void MeshApi::DeleteVariable(const Call& call) {
  ChangeEnvironment(call, {}, {call.parameters.at("name")});
}

// The original takes what it knows and says nothing of the rest.
void MeshApi::ChangeInstance(const Call& call) {
  if (IsSet(call.body(), "tracingEnabled")) return RefuseTracing(call);
  const std::string cpus = TextOf(call.body(), "cpus");
  if (cpus.empty()) return GetById(call);
  WithService(call, [this, call, cpus](const ServiceView& view) {
    const auto size = ParseSize(SameLetters(cpus, "cpu") ? "cpu" : cpus);
    if (!size) return call.respond(Failure(422, size.error().message));
    SetSize change{std::to_string(view.id), *size};
    backend_.Ask(call.principal, std::move(change), [this, call](const Result<Reply>& reply) {
      if (!reply) return call.respond(Refused(reply.error()));
      if (reply->error) return call.respond(Refused(*reply->error));
      GetById(call);
    });
  });
}

}  // namespace slc::gateway
