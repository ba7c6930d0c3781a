// RemoteServer: slcd behind a URL, asked through its gateway.
#pragma once

#include <memory>
#include <string>

#include "common/base/result.h"
#include "ctl/channel.h"
#include "ctl/connect.h"
#include "ctl/options.h"
#include "ctl/remote/remote.h"

namespace slc::ctl {

class RemoteServer : public Server {
 public:
  // `remote` outlives this.
  explicit RemoteServer(Remote& remote) : remote_(remote) {}

  Result<std::unique_ptr<Channel>> Connect() override;
  Result<std::unique_ptr<Channel>> ConnectOnly() override { return Connect(); }
  Status Replace() override;
  std::string place() const override { return remote_.url().shown(); }
  bool ours() const override { return false; }
  Millis look_patience() const override;
  bool asks_whether_alive() const override { return false; }

 private:
  Remote& remote_;
};

// Where `control` says that slcd is.
std::unique_ptr<Server> ServerOf(const Control& control, WhenAbsent when_absent);

// Whether that is behind a URL: then no file of it lies here.
bool IsRemote(const Control& control);
// kUsage if it is meant as a URL and is none, or asks for what does not go together.
Status CheckControl(const Control& control);
// Takes what the environment says of where slcd is, unless the command line does: the URL that
// StrongLoop's client goes by, STRONGLOOP_MESH_API, else STRONGLOOP_PM. Gives what to tell of it,
// "http://a:8701 (STRONGLOOP_PM)"; empty if it says nothing. kUsage: what it says is no URL.
Result<std::string> TakeFromEnvironment(Control& control);

}  // namespace slc::ctl
