#include "ctl/inspect/worker_name.h"

#include <cstdint>
#include <limits>
#include <optional>

#include "common/base/text.h"

namespace slc::ctl {
namespace {

// Everything in front of the last dot, less the machine's number. A service may have dots in its
// name, and be called like "web.1".
std::vector<std::string> ServicesMeant(const std::string& front) {
  std::vector<std::string> meant{front};
  if (EndsWith(front, ".1")) meant.push_back(front.substr(0, front.size() - 2));
  return meant;
}

NamedWorker Named(const ServiceView& service, const ProcessView& process) {
  return NamedWorker{service.id, service.name, process.worker, process.pid};
}

// Nothing if there is none.
std::optional<Result<NamedWorker>> FindAmong(const std::vector<const ServiceView*>& services,
                                             std::int64_t number) {
  for (const ServiceView* service : services) {
    for (const ProcessView& process : service->processes) {
      if (number > 0 && process.pid == number) return Named(*service, process);
    }
  }
  std::optional<NamedWorker> found;
  for (const ServiceView* service : services) {
    for (const ProcessView& process : service->processes) {
      if (process.pid <= 0 || static_cast<std::int64_t>(process.worker) != number) continue;
      if (found) {
        const std::string wid = "." + std::to_string(number);
        return Result<NamedWorker>(
            Error{ErrorCode::kUsage, "several services have a worker " + std::to_string(number) +
                                         ": say which, " + Printable(found->service_name) + wid +
                                         " or " + Printable(service->name) + wid});
      }
      found = Named(*service, process);
    }
  }
  if (!found) return std::nullopt;
  return *found;
}

}  // namespace

Result<NamedWorker> FindWorker(const std::vector<ServiceView>& services, const std::string& typed) {
  const Error unknown{ErrorCode::kNotFound, "Unable to find process " + Printable(typed) +
                                                "; slc ctl status shows those there are"};
  const std::size_t dot = typed.rfind('.');
  const std::string last = dot == std::string::npos ? typed : typed.substr(dot + 1);
  const auto number = ParseInteger(last, 0, std::numeric_limits<std::int32_t>::max());
  if (!number) return unknown;
  if (dot == std::string::npos) {
    std::vector<const ServiceView*> all;
    for (const ServiceView& service : services) all.push_back(&service);
    return FindAmong(all, *number).value_or(unknown);
  }
  for (const std::string& name : ServicesMeant(typed.substr(0, dot))) {
    for (const ServiceView& service : services) {
      if (service.name != name && std::to_string(service.id) != name) continue;
      if (const auto found = FindAmong({&service}, *number)) return *found;
    }
  }
  return unknown;
}

}  // namespace slc::ctl
