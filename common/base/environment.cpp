#include "common/base/environment.h"

#include <unistd.h>

#include <cctype>

#include "common/base/text.h"

namespace slc {
namespace {

// Reads a quoted value that starts at text[at] (the quote); leaves `at` behind the closing quote.
Result<std::string> ReadQuoted(const std::string& text, std::size_t& at) {
  const char quote = text[at++];
  std::string value;
  while (at < text.size() && text[at] != quote) {
    if (quote == '"' && text[at] == '\\' && at + 1 < text.size()) {
      ++at;
      switch (text[at]) {
        case 'n':
          value += '\n';
          break;
        case 't':
          value += '\t';
          break;
        case 'r':
          value += '\r';
          break;
        case '"':
        case '\\':
          value += text[at];
          break;
        default:
          value += '\\';
          value += text[at];
      }
    } else {
      value += text[at];
    }
    ++at;
  }
  if (at >= text.size()) return Error{ErrorCode::kInvalid, "a quote is not closed"};
  ++at;
  return value;
}

std::size_t EndOfLine(const std::string& text, std::size_t at) {
  const std::size_t end = text.find('\n', at);
  return end == std::string::npos ? text.size() : end;
}

}  // namespace

Status CheckVariable(const std::string& name, const std::string& value) {
  if (name.empty()) return Error{ErrorCode::kInvalid, "a variable's name must not be empty"};
  if (name.find('=') != std::string::npos || name.find('\0') != std::string::npos) {
    return Error{ErrorCode::kInvalid,
                 "'" + Printable(name) + "' is no name for a variable: it holds '=' or NUL"};
  }
  if (value.find('\0') != std::string::npos) {
    return Error{ErrorCode::kInvalid, "the value of " + Printable(name) + " holds a NUL byte"};
  }
  return Ok();
}

Result<std::pair<std::string, std::string>> ParseAssignment(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Error{ErrorCode::kUsage, "'" + Printable(text) + "' is not of the form NAME=VALUE"};
  }
  return std::make_pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<Environment> ParseDotEnv(const std::string& text) {
  Environment variables;
  std::size_t at = 0;
  int line_number = 0;
  while (at < text.size()) {
    ++line_number;
    const std::size_t end = EndOfLine(text, at);
    const std::string_view line = Trim(std::string_view(text).substr(at, end - at));
    if (line.empty() || line[0] == '#') {
      at = end + 1;
      continue;
    }
    std::size_t equals = text.find('=', at);
    if (equals == std::string::npos || equals > end) {
      return Error{ErrorCode::kInvalid,
                   "line " + std::to_string(line_number) + " is not of the form NAME=VALUE"};
    }
    std::string_view name = Trim(std::string_view(text).substr(at, equals - at));
    if (StartsWith(name, "export ")) name = Trim(name.substr(7));
    std::size_t value_at = equals + 1;
    while (value_at < end && (text[value_at] == ' ' || text[value_at] == '\t')) ++value_at;
    std::string value;
    if (value_at < end &&
        (text[value_at] == '"' || text[value_at] == '\'' || text[value_at] == '`')) {
      auto quoted = ReadQuoted(text, value_at);
      if (!quoted) return quoted.error().During("line " + std::to_string(line_number));
      value = *quoted;
      for (const char c : value) line_number += c == '\n' ? 1 : 0;
      at = EndOfLine(text, value_at) + 1;
    } else {
      std::string_view raw = std::string_view(text).substr(value_at, end - value_at);
      value = Trim(raw.substr(0, raw.find('#')));
      at = end + 1;
    }
    if (Status good = CheckVariable(std::string(name), value); !good) {
      return good.error().During("line " + std::to_string(line_number));
    }
    variables[std::string(name)] = value;
  }
  return variables;
}

std::vector<std::string> ToBlock(const Environment& environment) {
  std::vector<std::string> block;
  block.reserve(environment.size());
  for (const auto& [name, value] : environment) block.push_back(name + "=" + value);
  return block;
}

Environment OwnEnvironment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos && equals > 0) {
      environment[text.substr(0, equals)] = text.substr(equals + 1);
    }
  }
  return environment;
}

Environment TestVariables(const Environment& own) {
  Environment environment;
  for (const auto& [name, value] : own) {
    if (EndsWith(name, "SAN_OPTIONS") || StartsWith(name, "SLC_TEST_")) environment[name] = value;
  }
  const auto library = own.find("SLC_TEST_PRELOAD");
  if (library != own.end()) environment["LD_PRELOAD"] = library->second;
  return environment;
}

std::vector<std::string> SanitizerOptions() { return ToBlock(TestVariables(OwnEnvironment())); }

}  // namespace slc
