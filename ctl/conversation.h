// Conversation: one request to slcd and what comes back, whatever happens to slcd meanwhile.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/wire/messages.h"
#include "ctl/connect.h"
#include "ctl/options.h"

namespace slc::ctl {

struct Question {
  Control control;
  WhenAbsent when_absent = WhenAbsent::kStartIfServices;
  RequestBody body;
  bool wait = true;
  // Shown on a terminal when it takes over a second, for example "soft-restarting my-app". Empty:
  // this only looks, and slcd answers at once or not at all.
  std::string doing;
  std::string service;  // the name or id that `doing` is about
  bool quiet = false;   // no progress line
  std::function<void(const Progress&)> on_progress;
};

struct Answer {
  enum class Kind {
    kReply,       // slcd answered; the reply may hold an error
    kNoServices,  // there is no slcd, and the home has no services
    kNoDaemon,    // it could not be reached or started, see `error`
    kDetached,    // the user pressed Ctrl-C; the operation goes on
  };
  Kind kind = Kind::kReply;
  Reply reply;
  Error error;
  Millis took = 0;
  std::string place;  // home, socket or URL, for messages
  // Of a reply: where what its descriptors bring is read from.
  std::unique_ptr<Channel> channel = {};
};

// When slcd dies between request and answer the same request is sent again with the same id, which
// has no second effect.
Answer Ask(const Question& question);

// The only service of a reply; null if there is not exactly one.
const ServiceView* OnlyService(const Reply& reply);
// All services of a reply.
const std::vector<ServiceView>& Services(const Reply& reply);

int ExitCodeOf(const Answer& answer);
// True if a new generation failed to come up and workers of an older one serve on.
bool ServesStill(const Reply& reply);
// True if it failed, and no worker serves at all.
bool NothingServes(const Reply& reply);
// At most 20 lines, the last ones, safe for a terminal.
std::string LogTailText(const std::vector<std::string>& lines);

// Says on standard error, or as JSON on standard output, why there is no good answer, and gives the
// exit code. To be called for every answer but a reply without error. `what` is the operation, for
// example "stop my-app".
int ReportFailure(const Answer& answer, const std::string& what, const std::string& service,
                  bool json);
// The same for what failed before slcd was asked.
int ReportError(const Error& error, bool json);

}  // namespace slc::ctl
