// Result<T>: a value or an Error, the project's way to report expected failures.
//
// Exceptions come only from nlohmann/json and are turned into an Error where JSON is read. An Error
// carries a code for programs (stable, part of the control protocol) and a message for people.
// Context is added on the way up: `return result.error().During("bind 0.0.0.0:80")`.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace slc {

// Stable names: they travel in the control protocol and in `--json` output (see ErrorCodeName).
enum class ErrorCode {
  kInternal,     // a bug or an unexpected answer of the system
  kSystem,       // a system call failed; the message carries its reason
  kUsage,        // the request is malformed
  kInvalid,      // the request is well formed but asks for something not allowed
  kNotFound,     // no such service, file, user, ...
  kConflict,     // clashes with something that exists or is under way
  kUnreachable,  // the daemon or the master does not answer
  kTimeout,      // did not happen in time
  kNotReady,     // a worker did not come up
  kStorage,      // the wish could not be made durable
  kPermission,   // not allowed to this user
  kCancelled,    // overtaken by a later request
  kProtocol,     // the peer broke the protocol or speaks another version
};

// "not_found" etc.; never empty.
const char* ErrorCodeName(ErrorCode code);
// The inverse; unknown names become kInternal.
ErrorCode ErrorCodeFromName(const std::string& name);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  // The same error with "<what>: " in front: outermost context first.
  Error During(const std::string& what) const { return Error{code, what + ": " + message}; }
};

// An Error{kSystem} whose message is "<what>: <strerror(errno_value)>".
Error SystemError(const std::string& what, int errno_value);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Each requires the matching state.
  T& value() { return std::get<0>(state_); }
  const T& value() const { return std::get<0>(state_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

// Success without a value.
struct Done {};
using Status = Result<Done>;
inline Status Ok() { return Done{}; }

}  // namespace slc
