#include "daemon/master/safekeeping.h"

#include "common/base/fd_passing.h"
#include "common/wire/link.h"

namespace slc {

void Safekeeping::Store(const std::vector<KeptFd>& kept) {
  link::Store packet;
  packet.epoch = epoch_;
  std::vector<int> fds;
  const auto flush = [&] {
    if (!fds.empty()) link_.Send(packet, fds);
    packet.names.clear();
    fds.clear();
  };
  for (const KeptFd& each : kept) {
    packet.names.push_back(each.name);
    fds.push_back(each.fd);
    if (fds.size() == kMaxFdsPerMessage) flush();
  }
  flush();
}

void Safekeeping::Drop(const std::vector<std::string>& names) {
  if (!names.empty()) link_.Send(link::Drop{names});
}

}  // namespace slc
