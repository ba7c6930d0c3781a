#include "ctl/remote/remote_server.h"

#include <cstdlib>
#include <utility>

#include "common/http/url.h"
#include "ctl/remote/remote_channel.h"

namespace slc::ctl {
namespace {

std::string Own(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// One that cannot be asked: CheckControl() was not.
class NoServer : public Server {
 public:
  NoServer(std::string place, Error error) : place_(std::move(place)), error_(std::move(error)) {}
  Result<std::unique_ptr<Channel>> Connect() override { return error_; }
  Result<std::unique_ptr<Channel>> ConnectOnly() override { return error_; }
  Status Replace() override { return error_; }
  std::string place() const override { return place_; }
  bool ours() const override { return false; }
  Millis look_patience() const override { return 0; }
  bool asks_whether_alive() const override { return false; }

 private:
  std::string place_;
  Error error_;
};

}  // namespace

Result<std::unique_ptr<Channel>> RemoteServer::Connect() {
  if (Status reached = remote_.Reach(); !reached) return reached.error();
  return std::unique_ptr<Channel>(std::make_unique<RemoteChannel>(remote_));
}

Status RemoteServer::Replace() {
  return Error{ErrorCode::kTimeout, "slcd at " + place() + " is not for us to replace"};
}

Millis RemoteServer::look_patience() const { return 10'000; }

bool IsRemote(const Control& control) { return http::LooksLikeUrl(control.at); }

Status CheckControl(const Control& control) {
  if (control.certificate.empty() != control.key.empty()) {
    return Error{ErrorCode::kUsage, "--cert and --key go together"};
  }
  if (!IsRemote(control)) return Ok();
  auto url = http::ParseUrl(control.at);
  return url ? Ok() : Status(url.error());
}

Result<std::string> TakeFromEnvironment(Control& control) {
  if (!control.at.empty()) return std::string();
  for (const char* name : {"STRONGLOOP_MESH_API", "STRONGLOOP_PM"}) {
    const std::string value = Own(name);
    if (value.empty()) continue;
    auto url = http::ParseUrl(value);
    if (!url) return url.error().During(name);
    control.at = value;
    return url->shown() + " (" + name + ")";
  }
  return std::string();
}

std::unique_ptr<Server> ServerOf(const Control& control, WhenAbsent when_absent) {
  if (!IsRemote(control)) return std::make_unique<Daemon>(control.at, when_absent);
  auto url = http::ParseUrl(control.at);
  if (!url) return std::make_unique<NoServer>("the URL of -C", url.error());
  // A command that asks several times goes on with the connection it has: a login over ssh takes
  // its time.
  static std::unique_ptr<Remote> remote;
  if (!remote) {
    remote = std::make_unique<Remote>(std::move(*url), Own("SLC_TOKEN"),
                                      TlsFilesOf({control.ca, control.certificate, control.key}));
  }
  return std::make_unique<RemoteServer>(*remote);
}

}  // namespace slc::ctl
