// The control protocol between clients (slc, later the gateway) and slcd.
//
// A client sends one Request per frame; slcd answers with any number of Progress messages and then
// one Reply, all with the request's id. A request that changes something is answered when the
// change is durable and, unless `wait` is false, has happened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/environment.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/model/gateway.h"
#include "common/model/inspection.h"
#include "common/model/profile.h"
#include "common/model/release.h"
#include "common/model/service.h"
#include "common/model/view.h"

namespace slc {

// `service` is always a name or an id as the user typed it.
struct StartService {  // `slc start`: create or update, then run
  ServiceSpec spec;
  std::optional<std::uint32_t> size;  // absent: as it is, or the number of CPUs for a new one
  bool replace = false;               // take over the name from another folder
  std::vector<std::string>
      given;  // names of the options the user gave: others of a known service stay
};
struct CreateService {  // `slc ctl create`: a name, no app yet
  std::string name;
  std::uint32_t size = kSizeCpu;
};
struct ListServices {};
struct GetStatus {
  std::string service;  // empty: all
};
struct GetInfo {};
struct RunService {  // `slc ctl start`
  std::string service;
};
struct StopService {
  std::string service;
  bool soft = false;
};
struct RestartService {
  std::string service;
  RollMode mode = RollMode::kRestart;
  std::uint32_t parallel = 1;
};
struct SetSize {
  std::string service;
  std::uint32_t size = 0;
};
struct SetEnvironment {
  std::string service;
  Environment set;
  std::vector<std::string> unset;
  bool restart = true;
};
struct RemoveService {
  std::string service;
};
struct Shutdown {};
struct UpgradeAll {};  // `slc upgrade`: slcd, then each master, become the installed version
struct GetGateway {};
struct SetGateway {                // `slc gateway start|stop`
  GatewayWish wish;                // its credentials are added to those there are
  std::vector<std::string> given;  // names of its members that count: others stay
};
struct AddCredential {  // `slc token add`; replaces none
  GatewayCredential credential;
};
struct RemoveCredential {
  std::string name;
};
// The gateway is there and asks what it is to serve. The descriptors of the answer: a listening
// socket for each of wish.listen, then certificate, key and client CA as far as there are.
struct ServeGateway {};
// The output of `slc logs --json`: the descriptor of the answer is a pipe to be read to its end.
struct ReadLogs {
  std::string service;  // empty: of all
  bool follow = false;
  std::optional<std::uint32_t> last;  // lines
  std::string since;                  // as --since and --grep; empty: not given
  std::string grep;
  bool errors_only = false;
};
// The same of `slc events --json`.
struct ReadEvents {
  std::string service;  // empty: of all
  bool follow = false;
  std::optional<std::uint32_t> last;
};
// The same of `slc ctl log-dump`, which goes on where the last one ended.
struct DumpLogs {
  std::string service;
};
// The same of `slc ctl npmls --json`, one line; an error of it is in the line.
struct ListPackages {
  std::string service;
};
// What slc prints there, for an slc on another machine: of files, which lie where slcd is, and of
// processes. The descriptors of the answer are three pipes to be read to their ends: what it prints
// on standard output, on standard error, and at its end its exit code, as digits. A pipe of the
// last that ends without has lost its slcd.
enum class PrintedLook { kStatus, kLogs, kLogDump, kEvents, kWhy, kPackages };
const char* Name(PrintedLook look);
std::optional<PrintedLook> PrintedLookFromName(const std::string& name);
struct PrintLook {
  PrintedLook look = PrintedLook::kStatus;
  std::string service;  // empty: all, where the command allows that
  bool json = false;
  bool follow = false;                // logs, log-dump, events
  std::optional<std::uint32_t> last;  // logs, events: as --lines
  std::string since;                  // logs, as --since and --grep; empty: not given
  std::string grep;
  bool errors_only = false;            // logs
  bool wide = false;                   // status
  std::optional<std::uint32_t> depth;  // npmls
};
// Looks into a worker. Of what HasResult() the descriptor of the answer is a result_stream.h to be
// read to its end; the answer comes before the result is made.
struct InspectWorker {
  std::string service;
  WorkerId worker = 0;  // 0: the master
  Inspection what = Inspection::kCpuStart;
  std::uint32_t interval = kSamplingInterval;  // of cpu-start
};

// A release for a service, which is made if there is none of that name. Its archive, as
// deploy_stream.h wants it, comes by the descriptor that is sent with it, the end of a pipe or
// socket to read from; `folder`, which is run in place, comes without. Progress: "note", "output"
// (a line of npm), and "unpacked" when all of the archive was taken; answered by a DeployReply when
// the release is in service. An error: what ran before runs on.
struct Deploy {
  std::string service;
  ReleaseOrigin origin = ReleaseOrigin::kTarball;
  std::string commit;  // of kGit
  std::string branch;  // the same
  std::string folder;  // of kFolder: absolute
  // Of the service, from this release on, where given: see ReleasePolicy.
  std::optional<std::uint32_t> keep;
  std::optional<Millis> canary_time;
  std::optional<std::string> health;
  std::optional<bool> npm;
};
struct ListReleases {
  std::string service;
};
// Another release that is kept comes into service, as a new one would. Answered as Deploy is.
struct Rollback {
  std::string service;
  std::string release;  // number, name, or digits its hash begins with; empty: the one before
};

// Git's half of a push over HTTP, which slcd has run. Two descriptors come with it: the end of a
// pipe to read what the client has sent, and one to write what it is to get. Answered when git has
// ended.
enum class GitStep { kAdvertiseUpload, kAdvertiseReceive, kReceive };
struct ServeGit {
  std::string service;
  GitStep step = GitStep::kAdvertiseReceive;
};

// Has a worker make a profile, which slcd keeps: ends a CPU profile that is under way, or takes a
// heap snapshot. Answered with its row when the worker has begun with it; the data comes later, and
// the row tells when all of it is there.
struct CaptureProfile {
  std::string service;
  WorkerId worker = 0;
  ProfileType type = ProfileType::kCpu;
};
struct ListProfiles {
  std::string service;  // empty: all
};
// Its row, and if it is whole its file, as a descriptor to be read.
struct ReadProfile {
  std::string service;  // empty: whichever it is of
  ProfileId profile = 0;
  bool secrets = false;  // may be a heap snapshot, which holds what the app has in memory
};
struct RemoveProfile {
  std::string service;  // as of ReadProfile
  ProfileId profile = 0;
};

using RequestBody =
    std::variant<StartService, CreateService, ListServices, GetStatus, GetInfo, RunService,
                 StopService, RestartService, SetSize, SetEnvironment, RemoveService, Shutdown,
                 UpgradeAll, GetGateway, SetGateway, AddCredential, RemoveCredential, ServeGateway,
                 ReadLogs, ReadEvents, DumpLogs, ListPackages, InspectWorker, PrintLook, Deploy,
                 ListReleases, Rollback, ServeGit, CaptureProfile, ListProfiles, ReadProfile,
                 RemoveProfile>;

struct Request {
  std::string id;  // see NewRequestId; a repeat of one that changed something has no second effect
  bool wait = true;
  RequestBody body;
  // On whose behalf the gateway asks, as the journal names who changes something. Heeded from the
  // gateway alone; everybody else is known by the socket.
  std::string principal = {};
  std::uint32_t descriptors = 0;  // how many come with it
};

// Something happened on the way. `kind` is stable; the other fields are set where they make sense.
//   note, output, unpacked    text; see Deploy
//   worker_started  worker, slot, pid
//   worker_ready    worker, slot, pid, millis (since its spawn), listening
//   worker_draining, worker_exited  worker, slot, text (how it ended)
//   worker_killed   worker, slot, pid, text (why it was not left to end by itself)
//   spare_started, spare_takes_slot, spare_exited, spare_given_up     as of a worker
struct Progress {
  std::string kind;
  WorkerId worker = 0;
  SlotNumber slot = 0;
  int pid = 0;
  Generation generation = 0;
  Millis millis = 0;
  std::string text;
  std::vector<std::string> listening;
};

// Answers InspectWorker.
struct InspectionReply {
  int debugger_port = 0;  // where it is open now; 0: nowhere
  std::string debugger_host;
};

// Answers Deploy and Rollback.
struct DeployReply {
  std::string release;  // its name
  std::string text;     // for people
};

// Answers ListReleases, newest first.
using ReleaseList = std::vector<ReleaseView>;

struct Reply {
  std::optional<Error> error;
  std::vector<std::string> log_tail;  // with an error: the last lines the worker printed
  std::vector<std::string> notes;     // what else a person should know, one sentence each
  std::variant<std::monostate, std::vector<ServiceView>, DaemonInfo, UpgradeReport, GatewayView,
               GatewayWish, InspectionReply, DeployReply, ReleaseList, ProfileList>
      data;
  // Of one that was received: what came with it. What they are depends on the request.
  std::vector<UniqueFd> descriptors = {};
};

struct ServerMessage {
  std::string id;
  std::variant<Progress, Reply> body;
  std::uint32_t descriptors = 0;  // how many come with it; set where it is read
};

std::string EncodeRequest(const Request& request);
Result<Request> DecodeRequest(const std::string& text);
// The id of what DecodeRequest refuses; empty if it has none.
std::string RequestIdOf(const std::string& text);
// `descriptors`: how many are sent with it.
std::string EncodeReply(const std::string& id, const Reply& reply, std::size_t descriptors = 0);
std::string EncodeProgress(const std::string& id, const Progress& progress);
Result<ServerMessage> DecodeServerMessage(const std::string& text);

// Gives a reply the descriptors that have come of the `announced`; if some were lost, since there
// was no room for them here, it becomes an error.
void GiveDescriptors(Reply& reply, std::uint32_t announced, std::vector<UniqueFd> descriptors);

// The verb of a request as it is shown in logs: "start", "soft-restart", ...
const char* VerbOf(const RequestBody& body);
// The same of the alternative at this place of RequestBody.
const char* VerbAt(std::size_t index);

}  // namespace slc
