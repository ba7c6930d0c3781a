// slc gateway start, stop, status: slcd's HTTP side.
#include "common/model/gateway.h"

#include <unistd.h>

#include <cstdlib>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/base/time.h"
#include "ctl/commands/commands.h"
#include "ctl/conversation.h"
#include "ctl/credential_maker.h"
#include "ctl/json_output.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

// USER:PASS, or as the original had it basic:USER:PASS.
Result<std::pair<std::string, std::string>> ReadUser(std::string text, const std::string& from) {
  constexpr std::string_view kBasic = "basic:";
  if (StartsWith(text, "digest:")) {
    return Error{ErrorCode::kUsage,
                 from +
                     ": digest is not spoken here, for it needs the password itself to be "
                     "kept; give USER:PASS, with TLS or on loopback"};
  }
  if (StartsWith(text, kBasic)) text.erase(0, kBasic.size());
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) {
    return Error{ErrorCode::kUsage, from + " is of the form USER:PASS"};
  }
  const std::string user = text.substr(0, colon);
  if (Status good = CheckCredentialName(user); !good) return good.error().During(from);
  return std::pair(user, text.substr(colon + 1));
}

std::string AbsolutePath(const std::string& path) {
  if (path.empty() || path[0] == '/') return path;
  char* here = ::get_current_dir_name();
  std::string absolute = here != nullptr ? std::string(here) + "/" + path : path;
  std::free(here);
  return absolute;
}

Plan PlanGateway(const Surroundings& around) {
  Verb<GatewayOptions> verb(around);
  GatewayOptions& value = verb.value();
  OptionParser& options = verb.options();
  options.Values("--listen", "ADDR:PORT", "Where: also unix:/PATH; several. 127.0.0.1:8701.",
                 [&value](const std::string& text) -> Status {
                   const std::string path = UnixPathOf(text);
                   value.wish.listen.push_back(path.empty() ? text : "unix:" + AbsolutePath(path));
                   return Ok();
                 });
  options.Text("--tls-cert", "FILE", "Certificate with its chain, PEM.", value.wish.certificate);
  options.Text("--tls-key", "FILE", "Its key, PEM.", value.wish.key);
  options.Text("--client-ca", "FILE", "Let in who shows a certificate of this CA, and nobody else.",
               value.wish.client_ca);
  options.Text("--http-auth", "USER:PASS", "A user who may do all. Better, from a file: -.",
               value.user);
  options.Values("--host", "NAME", "A name that browsers may call this machine by; several.",
                 [&value](const std::string& name) -> Status {
                   value.wish.hosts.push_back(name);
                   return Ok();
                 });
  return std::move(verb).Make([](GatewayOptions& target, const Words& operands) -> Status {
    target.verb = operands.empty() ? "status" : operands[0];
    if (target.verb != "start" && target.verb != "stop" && target.verb != "status") {
      return Error{ErrorCode::kUsage,
                   "'" + Printable(target.verb) + "' is neither start nor stop nor status"};
    }
    return Ok();
  });
}

std::string Describe(const GatewayView& view) {
  std::string text = "Gateway " + view.state;
  if (view.pid > 0) {
    text += ": pid " + std::to_string(view.pid) + ", since " + FormatIso(view.started_wall);
  }
  text += "\n";
  for (const std::string& listen : view.wish.listen) {
    const bool tls = view.wish.has_tls() && UnixPathOf(listen).empty();
    const char* scheme = UnixPathOf(listen).empty() ? (tls ? "https://" : "http://") : "";
    text += "  " + std::string(view.wish.run ? "listens on " : "would listen on ") + scheme +
            Printable(listen) + "\n";
  }
  std::string who;
  if (!view.wish.client_ca.empty()) who = "certificates of " + view.wish.client_ca;
  std::size_t users = 0;
  for (const GatewayCredential& one : view.wish.credentials) users += one.basic ? 1 : 0;
  const std::size_t tokens = view.wish.credentials.size() - users;
  if (users > 0)
    who += (who.empty() ? "" : ", ") + std::to_string(users) + (users == 1 ? " user" : " users");
  if (tokens > 0)
    who +=
        (who.empty() ? "" : ", ") + std::to_string(tokens) + (tokens == 1 ? " token" : " tokens");
  if (who.empty()) who = "processes of slcd's user and of root, on this machine";
  text += "  lets in " + Printable(who) + "\n";
  if (!view.trouble.empty()) text += "  trouble: " + Printable(view.trouble) + "\n";
  return text;
}

// The password is taken from standard input if it is not to be seen by `ps`.
Result<std::string> UserFrom(const GatewayOptions& options, std::string& from) {
  from = "--http-auth";
  if (options.user == "-") {
    std::string text(4096, '\0');
    const ssize_t got = ::read(STDIN_FILENO, text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return std::string(Trim(text));
  }
  if (!options.user.empty()) return options.user;
  from = "STRONGLOOP_PM_HTTP_AUTH";
  const char* set = std::getenv("STRONGLOOP_PM_HTTP_AUTH");
  return std::string(set != nullptr ? set : "");
}

Result<SetGateway> ChangeOf(const GatewayOptions& options) {
  SetGateway change;
  change.wish = options.wish;
  change.wish.run = options.verb == "start";
  if (!change.wish.run) return change;
  if (!change.wish.listen.empty()) change.given.emplace_back("listen");
  if (!change.wish.hosts.empty()) change.given.emplace_back("hosts");
  if (!change.wish.certificate.empty() || !change.wish.key.empty()) {
    change.given.emplace_back("tls");
  }
  if (!change.wish.client_ca.empty()) change.given.emplace_back("client_ca");
  change.wish.certificate = AbsolutePath(change.wish.certificate);
  change.wish.key = AbsolutePath(change.wish.key);
  change.wish.client_ca = AbsolutePath(change.wish.client_ca);
  std::string from;
  auto text = UserFrom(options, from);
  if (!text || text->empty()) return change;
  auto user = ReadUser(*text, from);
  if (!user) return user.error();
  auto hash = HashPassword(user->second);
  if (!hash) return hash.error();
  GatewayCredential credential;
  credential.name = user->first;
  credential.basic = true;
  credential.hash = *hash;
  credential.scopes = {Scope::kAdmin};
  credential.created_wall = WallNow();
  change.wish.credentials.push_back(std::move(credential));
  return change;
}

}  // namespace

constinit const CommandInfo kGatewayCommand{
    .name = "gateway",
    .elsewhere = "web api http",
    .operands = "[start|stop|status]",
    .most = 1,
    .summary = "slcd's HTTP API: for sl-pmctl, curl, deploys, other machines.",
    .details =
        "Off until it is started; then it stays on, also after a reboot. What is not given stays "
        "as it was.\nOff loopback it takes TLS, and a token, a user or a client CA. Certificates "
        "that were renewed\nare read by another `slc gateway start`.\n",
    .here_only = "who reaches slcd through its gateway cannot change that; log in there and run it",
    .takes_socket = true,
    .plan = PlanGateway,
};

int Run(const GatewayOptions& options) {
  const bool json = options.control.json;
  Question question;
  question.control = options.control;
  question.quiet = json;
  if (options.verb == "status") {
    question.body = GetGateway{};
  } else {
    auto change = ChangeOf(options);
    if (!change) {
      ReportError(change.error(), json);
      return change.error().code == ErrorCode::kUsage ? kWrongUsage : kFailed;
    }
    question.body = std::move(*change);
    question.doing = options.verb == "start" ? "starting the gateway" : "stopping the gateway";
    if (options.verb == "start") question.when_absent = WhenAbsent::kStart;
  }
  const Answer answer = Ask(question);
  if (answer.kind == Answer::Kind::kNoServices) {
    GatewayView none;
    none.state = "off";
    Print(json ? GatewayJson(Reply{}, none) : "Gateway off\n");
    return kDone;
  }
  const auto* view = std::get_if<GatewayView>(&answer.reply.data);
  const bool good = answer.kind == Answer::Kind::kReply && !answer.reply.error && view != nullptr;
  if (!good) return ReportFailure(answer, options.verb + " the gateway", "", json);
  Print(json ? GatewayJson(answer.reply, *view) : Describe(*view));
  return kDone;
}

}  // namespace slc::ctl
