// What real Node workers have said on their channels: tests/node_versions/messages, written by
// tests/node_versions/record.
#pragma once

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "common/base/text.h"

namespace slc::testing {

inline const std::vector<int> kRecordedVersions{16, 18, 20, 22, 24};

// One worker: a small app, named, and its messages in their order, without '\n'.
struct RecordedWorker {
  std::string scenario;
  std::vector<std::string> messages;
};

inline std::vector<RecordedWorker> ReadRecording(int node_version) {
  const std::string path = std::string(SLC_SOURCE_DIR) + "/tests/node_versions/messages/node" +
                           std::to_string(node_version) + ".tsv";
  auto text = ReadFile(path, 1U << 20);
  REQUIRE_MESSAGE(text, path);
  std::vector<RecordedWorker> workers;
  for (const std::string& line : Split(*text, '\n')) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) continue;  // behind the last line
    const std::string scenario = line.substr(0, tab);
    if (workers.empty() || workers.back().scenario != scenario) workers.push_back({scenario, {}});
    workers.back().messages.push_back(line.substr(tab + 1));
  }
  return workers;
}

}  // namespace slc::testing
