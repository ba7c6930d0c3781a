// Waiting, texts and files: what every test needs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/time.h"

namespace slc::test {

using Words = std::vector<std::string>;

// A variable of the environment, "" if it is not set.
std::string Variable(const char* name);

// Asks until `condition` is true. Fails the test, naming `what`, when `deadline` ms have passed or,
// if given, when `hopeless` says that it will never be. Returns how long it took.
Millis WaitUntil(const std::function<bool()>& condition, Millis deadline, const std::string& what);

std::string ReadText(const std::string& path);                     // "" if there is no such file
void WriteText(const std::string& path, const std::string& text);  // makes missing folders
bool Exists(const std::string& path);
std::string SourcePath(const std::string& below);  // SourcePath("tests/apps/plain/server.js")
std::string BinaryPath(const std::string& name);   // BinaryPath("slc")
std::vector<std::string> LinesOf(const std::string& text);
bool Contains(const std::string& text, const std::string& part);
// A server that answers what it was given: {"argv", "execArgv", "cwd", "env", "pid", "version"}.
extern const char* const kMirror;

}  // namespace slc::test
