#include "ctl/option_parser.h"

#include <algorithm>
#include <utility>

#include <CLI/CLI.hpp>

#include "common/base/text.h"
#include "common/model/shell_words.h"

namespace slc::ctl {
namespace {

// "--size: 1 required TEXT missing"
std::string MissingValue(const std::string& text) {
  const std::string option = text.substr(0, text.find(':'));
  return "option " + Printable(option) + " needs a value";
}

}  // namespace

OptionParser::OptionParser() : app_(std::make_unique<CLI::App>()) {
  app_->set_help_flag("");
  app_->allow_extras(true);  // operands, and what is wrong: we say it better
}
OptionParser::~OptionParser() = default;
OptionParser::OptionParser(OptionParser&&) noexcept = default;
OptionParser& OptionParser::operator=(OptionParser&&) noexcept = default;

void OptionParser::Flag(const std::string& name, const std::string& help, bool& target) {
  Flag(name, help, [&target] { target = true; });
}

void OptionParser::Flag(const std::string& name, const std::string& help,
                        std::function<void()> take) {
  app_->add_flag_function(
      name, [take = std::move(take)](std::int64_t) { take(); }, help);
}

void OptionParser::Value(const std::string& name, const std::string& kind, const std::string& help,
                         Take take) {
  Add(name, kind, help, Repeated::kLastCounts, std::move(take));
}

void OptionParser::Text(const std::string& name, const std::string& kind, const std::string& help,
                        std::string& target) {
  Value(name, kind, help, [&target](const std::string& text) {
    target = text;
    return Ok();
  });
}

void OptionParser::Hidden(const std::string& name, std::string& target) {
  Text(name, "FILE", "", target);
  app_->get_option(name)->group("");
}

void OptionParser::Values(const std::string& name, const std::string& kind, const std::string& help,
                          Take take) {
  Add(name, kind, help, Repeated::kAllCount, std::move(take));
}

void OptionParser::Add(const std::string& name, const std::string& kind, const std::string& help,
                       Repeated repeated, Take take) {
  auto values = std::make_unique<Words>();
  app_->add_option(name, *values, help)
      ->type_name(kind)
      ->type_size(1)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(repeated == Repeated::kLastCounts ? CLI::MultiOptionPolicy::TakeLast
                                                              : CLI::MultiOptionPolicy::TakeAll);
  takers_.push_back(Taker{name.substr(name.rfind(',') + 1), std::move(values), std::move(take)});
}

Status OptionParser::Parse(Words words, Words& operands) {
  std::reverse(words.begin(), words.end());
  try {
    app_->parse(words);
  } catch (const CLI::ArgumentMismatch& mismatch) {
    return Error{ErrorCode::kUsage, MissingValue(mismatch.what())};
  } catch (const CLI::ParseError& error) {
    return Error{ErrorCode::kUsage, Printable(error.what())};
  }
  for (const std::string& word : app_->remaining()) {
    if (word.size() >= 2 && word[0] == '-') return Unknown(word);
    operands.push_back(word);
  }
  for (const Taker& taker : takers_) {
    for (const std::string& value : *taker.values) {
      if (Status taken = taker.take(value); !taken) {
        return Error{ErrorCode::kUsage, taken.error().During(taker.name).message};
      }
    }
  }
  return Ok();
}

std::string OptionParser::Help() const {
  std::string text;
  for (const CLI::Option* option : std::as_const(*app_).get_options()) {
    if (option->get_group().empty()) continue;
    std::string left = "  " + option->get_name(false, true);
    if (const std::size_t comma = left.find(','); comma != std::string::npos) {
      left.insert(comma + 1, " ");
    }
    if (option->get_type_size() > 0) left += " " + option->get_type_name();
    constexpr std::size_t kColumn = 30;
    left = left.size() + 1 < kColumn ? left + std::string(kColumn - left.size(), ' ')
                                     : left + "\n" + std::string(kColumn, ' ');
    text += left + option->get_description() + "\n";
  }
  return text;
}

Error OptionParser::Unknown(const std::string& word) const {
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string> known;
  for (const CLI::Option* option : std::as_const(*app_).get_options()) {
    for (const std::string& each : option->get_lnames()) known.push_back("--" + each);
  }
  std::string message = "unknown option '" + Printable(name) + "'";
  const std::string near = DidYouMean(name, known);
  if (!near.empty()) message += "; did you mean '" + near + "'?";
  return Error{ErrorCode::kUsage, message};
}

}  // namespace slc::ctl
