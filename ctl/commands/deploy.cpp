// slc deploy: what `slc build` has made goes to a process manager, here or elsewhere.
#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>

#include "common/base/text.h"
#include "common/base/unique_fd.h"
#include "common/model/app_folder.h"
#include "ctl/build/steps.h"
#include "ctl/commands/commands.h"
#include "ctl/conversation.h"
#include "ctl/deploy/mesh.h"
#include "ctl/deploy/push.h"
#include "ctl/deploy/source.h"
#include "ctl/deploy/upload.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/progress.h"
#include "ctl/remote/remote.h"
#include "ctl/values.h"

namespace slc::ctl {
namespace {

std::string Own(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// [URL] [PACK|BRANCH]
Status TakeOperands(const Words& operands, DeployOptions& options) {
  for (const std::string& word : operands) {
    if (http::LooksLikeUrl(word) && options.url.empty() && options.what.empty()) {
      options.url = word;
    } else if (options.what.empty() && !word.empty()) {
      options.what = word;
    } else {
      return Error{ErrorCode::kUsage, "what is given is URL, then archive or branch"};
    }
  }
  return Ok();
}

Plan PlanDeploy(const Surroundings& /*around*/) {
  auto value = std::make_shared<DeployOptions>();
  Plan plan;
  plan.options.Text("-s,--service", "SVC", "Deploy to this service; else as the package is called.",
                    value->service);
  plan.options.Value("-z,--size", "N|cpu", "Set its number of workers.",
                     [value](const std::string& size) -> Status {
                       constexpr std::int64_t kMostWorkers = 1024;
                       if (size != "cpu") {
                         const auto number = ToNumber(size, 0, kMostWorkers,
                                                      "the size is cpu or a number from 0 to 1024");
                         if (!number) return number.error();
                       }
                       value->size = size;
                       return Ok();
                     });
  // They are the service's, from this release on.
  const auto ask = [value](const std::string& name, const std::string& text) {
    value->query += (value->query.empty() ? "?" : "&") + name + "=" + http::PercentEncode(text);
  };
  plan.options.Value("--keep", "N", "Keep so many releases (5).",
                     [ask](const std::string& text) -> Status {
                       const auto number = ToNumber(text, 1, kMostKept, "a number from 1 to 1000");
                       if (!number) return number.error();
                       ask("keep", text);
                       return Ok();
                     });
  plan.options.Value("--canary-time", "TIME",
                     "The first worker serves so long before the others follow (10s).",
                     [ask](const std::string& text) -> Status {
                       const auto span = ToDuration(text, 0);
                       if (!span) return span.error();
                       ask("canary-time", std::to_string(*span));
                       return Ok();
                     });
  plan.options.Value("--health", "PATH", "It must answer well to this meanwhile: /healthz; none.",
                     [ask](const std::string& text) -> Status {
                       if (text != "none") {
                         if (Status good = CheckHealthPath(text); !good) return good;
                       }
                       ask("health", text);
                       return Ok();
                     });
  plan.options.Flag("--no-npm", "Run no npm there: the archive is complete.",
                    [ask] { ask("npm", "off"); });
  plan.options.Flag("--npm", "Run npm there, where it has something to do.",
                    [ask] { ask("npm", "on"); });
  plan.options.Text("--cacert", "FILE", "Trust https servers of these authorities (PEM).",
                    value->ca);
  plan.options.Text("--cert", "FILE", "Our certificate, for servers that want one (PEM).",
                    value->certificate);
  plan.options.Text("--key", "FILE", "Its key (PEM).", value->key);
  plan.options.Flag("--json", "Print one JSON value instead of text.", value->json);
  plan.make = [value](const Words& operands) -> Result<Command> {
    if (Status taken = TakeOperands(operands, *value); !taken) return taken.error();
    if (value->certificate.empty() != value->key.empty()) {
      return Error{ErrorCode::kUsage, "--cert and --key go together"};
    }
    return Command(*value);
  };
  return plan;
}

// Where it goes. A daemon of this machine that has no gateway could be one more place.
Result<http::Url> Destination(const DeployOptions& options) {
  if (!options.url.empty()) return http::ParseUrl(options.url);
  const std::string usual = Own("STRONGLOOP_PM");
  if (usual.empty()) return http::ParseUrl("http://127.0.0.1:8701");
  auto url = http::ParseUrl(usual);
  return url ? url : Result<http::Url>(url.error().During("STRONGLOOP_PM"));
}

// Counts what is sent, for who waits at a terminal.
http::BodySource Shown(http::BodySource source, std::uint64_t size, ProgressLine& line) {
  if (!line.enabled()) return source;
  return [source = std::move(source), size, &line, sent = std::uint64_t{0},
          began = BootNow()]() mutable {
    auto piece = source();
    if (piece) sent += piece->size();
    constexpr Millis kPatience = 1000;
    if (BootNow() - began > kPatience) {
      line.Show("sending: " + FormatBytes(sent) + " of " + FormatBytes(size));
    }
    return piece;
  };
}

struct Deployment {
  const DeployOptions& options;
  DeploySource source;
  Remote remote;
  DeployReport report;
  std::vector<std::string> log_tail;

  Status Run();
  // Beside the result.
  void Note(const std::string& note);
  Result<DeployOutcome> Send(const MeshService& service);
};

void Deployment::Note(const std::string& note) {
  report.notes.push_back(note);
  if (!options.json) Print(note + "\n");
}

Result<DeployOutcome> Deployment::Send(const MeshService& service) {
  const bool quiet = options.json;
  // A push has no place for what is said of the service.
  if (!source.branch.empty() && options.query.empty() && CanPush(remote.url())) {
    return Push(remote, service, source, quiet ? &log_tail : nullptr);
  }
  ProgressLine line(!quiet && IsTerminal(STDERR_FILENO));
  Upload upload(remote, options.query, [&](const std::string& text) {
    line.Clear();
    if (!quiet) Print(text + "\n");
  });
  Result<DeployOutcome> outcome = DeployOutcome{};
  if (!source.branch.empty()) {
    outcome = UploadBranch(upload, service, source);
  } else {
    const UniqueFd file(::open(source.archive.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return SystemError("open " + source.archive, errno);
    outcome = upload.Run(service, Shown(PiecesOf(file.get()), source.size, line));
  }
  log_tail = upload.log_tail();
  return outcome;
}

Status Deployment::Run() {
  if (Status good = CheckApi(remote); !good) return good;
  bool created = false;
  auto service = FindOrCreate(remote, report.service, created);
  if (!service) return service.error();
  report.service_id = service->id;
  report.service = service->name;
  if (created) Note("created the service " + Printable(service->name));
  if (!options.size.empty()) {
    if (Status set = SetSize(remote, *service, options.size); !set) return set;
  }
  auto outcome = Send(*service);
  if (!outcome) return outcome.error();
  report.release = outcome->release;
  report.unchanged = outcome->unchanged;
  if (!outcome->text.empty()) Note(outcome->text);
  return Ok();
}

int Fail(const Error& error, const Deployment& deployment) {
  const DeployOptions& options = deployment.options;
  const bool unreachable =
      error.code == ErrorCode::kUnreachable && deployment.report.service_id == 0;
  if (options.json) {
    Print(ErrorJson(error, deployment.log_tail, deployment.report.notes));
  } else {
    Complain(Printable(error.message));
    for (const std::string& line : deployment.log_tail) Remark("  " + line + "\n");
  }
  return unreachable ? kNoDaemon : kFailed;
}

}  // namespace

constinit const CommandInfo kDeployCommand{
    .name = "deploy",
    .elsewhere = "publish push upload",
    .operands = "[URL] [PACK|BRANCH]",
    .most = 2,
    .summary = "Send what `slc build` has made to a process manager, which runs it.",
    .details =
        "URL: http://HOST:PORT, https://HOST:PORT, http+ssh://HOST:PORT or unix:/PATH; else\n"
        "STRONGLOOP_PM of the environment, else http://127.0.0.1:8701. Credentials: "
        "USER:PASSWORD@\n"
        "in the URL, or a token in SLC_TOKEN. What is sent: a file or a branch of git; else\n"
        "../NAME-VERSION.tgz if it is there, else the branch 'deploy'.\n",
    .here_only = "the URL is an operand of it: slc deploy URL",
    .plan = PlanDeploy,
};

int Run(const DeployOptions& options) {
  const auto folder = CurrentFolder();
  if (!folder) return ReportError(folder.error(), options.json);
  auto url = Destination(options);
  if (!url) return ReportError(url.error(), options.json);
  const Millis began = BootNow();
  auto source = [&] {
    Interrupts interrupts;
    Steps steps(interrupts, true);
    auto found = FindDeploySource(options.what, *folder, steps);
    interrupts.GiveWay();
    return found;
  }();
  if (!source) return ReportError(source.error().During("deploy"), options.json);
  const std::string service = options.service.empty() ? source->service : options.service;
  if (service.empty()) {
    return ReportError(Error{ErrorCode::kUsage,
                             "there is no package.json here that would name the "
                             "service; say which: -s NAME"},
                       options.json);
  }
  Deployment deployment{
      options,
      std::move(*source),
      Remote(*url, Own("SLC_TOKEN"), TlsFilesOf({options.ca, options.certificate, options.key})),
      {},
      {}};
  DeployReport& report = deployment.report;
  report.service = service;
  report.url = url->shown();
  report.deployed = deployment.source.name;
  if (!options.json) {
    Print("Deploying `" + Printable(report.deployed) + "` as `" + Printable(service) + "` to `" +
          report.url + "`\n");
  }
  const bool open = url->scheme == http::Url::Scheme::kHttp && !http::IsLoopback(*url);
  if (open && !deployment.remote.authorization().empty()) {
    deployment.Note(
        "the credentials go over the network as they are; https:// and http+ssh:// "
        "hide them");
  }
  if (Status done = deployment.Run(); !done) {
    return Fail(done.error().During("deploy " + Printable(service)), deployment);
  }
  report.took = BootNow() - began;
  if (options.json) {
    Print(DeployJson(report));
    return kDone;
  }
  Print(report.unchanged ? "Unchanged: that commit was deployed before, and nothing was done\n"
                         : "Deployed `" + Printable(report.deployed) + "` as `" +
                               Printable(report.service) + "` to `" + report.url + "`\n");
  return kDone;
}

}  // namespace slc::ctl
