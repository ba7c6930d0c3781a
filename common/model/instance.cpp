#include "common/model/instance.h"

namespace slc {

const char* Name(WorkerState state) {
  switch (state) {
    case WorkerState::kStarting:
      return "starting";
    case WorkerState::kReady:
      return "ready";
    case WorkerState::kDraining:
      return "draining";
    case WorkerState::kStopping:
      return "stopping";
    case WorkerState::kKilling:
      return "killing";
  }
  return "starting";
}

std::optional<WorkerState> WorkerStateFromName(const std::string& name) {
  for (const WorkerState state :
       {WorkerState::kStarting, WorkerState::kReady, WorkerState::kDraining,
        WorkerState::kStopping, WorkerState::kKilling}) {
    if (name == Name(state)) return state;
  }
  return std::nullopt;
}

std::string DescribeListener(const ListenerFacts& listener) {
  if (listener.kind == ListenerKind::kUnix) return listener.address;
  const std::string port = ":" + std::to_string(listener.bound_port);
  std::string text;
  if (listener.address.empty()) {
    // The dual-stack wildcard is shown the way people and the original write it.
    text = "0.0.0.0" + port;
  } else if (listener.address.find(':') != std::string::npos) {
    text = "[" + listener.address + "]" + port;
  } else {
    text = listener.address + port;
  }
  return listener.kind == ListenerKind::kUdp ? text + "/udp" : text;
}

}  // namespace slc
