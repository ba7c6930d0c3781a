// Command: what slc knows about one of its commands. Each is declared in the file under commands/
// that carries it out: name, help, options, how the words become a struct, what happens, and what
// is printed.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/base/result.h"
#include "ctl/option_parser.h"
#include "ctl/options.h"

namespace slc::ctl {

// What came with the words of a command but not among them.
struct Surroundings {
  Control control;  // as said in front of the verb
  Words app;        // behind "--", if that goes to the app
};

// The options of a command, and how to make its struct once they and the operands are read. There
// are as many operands as the command declares.
struct Plan {
  OptionParser options;
  std::function<Result<Command>(const Words& operands)> make;
};

inline constexpr std::size_t kAnyNumber = 1U << 20;

struct CommandInfo {
  const char* name;
  const char* alias = "";      // another name
  const char* elsewhere = "";  // its names in other tools: who types one is told ours
  const char* operands = "";   // as shown: "SVC K=V..."
  std::size_t least = 0;       // number of operands
  std::size_t most = 0;
  const char* summary;         // one line
  const char* details = "";    // more lines for its own help
  bool passes_on = false;      // what is behind "--" is for the app, not operands
  bool takes_numbers = false;  // "-1" is an operand, not an option
  // Not for a slcd on another machine: why, and what to do instead.
  const char* here_only = "";
  bool takes_socket = false;  // though it is: -C with a unix socket of this machine is known to it
  // Null: it has verbs, and those have plans.
  Plan (*plan)(const Surroundings& around);
};

// Plan of a command whose struct `T` has `control`.
template <typename T>
class Verb {
 public:
  explicit Verb(const Surroundings& around) : value_(std::make_shared<T>()) {
    Control& control = value_->control;
    control = around.control;
    plan_.options.Text("-C,--control", "URL",
                       "The slcd there, or at this unix socket: see slc ctl --help.", control.at);
    plan_.options.Hidden("--cacert", control.ca);
    plan_.options.Hidden("--cert", control.certificate);
    plan_.options.Hidden("--key", control.key);
    plan_.options.Flag("--json", "Print one JSON value instead of text.", control.json);
  }

  OptionParser& options() { return plan_.options; }
  // Lives as long as the plan.
  T& value() { return *value_; }

  void AddNoWait() {
    plan_.options.Flag("--no-wait", "Do not wait until it has happened.",
                       [&value = *value_] { value.wait = false; });
  }

  // `fill` reads the operands into the struct.
  Plan Make(std::function<Status(T&, const Words&)> fill) && {
    plan_.make = [value = value_, fill = std::move(fill)](const Words& operands) {
      Status good = fill(*value, operands);
      return good ? Result<Command>(*value) : Result<Command>(good.error());
    };
    return std::move(plan_);
  }

 private:
  Plan plan_;
  std::shared_ptr<T> value_;
};

template <typename T>
Status NoOperands(T& /*options*/, const Words& /*operands*/) {
  return Ok();
}

// Of the form SVC ...
template <typename T>
Status TakeService(T& options, const Words& operands) {
  if (operands[0].empty()) return Error{ErrorCode::kUsage, "SVC must not be empty"};
  options.service = operands[0];
  return Ok();
}

// Of the form [SVC]
template <typename T>
Status TakeServiceIfAny(T& options, const Words& operands) {
  return operands.empty() ? Ok() : TakeService(options, operands);
}

}  // namespace slc::ctl
