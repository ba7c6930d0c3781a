// A datagram of a worker, as it says by sd_notify(3) how it does.
#include "daemon/master/core/worker_notice.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  using fuzz::Check;
  const std::string datagram = fuzz::Text(data, size);
  const WorkerNotice notice = ParseWorkerNotice(datagram);
  if (notice.status) {
    Check(notice.status->size() <= kLongestStatus, "a status is short");
    Check(datagram.find("STATUS=" + *notice.status) != std::string::npos, "it was said");
    Check(notice.status->find('\n') == std::string::npos, "it is one line");
  }
  if (notice.more_time) Check(*notice.more_time >= 0, "no time is taken away");
  if (notice.errno_value) Check(*notice.errno_value > 0, "an errno is one");
  for (const auto& [said, word] : {std::pair(notice.ready, "READY=1"),
                                   {notice.stopping, "STOPPING=1"},
                                   {notice.reloading, "RELOADING=1"}}) {
    Check(!said || datagram.find(word) != std::string::npos, "what is understood was said");
  }
  const WorkerNotice repeated = ParseWorkerNotice(datagram + "\n" + datagram);
  Check(repeated == notice, "said twice it means the same");
  return 0;
}
