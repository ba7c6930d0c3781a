// Small text helpers used everywhere. All are pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slc {

// A whole decimal number (optional '-') within [low, high]; nothing else counts.
std::optional<std::int64_t> ParseInteger(std::string_view text, std::int64_t low,
                                         std::int64_t high);

std::vector<std::string> Split(std::string_view text, char separator);
std::string Join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view Trim(std::string_view text);
bool StartsWith(std::string_view text, std::string_view prefix);
bool EndsWith(std::string_view text, std::string_view suffix);

// `text` safe to show on a terminal: control bytes as \xNN (tab is kept), so that a log line or a
// name cannot move the cursor, set the clipboard or hide text.
std::string Printable(std::string_view text);

// How many bytes at the start of `text`, which is not empty, form one well-formed UTF-8 character;
// 0 if they do not (overlong forms, surrogates and what lies beyond U+10FFFF are not well-formed
// either).
std::size_t Utf8CharacterSize(std::string_view text);

// The candidate nearest to `word` by edit distance, if near enough to be a typing slip; else empty.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);

// "412 MiB"; below 10 MiB "9216 KiB".
std::string FormatBytes(std::uint64_t bytes);

// "SIGTERM" for 15; "signal 77" for what has no name.
std::string SignalName(int signal);
// "TERM", "SIGTERM" or "15", in either case; nothing if there is no such signal.
std::optional<int> SignalFromName(std::string_view name);

// "exit code 3", "killed by SIGKILL (signal 9)", from a wait status as waitpid gives it.
std::string DescribeWaitStatus(int status);

}  // namespace slc
