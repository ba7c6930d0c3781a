// The protocol of a deployment: what slc asks of a server, and what the server tells while it
// deploys. Both sides are built on this file.
//
//     PUT /api/services/ID/deploy/default      the release: a tar, gzipped, whose members lie below
//     Accept: application/x-ndjson             one folder ("package/"), in chunks or with a length
//
// Its query may say what is to hold of the service from this release on: keep=N (releases),
// canary-time=MS, health=PATH (or none), npm=on|off.
//
// The server answers nothing before it has all of the body, but for refusing it: then it may answer
// at once and close the connection. A refusal has a status of 400 or more, and says why as the rest
// of the API does, {"error": {"message": "..."}}, or in plain text.
//
// Who asks for application/x-ndjson (kDeployStreamType) gets 200 and one JSON object a line, as
// things happen:
//
//     {"note": "unpacked 812 files"}      what the server says itself
//     {"output": "added 57 packages"}     a line that npm or the like has printed
//     {}                                  nothing, but it lives: at least one line each 15 s
//     {"done": {"release": "9f2c...", "text": "2 workers run release 9f2c..."}}
//     {"error": {"code": "not_ready", "message": "...", "log_tail": ["...", ...]}}
//
// `done` or `error` is the last line; a stream that ends without one of them was cut off, and
// nobody knows what became of the deployment. `release` is the hash by which it is listed. Codes
// are those of ErrorCode (common/base/result.h); with `error` what ran before runs on. Unknown
// members are passed over, unknown lines are as {}. Who does not ask for it, as StrongLoop's own
// sl-deploy, gets plain text: "Application received" once the release is in service, so that its
// exit code is that of the deployment, or the reason with a status of 400 or more.
//
// The other way is `git push` to /api/services/ID/deploy/default of one branch, as smart HTTP. The
// server deploys before it accepts the branch, and refuses it if that fails; what it has to tell
// meanwhile goes over the side band, which git shows. So git's exit code is that of the deployment.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"

namespace slc::http {

inline constexpr const char* kDeployStreamType = "application/x-ndjson";
// How often at least a server says something.
inline constexpr Millis kDeployHeartbeat = 15'000;

struct DeployNote {
  std::string text;
};
struct DeployOutput {
  std::string text;
};
struct DeployAlive {};
struct DeployDone {
  std::string release;
  std::string text;
};
struct DeployError {
  Error error;
  std::vector<std::string> log_tail;
};
using DeployLine = std::variant<DeployAlive, DeployNote, DeployOutput, DeployDone, DeployError>;

// With its line feed.
std::string EncodeDeployLine(const DeployLine& line);
// Without its line feed. kProtocol if it is no JSON object.
Result<DeployLine> DecodeDeployLine(std::string_view text);

// Cuts a body into lines, in whatever pieces it comes.
class DeployLines {
 public:
  static constexpr std::size_t kMostLine = 1U << 20;  // bytes

  void Append(std::string_view bytes) { text_ += bytes; }
  // The next whole one; nothing if there is none yet. kProtocol if one is too long, or no line of
  // the protocol.
  Result<std::optional<DeployLine>> Next();
  // Bytes of a line have come that has not ended.
  bool within_line() const { return !text_.empty(); }

 private:
  std::string text_;
};

}  // namespace slc::http
