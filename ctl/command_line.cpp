#include "ctl/command_line.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "common/base/text.h"
#include "common/base/version.h"
#include "common/http/url.h"
#include "common/model/shell_words.h"
#include "ctl/command_table.h"
#include "ctl/commands/commands.h"
#include "ctl/remote/remote_server.h"

namespace slc::ctl {
namespace {

// The command line of one command.
struct Input {
  const CommandInfo* command = nullptr;
  Words words;   // without the command's name
  Words behind;  // what stood after "--"
  bool help = false;
  Control control;  // as said in front of the verb
};

bool AsksForJson(const Words& words) {
  return std::find(words.begin(), words.end(), "--json") != words.end();
}

bool IsVerb(const CommandInfo& command) { return FindCommand(Verbs(), command.name) == &command; }

std::string FullName(const CommandInfo& command) {
  return std::string(IsVerb(command) ? "slc ctl " : "slc ") + command.name;
}

Printout UsageError(const std::string& where, const std::string& message, bool json) {
  const bool question = !message.empty() && message.back() == '?';
  return Printout{where + ": " + message + (question ? " Try '" : "; try '") + where + " --help'",
                  true, json};
}

std::string HelpText(const CommandInfo& command, const OptionParser& options) {
  std::string text = "usage: " + FullName(command) + " [options]";
  if (command.operands[0] != '\0') text += std::string(" ") + command.operands;
  text += "\n\n" + std::string(command.summary) + "\n" + command.details;
  return text + "\nOptions:\n" + options.Help() + "  --help                      This text.\n";
}

// Null if the command knows of no other slcd than ours.
const Control* ControlOf(const Command& command) {
  return std::visit(
      [](const auto& options) -> const Control* {
        if constexpr (requires { options.control; }) {
          return &options.control;
        } else {
          return nullptr;
        }
      },
      command);
}

// What a command without such an option was told of a slcd elsewhere; empty: nothing.
std::string ElsewhereOf(const Input& input) {
  if (input.command->here_only[0] == '\0' || input.command->takes_socket) return {};
  const Words& words = input.words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    constexpr std::string_view kLong = "--control=";
    if (StartsWith(words[i], kLong)) return words[i].substr(kLong.size());
    const bool given = words[i] == "-C" || words[i] == "--control";
    if (given) return i + 1 < words.size() ? words[i + 1] : words[i];
  }
  return input.control.at;
}

std::string NotThere(const CommandInfo& command, const std::string& place) {
  const auto url = http::ParseUrl(place);
  // What is no URL may hold a password all the same.
  const std::string shown = url ? " " + url->shown() : "";
  return "not with -C" + shown + ": " + command.here_only;
}

std::variant<Command, Printout> Finish(const Input& input) {
  const CommandInfo& command = *input.command;
  Plan plan = command.plan(Surroundings{input.control, input.behind});
  if (input.help) return Printout{HelpText(command, plan.options)};
  const std::string where = FullName(command);
  const bool json = input.control.json || AsksForJson(input.words);
  if (const std::string url = ElsewhereOf(input); !url.empty()) {
    return UsageError(where, NotThere(command, url), json);
  }
  Words operands;
  if (Status parsed = plan.options.Parse(input.words, operands); !parsed) {
    return UsageError(where, parsed.error().message, json);
  }
  if (!command.passes_on) operands.insert(operands.end(), input.behind.begin(), input.behind.end());
  if (operands.size() < command.least) {
    return UsageError(where, std::string("missing argument: ") + where + " " + command.operands,
                      json);
  }
  if (operands.size() > command.most) {
    std::string message =
        "too many arguments, '" + Printable(operands[command.most]) + "' has no place";
    if (command.passes_on) message += "; what is for the app itself comes after '--'";
    return UsageError(where, message, json);
  }
  auto made = plan.make(operands);
  if (!made) return UsageError(where, made.error().message, json);
  if (const Control* control = ControlOf(*made)) {
    if (command.here_only[0] != '\0' && IsRemote(*control)) {
      return UsageError(where, NotThere(command, control->at), json);
    }
    if (Status good = CheckControl(*control); !good) {
      return UsageError(where, good.error().During("-C").message, json);
    }
  }
  return std::move(*made);
}

bool IsHelp(const std::string& word) { return word == "--help" || word == "-h"; }
bool IsVersion(const std::string& word) {
  return word == "--version" || word == "-V" || word == "-v";
}

// Takes away what stands after "--", and the wish for help in front of it.
void Cut(Input& input) {
  const auto mark = std::find(input.words.begin(), input.words.end(), "--");
  if (mark != input.words.end()) {
    input.behind.assign(mark + 1, input.words.end());
    input.words.erase(mark, input.words.end());
  }
  input.help = std::erase_if(input.words, IsHelp) > 0;
  if (!input.command->takes_numbers) return;
  const auto is_number = [](const std::string& word) {
    return word.size() > 1 && word[0] == '-' && word[1] >= '0' && word[1] <= '9';
  };
  std::copy_if(input.words.begin(), input.words.end(), std::back_inserter(input.behind), is_number);
  std::erase_if(input.words, is_number);
}

std::vector<std::string> Names(CommandTable table) {
  std::vector<std::string> names;
  for (const CommandInfo& command : table) {
    names.emplace_back(command.name);
    if (command.alias[0] != '\0') names.emplace_back(command.alias);
  }
  return names;
}

// Words separated by blanks.
bool HasWord(const std::string& words, const std::string& word) {
  const std::vector<std::string> all = Split(words, ' ');
  return std::find(all.begin(), all.end(), word) != all.end();
}

// What is probably meant by a word that is no command where it stands, as a question; empty if
// there is nothing like it. Of what is equally near that of `here` is meant.
std::string DidYouMeanCommand(const std::string& word, CommandTable here, CommandTable there) {
  const auto ask = [](const CommandInfo& command) {
    return "; did you mean '" + FullName(command) + "'?";
  };
  if (word.empty()) return {};
  if (const CommandInfo* command = FindCommand(there, word)) return ask(*command);
  for (const CommandTable table : {here, there}) {
    for (const CommandInfo& command : table) {
      if (HasWord(command.elsewhere, word)) return ask(command);
    }
  }
  std::vector<std::string> names = Names(here);
  const std::vector<std::string> others = Names(there);
  names.insert(names.end(), others.begin(), others.end());
  const std::string near = DidYouMean(word, names);
  if (near.empty()) return {};
  const CommandInfo* command = FindCommand(here, near);
  return ask(command != nullptr ? *command : *FindCommand(there, near));
}

// Takes an option of where slcd is, and its value, if one stands at `at`, and moves on behind it.
// False: there is none. An error: it has no value.
Result<bool> TakeControl(const Words& words, std::size_t& at, Control& control) {
  struct Named {
    std::string_view name;
    std::string* target;
  };
  const Named options[] = {{"-C", &control.at},
                           {"--control", &control.at},
                           {"--cacert", &control.ca},
                           {"--cert", &control.certificate},
                           {"--key", &control.key}};
  const std::string& word = words[at];
  for (const auto& [name, target] : options) {
    const bool is_long = name.size() > 2;
    const std::string begin = std::string(name) + (is_long ? "=" : "");
    if (word == name) {
      if (at + 1 == words.size() || words[at + 1].empty()) {
        return Error{ErrorCode::kUsage, "option " + word + " needs a value"};
      }
      *target = words[at + 1];
      at += 2;
      return true;
    }
    if (StartsWith(word, begin)) {
      *target = word.substr(begin.size());
      ++at;
      return true;
    }
  }
  return false;
}

std::variant<Command, Printout> ParseControl(const Words& words, const Control& control) {
  Input input;
  input.command = &kStatusCommand;
  input.control = control;
  std::size_t at = 0;
  // Options may stand in front of the verb.
  while (at < words.size() && words[at].size() > 1 && words[at][0] == '-' && words[at] != "--") {
    const std::string& word = words[at];
    if (IsVersion(word)) return Printout{std::string("slc ") + OwnVersion().text + "\n"};
    auto taken = TakeControl(words, at, input.control);
    if (!taken) return UsageError("slc ctl", taken.error().message, input.control.json);
    if (*taken) continue;
    if (IsHelp(word)) {
      input.help = true;
    } else if (word == "--json") {
      input.control.json = true;
    } else {
      break;  // an option of status, or a wrong one: its parser knows
    }
    ++at;
  }
  if (at == words.size() && input.help) return Printout{ControlHelpText()};
  if (at == words.size() || words[at][0] == '-') {
    input.words.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
    Cut(input);
    return Finish(input);
  }
  std::string verb = words[at++];
  if (verb == "help") {
    if (at == words.size()) return Printout{ControlHelpText()};
    input.help = true;
    verb = words[at++];
  }
  input.command = FindCommand(Verbs(), verb);
  if (input.command == nullptr) {
    return UsageError(
        "slc ctl",
        "unknown command '" + Printable(verb) + "'" + DidYouMeanCommand(verb, Verbs(), Programs()),
        input.control.json || AsksForJson(words));
  }
  const bool help = input.help;
  input.words.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  Cut(input);
  input.help = input.help || help;
  return Finish(input);
}

}  // namespace

std::variant<Command, Printout> ParseCommandLine(const std::vector<std::string>& arguments) {
  Words words = arguments;
  if (words.empty()) return Printout{OverviewText()};
  if (IsVersion(words[0])) return Printout{std::string("slc ") + OwnVersion().text + "\n"};
  if (words[0] == "help" || IsHelp(words[0])) {
    // `slc help VERB` is `slc VERB --help`.
    words.erase(words.begin());
    if (words.empty()) return Printout{OverviewText()};
    words.push_back("--help");
  }
  const bool json = AsksForJson(words);
  Control control;
  std::size_t at = 0;
  while (at < words.size()) {
    auto taken = TakeControl(words, at, control);
    if (!taken) return UsageError("slc", taken.error().message, json);
    if (!*taken) break;
  }
  words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at));
  if (words.empty()) return UsageError("slc", "a command is missing", json);
  if (words[0].size() > 1 && words[0][0] == '-') {
    return UsageError("slc", "unknown option '" + Printable(words[0]) + "'", json);
  }
  const CommandInfo* command = FindCommand(Programs(), words[0]);
  if (command == nullptr) {
    return UsageError("slc",
                      "unknown command '" + Printable(words[0]) + "'" +
                          DidYouMeanCommand(words[0], Programs(), Verbs()),
                      json);
  }
  words.erase(words.begin());
  if (command->plan == nullptr) return ParseControl(words, control);
  Input input;
  input.command = command;
  input.words = std::move(words);
  input.control = control;
  Cut(input);
  return Finish(input);
}

}  // namespace slc::ctl
