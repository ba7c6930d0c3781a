#include "common/model/shell_words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "common/base/text.h"

namespace slc {
namespace {

constexpr std::string_view kShellWork = "&|;<>()$`*?[]{}#!\n\r";

// Node's options whose value may stand in the next word. Options of V8 take theirs only after '='.
constexpr std::array<std::string_view, 51> kTakesValue{
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--env-file",
    "--env-file-if-exists",
    "--icu-data-dir",
    "--openssl-config",
    "--title",
    "--inspect-port",
    "--debug-port",
    "--inspect-publish-uid",
    "--input-type",
    "--experimental-default-type",
    "--disable-warning",
    "--redirect-warnings",
    "--diagnostic-dir",
    "--heapsnapshot-signal",
    "--heapsnapshot-near-heap-limit",
    "--report-dir",
    "--report-directory",
    "--report-filename",
    "--report-signal",
    "--trace-event-categories",
    "--trace-event-file-pattern",
    "--trace-require-module",
    "--tls-cipher-list",
    "--tls-keylog",
    "--tls-min-v1.0",
    "--unhandled-rejections",
    "--dns-result-order",
    "--max-http-header-size",
    "--network-family-autoselection-attempt-timeout",
    "--secure-heap",
    "--secure-heap-min",
    "--snapshot-blob",
    "--es-module-specifier-resolution",
    "--experimental-specifier-resolution",
    "--localstorage-file",
    "--v8-pool-size",
    "--allow-fs-read",
    "--allow-fs-write",
    "--cpu-prof-dir",
    "--cpu-prof-name",
    "--cpu-prof-interval",
    "--heap-prof-dir",
    "--heap-prof-name",
    "--experimental-config-file",
};

// With these Node does something else than run the script that follows, or runs it in a child of
// its own that we could neither reach nor drain (--watch).
constexpr std::array<std::string_view, 23> kNotAnApp{
    "-e",
    "--eval",
    "-p",
    "--print",
    "-pe",
    "-c",
    "--check",
    "-i",
    "--interactive",
    "-h",
    "--help",
    "-v",
    "--version",
    "--v8-options",
    "--test",
    "--run",
    "--watch",
    "--watch-path",
    "--build-snapshot",
    "--experimental-sea-config",
    "--prof-process",
    "--completion-bash",
    "--build-sea",
};

template <std::size_t N>
bool Contains(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// NAME=VALUE as a shell takes it in front of a command.
bool IsAssignment(const std::string& word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  if (std::isdigit(static_cast<unsigned char>(word[0])) != 0) return false;
  return std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  });
}

bool IsNode(const std::string& word) {
  if (word == "node" || word == "nodejs") return true;
  return !word.empty() && word[0] == '/' && EndsWith(word, "/node");
}

using Words = std::vector<std::string>;

bool ReadFlags(const Words& words, std::size_t& at, NodeCall& call) {
  for (; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word == "--") {
      ++at;
      return true;
    }
    if (word.empty() || word[0] != '-') return true;
    if (word == "-") return false;  // a program from standard input
    const std::string name = word.substr(0, word.find('='));
    if (Contains(kNotAnApp, name)) return false;
    call.node_arguments.push_back(word);
    if (name.size() == word.size() && Contains(kTakesValue, name)) {
      if (++at == words.size()) return false;
      call.node_arguments.push_back(words[at]);
    }
  }
  return true;
}

// `depth` bounds cross-env-shell "cross-env-shell ...".
std::optional<NodeCall> ParseCall(const std::string& command, int depth) {
  constexpr int kMostDepth = 4;
  const auto words = SplitWords(command);
  if (!words || depth > kMostDepth) return std::nullopt;
  NodeCall call;
  std::size_t at = 0;
  for (; at < words->size() && !IsNode((*words)[at]); ++at) {
    const std::string& word = (*words)[at];
    if (IsAssignment(word)) {
      const std::size_t equals = word.find('=');
      call.environment[word.substr(0, equals)] = word.substr(equals + 1);
    } else if (word == "cross-env-shell" && at + 1 < words->size()) {
      // What follows is a command line again: K=V words, then one quoted word or several plain
      // ones.
      std::size_t rest = at + 1;
      for (; rest < words->size() && IsAssignment((*words)[rest]); ++rest) {
        const std::size_t equals = (*words)[rest].find('=');
        call.environment[(*words)[rest].substr(0, equals)] = (*words)[rest].substr(equals + 1);
      }
      const Words tail(words->begin() + static_cast<std::ptrdiff_t>(rest), words->end());
      auto inner = ParseCall(Join(tail, " "), depth + 1);
      if (!inner) return std::nullopt;
      inner->environment.merge(call.environment);
      return inner;
    } else if (word != "exec" && word != "env" && word != "cross-env") {
      return std::nullopt;
    }
  }
  if (at == words->size()) return std::nullopt;
  if ((*words)[at][0] == '/') call.node = (*words)[at];
  ++at;
  if (!ReadFlags(*words, at, call) || at == words->size()) return std::nullopt;
  call.script = (*words)[at++];
  if (call.script.empty() || call.script == "inspect") return std::nullopt;  // node's own debugger
  call.arguments.assign(words->begin() + static_cast<std::ptrdiff_t>(at), words->end());
  return call;
}

}  // namespace

std::optional<std::vector<std::string>> SplitWords(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ' || c == '\t') {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else if (c == '\'') {
      const std::size_t end = text.find('\'', i + 1);
      if (end == std::string::npos) return std::nullopt;
      word += text.substr(i + 1, end - i - 1);
      in_word = true;
      i = end;
    } else if (c == '"') {
      in_word = true;
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '$' || text[i] == '`') return std::nullopt;
        const bool escapes = text[i] == '\\' && i + 1 < text.size() &&
                             std::string_view("$`\"\\").find(text[i + 1]) != std::string_view::npos;
        if (escapes) ++i;
        word += text[i];
      }
      if (i >= text.size()) return std::nullopt;
    } else if (c == '\\') {
      if (++i >= text.size() || text[i] == '\n') return std::nullopt;
      word += text[i];
      in_word = true;
    } else if (kShellWork.find(c) != std::string_view::npos || (c == '~' && !in_word)) {
      return std::nullopt;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

std::optional<NodeCall> ParseNodeCall(const std::string& command) { return ParseCall(command, 0); }

}  // namespace slc
