#include "tests/bench/load/failure.h"

#include <cerrno>

namespace slc::load {

const char* NameOf(FailureKind kind) {
  switch (kind) {
    case FailureKind::kRefused:
      return "refused";
    case FailureKind::kReset:
      return "reset";
    case FailureKind::kCut:
      return "cut";
    case FailureKind::kFinCrossed:
      return "fin_crossed";
    case FailureKind::kTimeout:
      return "timeout";
    case FailureKind::kNon200:
      return "non200";
    case FailureKind::kBadBody:
      return "bad_body";
    case FailureKind::kOther:
      break;
  }
  return "other";
}

FailureKind ClassifyConnectError(int error) {
  return error == ECONNREFUSED ? FailureKind::kRefused : ClassifyStreamError(error);
}

FailureKind ClassifyStreamError(int error) {
  switch (error) {
    // EPIPE is what the kernel makes of an RST that follows a FIN.
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
      return FailureKind::kReset;
    case ETIMEDOUT:
      return FailureKind::kTimeout;
    default:
      return FailureKind::kOther;
  }
}

FailureKind ClassifyEof(bool connection_served_before, bool response_started) {
  return connection_served_before && !response_started ? FailureKind::kFinCrossed
                                                       : FailureKind::kCut;
}

}  // namespace slc::load
