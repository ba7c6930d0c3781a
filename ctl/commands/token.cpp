// slc token add, ls, rm: who may ask slcd for what, over HTTP.
#include <algorithm>

#include "common/base/text.h"
#include "common/base/time.h"
#include "common/model/gateway.h"
#include "ctl/commands/commands.h"
#include "ctl/conversation.h"
#include "ctl/credential_maker.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/table.h"

namespace slc::ctl {
namespace {

Plan PlanToken(const Surroundings& around) {
  Verb<TokenOptions> verb(around);
  TokenOptions& value = verb.value();
  verb.options().Values("--scope", "SCOPE",
                        "read, operate, deploy, admin; several, or with commas.",
                        [&value](const std::string& text) -> Status {
                          for (const std::string& name : Split(text, ',')) {
                            const auto scope = ParseScope(name);
                            if (!scope) return scope.error();
                            value.scopes.push_back(*scope);
                          }
                          return Ok();
                        });
  return std::move(verb).Make([](TokenOptions& target, const Words& operands) -> Status {
    target.verb = operands.empty() ? "ls" : operands[0];
    const bool named = target.verb == "add" || target.verb == "rm";
    if (!named && target.verb != "ls") {
      return Error{ErrorCode::kUsage,
                   "'" + Printable(target.verb) + "' is neither add nor ls nor rm"};
    }
    if (named != (operands.size() == 2)) {
      return Error{ErrorCode::kUsage, named ? "a NAME is needed: slc token " + target.verb + " NAME"
                                            : "ls takes no name"};
    }
    if (named) target.name = operands[1];
    return named ? CheckCredentialName(target.name) : Ok();
  });
}

std::string ScopesText(const GatewayCredential& credential) {
  std::vector<std::string> names;
  for (const Scope scope : credential.scopes) names.emplace_back(ScopeName(scope));
  return Join(names, ",");
}

std::string ListText(const GatewayView& view) {
  if (view.wish.credentials.empty()) return "No tokens and no users\n";
  std::vector<std::vector<std::string>> rows{{"Name", "Kind", "Scopes", "Made"}};
  for (const GatewayCredential& one : view.wish.credentials) {
    rows.push_back({Printable(one.name), one.basic ? "user" : "token", ScopesText(one),
                    FormatIso(one.created_wall)});
  }
  return LayOut(rows, {});
}

}  // namespace

constinit const CommandInfo kTokenCommand{
    .name = "token",
    .elsewhere = "tokens",
    .operands = "[add NAME|ls|rm NAME]",
    .most = 2,
    .summary = "Who may ask slcd for what, over HTTP.",
    .details =
        "`add` prints the new token, this once: what is kept is its hash. Without --scope it may "
        "look only.\nread: look, also at values of variables. operate: start, stop, restart, size, "
        "profiles.\ndeploy: bring code, create, environment. admin: all of it, and heap snapshots, "
        "debugger, remove,\nshut down. `rm` takes a token, or a user of --http-auth, away at "
        "once.\n",
    .here_only = "who may ask slcd is decided on its own machine; log in there and run it",
    .takes_socket = true,
    .plan = PlanToken,
};

int Run(const TokenOptions& options) {
  const bool json = options.control.json;
  Question question;
  question.control = options.control;
  question.quiet = json;
  NewToken made;
  if (options.verb == "ls") {
    question.body = GetGateway{};
  } else if (options.verb == "rm") {
    question.body = RemoveCredential{options.name};
    question.doing = "removing the token";
  } else {
    auto token = MakeToken();
    if (!token) return ReportError(token.error(), json);
    made = std::move(*token);
    GatewayCredential credential;
    credential.name = options.name;
    credential.hash = made.hash;
    credential.scopes = options.scopes;
    if (credential.scopes.empty()) credential.scopes.push_back(Scope::kRead);
    credential.created_wall = WallNow();
    question.body = AddCredential{std::move(credential)};
    question.doing = "adding the token";
    question.when_absent = WhenAbsent::kStart;
  }
  const Answer answer = Ask(question);
  if (answer.kind == Answer::Kind::kNoServices && options.verb == "ls") {
    Print(json ? GatewayJson(Reply{}, GatewayView{}) : "No tokens and no users\n");
    return kDone;
  }
  const auto* view = std::get_if<GatewayView>(&answer.reply.data);
  const bool good = answer.kind == Answer::Kind::kReply && !answer.reply.error && view != nullptr;
  if (!good) {
    return ReportFailure(answer, options.verb + " token " + options.name, "", json);
  }
  if (options.verb == "add") {
    Print(json ? TokenJson(options.name, made.token) : made.token + "\n");
    if (!json && !view->wish.run) {
      Remark("the gateway is off; to start it: slc gateway start\n");
    } else if (!json && view->wish.credentials.size() == 1) {
      Remark("from now on each request over TCP needs a token, also from this machine\n");
    }
    return kDone;
  }
  if (json) {
    Print(GatewayJson(answer.reply, *view));
  } else {
    Print(options.verb == "ls" ? ListText(*view) : "Removed \"" + Printable(options.name) + "\"\n");
  }
  return kDone;
}

}  // namespace slc::ctl
