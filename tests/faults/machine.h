// Machine: a real systemd as pid 1 of pid, mount and cgroup namespaces of its own, beside the
// machine that runs the tests. Its /run, /var/log and /etc/systemd/system are its own; the rest,
// and the network, are ours, so that clients and the harness reach what runs there.
//
// It boots into a target that wants nothing but what is enabled. The stock sysinit.target is never
// used: in a namespace it changes settings of the whole machine.
//
// Process ids that slcd tells are those within it; the harness sees the same processes under
// others.
#pragma once

#include <optional>
#include <string>

#include "tests/faults/faults.h"

namespace slc::test {

class Machine {
 public:
  // Why there can be none here; empty if there can.
  static std::string WhyNot();

  // Off at first. `world` outlives it.
  explicit Machine(World& world);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Ends when its systemd takes commands.
  void Boot();
  // SIGKILL to everything at once, as when the power goes.
  void PullThePlug();

  // Runs a program there, with the world's environment; what is returned is who waits for it here.
  Running Begin(const Words& command, const Options& options = {});
  Ran Run(const Words& command, const Options& options = {});
  // The same, and fails the test unless it exits with 0.
  Ran Must(const Words& command, const Options& options = {});
  // `slc` there.
  Ran Slc(const Words& arguments);

  // What `systemctl show` says of slc.service: "ActiveState", "NRestarts", ...
  std::string Show(const std::string& property);
  // Where /etc/systemd/system of it really is.
  std::string units() const { return folder_ + "/units"; }

 private:
  World& world_;
  std::string folder_;
  std::string cgroup_;
  std::optional<Running> unshare_;
  int init_ = 0;  // pid 1 of it, as seen from here
};

}  // namespace slc::test
