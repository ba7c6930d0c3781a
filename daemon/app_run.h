// AppRun: `slc run`. A client within slcd that starts one service and ends slcd with it: when it
// cannot be started, or has ended for good by its restart policy.
#pragma once

#include <functional>
#include <string>

#include "common/wire/link.h"
#include "daemon/commands/clients.h"
#include "daemon/core/registry.h"

namespace slc {

class AppRun {
 public:
  struct Events {
    std::function<void(const Request& request)> send;
    std::function<void()> end;  // all is to be stopped, and slcd to end
  };

  // `start` holds a StartService.
  AppRun(Request start, Events events) : start_(std::move(start)), events_(std::move(events)) {}

  // kConflict if the home has other services that are to run: they would be stopped with this one.
  Status CheckIsAlone(const Registry& registry) const;
  void Start();
  // Of the service that was started, once it is known.
  void SoftRestart(const Registry& registry);

  void OnReply(const std::string& request, const Reply& reply);
  // Facts of any service; to be called before they lead to a reply.
  void OnFacts(const Registry& registry, ServiceId id, const link::Facts& facts);
  // The operator ends it: what the app ends with from now on is no failure.
  void OnStop() { ending_ = true; }

  // 0, or what the app ended with.
  int exit_code() const { return exit_code_; }

 private:
  // The wish of the service that was started, or nullptr. Its name need not be the one that was
  // asked for: without --name the app's folder says which service is meant.
  const Wish* OwnOf(const Registry& registry) const;
  void EndWith(int code);
  void EndIfAppHas();

  Request start_;
  Events events_;
  link::Facts facts_;
  bool answered_ = false;  // the start; before, what the app ended with may be of an older one
  bool ending_ = false;
  int exit_code_ = 0;
};

}  // namespace slc
