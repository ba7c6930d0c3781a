#include "ctl/conversation.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/ids.h"
#include "common/base/text.h"
#include "ctl/interrupt.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/progress.h"
#include "ctl/remote/remote_server.h"

namespace slc::ctl {
namespace {

// A change of which nothing is heard for so long makes us ask whether slcd lives.
constexpr Millis kQuietTime = 5000;
// How often, and how long in all, a request is repeated when slcd dies on it.
constexpr int kMostRetries = 3;
constexpr Millis kRetryTime = 10000;
constexpr Millis kProgressAfter = 1000;
constexpr Millis kTurn = 250;

// How many workers the service will have: asked for on a connection of its own, and only when there
// is a line to show it in. 0 if not known.
std::uint32_t WorkersWanted(Server& server, const std::string& service) {
  // Another login over ssh costs more than the number is worth.
  if (!server.asks_whether_alive()) return 0;
  auto client = server.ConnectOnly();
  if (!client || !*client) return 0;
  Request request;
  request.id = NewRequestId();
  request.body = GetStatus{service};
  constexpr Millis kPatience = 200;
  if (!(*client)->Send(request)) return 0;
  auto message = (*client)->Receive(kPatience);
  if (!message || !*message) return 0;
  const auto* reply = std::get_if<Reply>(&(*message)->body);
  const ServiceView* view = reply != nullptr ? OnlyService(*reply) : nullptr;
  return view != nullptr ? view->cluster_size : 0;
}

// The state of one Ask.
struct Talk {
  const Question& question;
  std::unique_ptr<Server> server;
  Request request;
  ProgressText text;
  ProgressLine line;
  Millis started;
  bool asked_total = false;
  int losses = 0;  // how often slcd went away on us
  bool replaced = false;
  std::vector<std::string> killed = {};  // workers that did not end in time, for people

  void Tick() {
    const Millis elapsed = BootNow() - started;
    if (!line.enabled() || elapsed < kProgressAfter) return;
    if (!asked_total) {
      asked_total = true;
      if (!question.service.empty()) text.SetTotal(WorkersWanted(*server, question.service));
    }
    line.Show(text.Line(elapsed));
  }

  void On(const Progress& progress) {
    text.On(progress);
    if (progress.kind == "worker_killed") {
      killed.push_back("worker " + std::to_string(progress.worker) + " (pid " +
                       std::to_string(progress.pid) + ") was killed (SIGKILL): " + progress.text);
    }
    if (!question.on_progress) return;
    line.Clear();
    question.on_progress(progress);
  }
};

enum class Outcome { kReply, kLost, kSilent, kBroken, kInterrupted };

// Whether slcd answers at all: a change may take its time, a stopped slcd takes for ever.
bool Answers(Server& server) {
  auto client = server.ConnectOnly();
  if (!client && client.error().code == ErrorCode::kTimeout) return false;
  if (!client || !*client) return true;  // gone, not silent: the connection will tell
  Request request;
  request.id = NewRequestId();
  request.body = GetInfo{};
  if (!(*client)->Send(request)) return true;
  auto message = (*client)->Receive(server.look_patience());
  return !message || *message;
}

// A slcd that says nothing is replaced, once. True: it is worth asking again.
bool Replaced(Talk& talk, Answer& answer) {
  if (talk.replaced || !talk.server->ours()) return false;
  talk.replaced = true;
  talk.line.Clear();
  Complain("slcd does not answer; if it stays so for 10 s, a new one takes its place");
  Status done = talk.server->Replace();
  if (!done) answer.error = done.error();
  return done.ok();
}

// Sends and listens on one connection.
Outcome Converse(Talk& talk, Channel& client, Answer& answer) {
  const bool looks = talk.question.doing.empty();
  const InterruptGuard guard(!looks && talk.question.wait);
  if (Status sent = client.Send(talk.request); !sent) {
    answer.error = sent.error();
    switch (sent.error().code) {
      case ErrorCode::kTimeout:
        return Outcome::kSilent;
      case ErrorCode::kUnreachable:
      case ErrorCode::kSystem:
        return Outcome::kLost;
      default:
        return Outcome::kBroken;
    }
  }
  const Millis deadline = BootNow() + talk.server->look_patience();
  Millis heard = BootNow();
  while (true) {
    if (guard.pressed()) return Outcome::kInterrupted;
    auto message = client.Receive(looks ? std::max<Millis>(0, deadline - BootNow()) : kTurn);
    if (!message) {
      answer.error = message.error();
      return message.error().code == ErrorCode::kUnreachable ? Outcome::kLost : Outcome::kBroken;
    }
    talk.Tick();
    if (!*message) {
      if (looks && BootNow() >= deadline) {
        answer.error = Error{ErrorCode::kTimeout, client.Silence()};
        return Outcome::kSilent;
      }
      const bool quiet = !looks && BootNow() - heard >= kQuietTime;
      if (quiet && talk.server->asks_whether_alive()) {
        if (!Answers(*talk.server)) {
          answer.error =
              Error{ErrorCode::kTimeout,
                    client.Silence() + ". It may still do what was asked, once it goes on"};
          return Outcome::kSilent;
        }
        heard = BootNow();
      }
      continue;
    }
    heard = BootNow();
    if ((*message)->id != talk.request.id) continue;
    if (const auto* progress = std::get_if<Progress>(&(*message)->body)) {
      talk.On(*progress);
    } else {
      answer.reply = std::move(std::get<Reply>((*message)->body));
      answer.reply.notes.insert(answer.reply.notes.end(), talk.killed.begin(), talk.killed.end());
      return Outcome::kReply;
    }
  }
}

// The service whose new generation failed to come up; null if that is not what went wrong.
const ServiceView* FailedService(const Reply& reply) {
  const bool failed_to_come_up = reply.error && (reply.error->code == ErrorCode::kNotReady ||
                                                 reply.error->code == ErrorCode::kTimeout);
  return failed_to_come_up ? OnlyService(reply) : nullptr;
}

bool Serves(const ProcessView& process) { return process.worker != 0 && process.state == "ready"; }

}  // namespace

Answer Ask(const Question& question) {
  const bool changes = !question.doing.empty();
  Talk talk{question,
            ServerOf(question.control, question.when_absent),
            Request{NewRequestId(), question.wait, question.body},
            ProgressText(question.doing),
            ProgressLine(changes && !question.quiet && IsTerminal(STDERR_FILENO)),
            BootNow()};
  Answer answer;
  answer.place = talk.server->place();
  const auto end = [&](Answer::Kind kind) {
    answer.kind = kind;
    answer.took = BootNow() - talk.started;
    return std::move(answer);
  };
  const bool shutdown = std::holds_alternative<Shutdown>(question.body);
  Millis give_up = 0;
  while (true) {
    const bool again = talk.losses > 0;
    // A slcd that is gone after it was told to shut down has done so, unless masters are left: then
    // it was killed. With -C it is not for us to start it.
    const bool elsewhere = !talk.server->ours();
    auto client =
        shutdown && again && elsewhere ? talk.server->ConnectOnly() : talk.server->Connect();
    const bool connected = client && *client;
    if (!client && client.error().code == ErrorCode::kTimeout) {
      answer.error = client.error();
      if (Replaced(talk, answer)) continue;
      return end(Answer::Kind::kNoDaemon);
    }
    if (shutdown && again && (elsewhere ? !connected : client && !*client)) {
      return end(Answer::Kind::kReply);
    }
    if (!client) {
      answer.error = client.error();
      // With -C it is somebody else who starts slcd anew: give them the same time.
      const bool patient =
          again && BootNow() < give_up && answer.error.code == ErrorCode::kUnreachable && elsewhere;
      if (!patient) return end(Answer::Kind::kNoDaemon);
      ::poll(nullptr, 0, 100);
      continue;
    }
    if (!connected) return end(Answer::Kind::kNoServices);
    switch (Converse(talk, **client, answer)) {
      case Outcome::kReply:
        answer.channel = std::move(*client);
        return end(Answer::Kind::kReply);
      case Outcome::kInterrupted:
        return end(Answer::Kind::kDetached);
      case Outcome::kSilent:
        if (Replaced(talk, answer)) continue;
        return end(Answer::Kind::kNoDaemon);
      case Outcome::kBroken:
        return end(Answer::Kind::kNoDaemon);
      case Outcome::kLost:
        break;
    }
    if (give_up == 0) give_up = BootNow() + kRetryTime;
    if (++talk.losses > kMostRetries || BootNow() >= give_up) {
      answer.error.message += "; tried " + std::to_string(talk.losses) + " times";
      return end(Answer::Kind::kNoDaemon);
    }
  }
}

const std::vector<ServiceView>& Services(const Reply& reply) {
  static const std::vector<ServiceView> kNone;
  const auto* services = std::get_if<std::vector<ServiceView>>(&reply.data);
  return services != nullptr ? *services : kNone;
}

const ServiceView* OnlyService(const Reply& reply) {
  const auto& services = Services(reply);
  return services.size() == 1 ? &services.front() : nullptr;
}

bool ServesStill(const Reply& reply) {
  const ServiceView* view = FailedService(reply);
  if (view == nullptr) return false;
  return std::any_of(view->processes.begin(), view->processes.end(), [&](const ProcessView& each) {
    return Serves(each) && each.generation < view->generation;
  });
}

bool NothingServes(const Reply& reply) {
  const ServiceView* view = FailedService(reply);
  if (view == nullptr) return false;
  return std::none_of(view->processes.begin(), view->processes.end(), Serves);
}

int ExitCodeOf(const Answer& answer) {
  switch (answer.kind) {
    case Answer::Kind::kReply:
      break;
    case Answer::Kind::kNoServices:
      return kFailed;
    case Answer::Kind::kNoDaemon:
      return kNoDaemon;
    case Answer::Kind::kDetached:
      return kDetached;
  }
  if (!answer.reply.error) return kDone;
  return answer.reply.error->code == ErrorCode::kUsage ? kWrongUsage : kFailed;
}

std::string LogTailText(const std::vector<std::string>& lines) {
  constexpr std::size_t kMost = 20;
  std::string text;
  const std::size_t first = lines.size() > kMost ? lines.size() - kMost : 0;
  for (std::size_t i = first; i < lines.size(); ++i) text += "  | " + Printable(lines[i]) + "\n";
  return text;
}

int ReportFailure(const Answer& answer, const std::string& what, const std::string& service,
                  bool json) {
  Error error = answer.error;
  switch (answer.kind) {
    case Answer::Kind::kReply:
      error = answer.reply.error.value_or(Error{});
      break;
    case Answer::Kind::kNoServices:
      error = Error{ErrorCode::kNotFound, "there is no service '" + Printable(service) +
                                              "'; no services exist in " + answer.place};
      break;
    case Answer::Kind::kNoDaemon:
      break;
    case Answer::Kind::kDetached:
      error = Error{ErrorCode::kCancelled, "detached; slcd goes on to " + what +
                                               ", look with: slc ctl status" +
                                               (service.empty() ? "" : " " + service)};
      break;
  }
  if (json) {
    Print(ErrorJson(error, answer.reply.log_tail, answer.reply.notes));
    return ExitCodeOf(answer);
  }
  if (answer.kind == Answer::Kind::kDetached) {
    Complain(Printable(error.message));
    return ExitCodeOf(answer);
  }
  // The lines of slcd.out are a block of their own, made printable where they were read.
  Complain("cannot " + Printable(what) + ": " +
           (answer.kind == Answer::Kind::kReply ? Printable(error.message) : error.message));
  if (!answer.reply.log_tail.empty()) {
    Remark("the last lines it printed:\n" + LogTailText(answer.reply.log_tail));
  }
  for (const std::string& note : answer.reply.notes) Remark(Printable(note) + "\n");
  if (ServesStill(answer.reply)) Remark("The workers of before go on serving.\n");
  return ExitCodeOf(answer);
}

int ReportError(const Error& error, bool json) {
  if (json) {
    Print(ErrorJson(error, {}, {}));
  } else {
    Complain(Printable(error.message));
  }
  return error.code == ErrorCode::kUsage ? kWrongUsage : kFailed;
}

}  // namespace slc::ctl
