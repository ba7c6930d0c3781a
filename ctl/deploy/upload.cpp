#include "ctl/deploy/upload.h"

#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "common/base/text.h"
#include "common/http/deploy_stream.h"

namespace slc::ctl {
namespace {

constexpr std::size_t kPiece = 256U << 10;
// The original answers when the archive is unpacked.
constexpr Millis kUnpacking = 10 * 60'000;

// One that left open what became of the deployment.
Error Unknown(Error error) {
  if (error.code == ErrorCode::kUnreachable || error.code == ErrorCode::kTimeout ||
      error.code == ErrorCode::kProtocol) {
    error.message += "; whether it was deployed is not known: slc ctl status there tells";
  }
  return error;
}

}  // namespace

http::BodySource PiecesOf(int fd, std::function<Status()> checked) {
  auto buffer = std::make_shared<std::string>();
  return [fd, buffer, checked = std::move(checked)]() -> Result<std::string_view> {
    buffer->resize(kPiece);
    while (true) {
      const ssize_t got = ::read(fd, buffer->data(), buffer->size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return SystemError("read the archive", errno);
      if (got == 0 && checked) {
        if (Status whole = checked(); !whole) return whole.error();
      }
      return std::string_view(*buffer).substr(0, static_cast<std::size_t>(got));
    }
  };
}

Result<DeployOutcome> Upload::Run(const MeshService& service, http::BodySource archive) {
  http::ClientRequest request;
  request.method = "PUT";
  request.target = "/api/services/" + std::to_string(service.id) + "/deploy/default" + query_;
  request.headers = {{"Accept", std::string(http::kDeployStreamType) + ", text/plain;q=0.5"},
                     {"Content-Type", "application/gzip"}};
  request.source = std::move(archive);
  http::Patience patience;
  patience.head = kUnpacking;
  patience.idle = 4 * http::kDeployHeartbeat;
  auto head = remote_.Begin(std::move(request), patience);
  if (!head) return Unknown(head.error());
  if (head->status >= 300 || head->status < 200) {
    auto body = remote_.ReadRest();
    return Error{
        head->status == 401 || head->status == 403 ? ErrorCode::kPermission : ErrorCode::kInvalid,
        remote_.url().shown() + ": " + remote_.ReasonOf(*head, body ? *body : std::string())};
  }
  const bool stream = head->media_type() == http::kDeployStreamType;
  auto outcome = stream ? Follow() : FollowText();
  if (outcome) return outcome;
  return stream_failed_ ? outcome : Result<DeployOutcome>(Unknown(outcome.error()));
}

Result<DeployOutcome> Upload::Follow() {
  http::DeployLines lines;
  std::optional<DeployOutcome> outcome;
  while (true) {
    auto piece = remote_.Read();
    if (!piece) return piece.error();
    if (piece->empty()) break;
    lines.Append(*piece);
    while (true) {
      auto line = lines.Next();
      if (!line) return line.error();
      if (!*line) break;
      if (const auto* note = std::get_if<http::DeployNote>(&**line)) tell_(Printable(note->text));
      if (const auto* output = std::get_if<http::DeployOutput>(&**line)) {
        tell_("  " + Printable(output->text));
      }
      if (const auto* done = std::get_if<http::DeployDone>(&**line)) {
        outcome = DeployOutcome{Printable(done->release), Printable(done->text), false};
      }
      if (const auto* failed = std::get_if<http::DeployError>(&**line)) {
        stream_failed_ = true;
        for (const std::string& each : failed->log_tail) log_tail_.push_back(Printable(each));
        return Error{failed->error.code,
                     remote_.url().shown() + ": " + Printable(failed->error.message)};
      }
    }
  }
  if (outcome) return *outcome;
  return Error{ErrorCode::kProtocol, remote_.url().shown() + ": its answer ended too early"};
}

Result<DeployOutcome> Upload::FollowText() {
  std::string line;
  while (true) {
    auto piece = remote_.Read();
    if (!piece) return piece.error();
    if (piece->empty()) break;
    for (const char c : *piece) {
      // However long a line is, no more than that of it is kept.
      if (c != '\n' && line.size() < http::DeployLines::kMostLine) line += c;
      if (c != '\n') continue;
      tell_(Printable(line));
      line.clear();
    }
  }
  if (!line.empty()) tell_(Printable(line));
  return DeployOutcome{};
}

}  // namespace slc::ctl
