#include "tests/system/harness/basics.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include "common/base/process.h"
#include "common/base/text.h"

#ifndef SLC_SOURCE_DIR
#error "SLC_SOURCE_DIR: where the source tree is"
#endif

namespace slc::test {
namespace {

namespace fs = std::filesystem;

}  // namespace

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

Millis WaitUntil(const std::function<bool()>& condition, Millis deadline, const std::string& what) {
  const Millis start = BootNow();
  for (Millis pause = 1;; pause = std::min<Millis>(pause * 2, 20)) {
    if (condition()) return BootNow() - start;
    if (BootNow() - start >= deadline) {
      FAIL("waited ", deadline, " ms in vain for: ", what);
    }
    ::poll(nullptr, 0, static_cast<int>(pause));
  }
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteText(const std::string& path, const std::string& text) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) FAIL("cannot write ", path);
}

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string SourcePath(const std::string& below) {
  const std::string set = Variable("SLC_SOURCE");
  return (set.empty() ? std::string(SLC_SOURCE_DIR) : set) + "/" + below;
}

std::string BinaryPath(const std::string& name) {
  const std::string set = Variable("SLC_BIN");
  std::string path = (set.empty() ? OwnDirectory() : set) + "/" + name;
  if (::access(path.c_str(), X_OK) != 0)
    FAIL("the binary ", path, " is missing; SLC_BIN names its folder");
  return path;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines = Split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  for (std::string& line : lines) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
  }
  return lines;
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const char* const kMirror =
    "require('http').createServer((request, response) => response.end(JSON.stringify({\n"
    "  argv: process.argv.slice(2), execArgv: process.execArgv, cwd: process.cwd(),\n"
    "  env: process.env, pid: process.pid, version: process.version,\n"
    "}))).listen(process.env.PORT);\n";

}  // namespace slc::test
