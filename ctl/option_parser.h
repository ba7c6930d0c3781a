// OptionParser: the options of one command. Only the asked-for command's are built: that of all of
// them would cost every `slc ctl ls` more than its work.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace CLI {
class App;
}

namespace slc::ctl {

using Words = std::vector<std::string>;

class OptionParser {
 public:
  OptionParser();
  ~OptionParser();
  OptionParser(OptionParser&&) noexcept;
  OptionParser& operator=(OptionParser&&) noexcept;

  // What `take` refuses is reported with the option's name. `name` is "-f,--follow" or "--err",
  // `kind` what stands for the value in the help. Targets outlive Parse().
  using Take = std::function<Status(const std::string&)>;

  void Flag(const std::string& name, const std::string& help, bool& target);
  void Flag(const std::string& name, const std::string& help, std::function<void()> take);
  // Called once with the last value given.
  void Value(const std::string& name, const std::string& kind, const std::string& help, Take take);
  void Text(const std::string& name, const std::string& kind, const std::string& help,
            std::string& target);
  // As Text(), of which the help of the command says nothing.
  void Hidden(const std::string& name, std::string& target);
  // Called once per use of the option.
  void Values(const std::string& name, const std::string& kind, const std::string& help, Take take);

  // What is no option goes to `operands`, in order. kUsage: what is wrong.
  Status Parse(Words words, Words& operands);

  // One line per option.
  std::string Help() const;

 private:
  struct Taker {
    std::string name;
    std::unique_ptr<Words> values;
    Take take;
  };
  enum class Repeated { kLastCounts, kAllCount };

  void Add(const std::string& name, const std::string& kind, const std::string& help,
           Repeated repeated, Take take);
  Error Unknown(const std::string& word) const;

  std::unique_ptr<CLI::App> app_;
  std::vector<Taker> takers_;
};

}  // namespace slc::ctl
