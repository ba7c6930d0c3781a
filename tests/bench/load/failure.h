// The kinds of failure and the rules that choose one. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/bench/load/clock.h"

namespace slc::load {

enum class FailureKind {
  kRefused,     // connect: ECONNREFUSED
  kReset,       // an RST during connect or while a request was outstanding
  kCut,         // EOF inside a response, or without one byte of it on a fresh connection
  kFinCrossed,  // EOF without one byte of the response on a connection that had served before
  kTimeout,     // not done in time, connect included
  kNon200,
  kBadBody,  // length differs from `expect`, or bytes follow the end that content-length declared
  kOther,    // malformed response, bytes before the request, no route, no free port, TLS error, ...
};
inline constexpr std::size_t kFailureKinds = 8;

// As in the JSON report: "refused", "reset", "cut", "fin_crossed", ...
const char* NameOf(FailureKind kind);

// `error` is the errno of a failed connect.
FailureKind ClassifyConnectError(int error);
// `error` is the errno of a failed read or write while a request was outstanding.
FailureKind ClassifyStreamError(int error);
// The server's FIN while a request was outstanding and its response not complete.
FailureKind ClassifyEof(bool connection_served_before, bool response_started);

// One failed request, for the list of the first few.
struct Failure {
  Duration at{0};                            // since the start of the run
  Duration connection_age{0};                // zero if it never opened
  std::uint64_t requests_on_connection = 0;  // this one included
  FailureKind kind = FailureKind::kOther;
  int error = 0;  // errno, 0 if there was none
  std::string text;
};

}  // namespace slc::load
