// GenerationConfig: everything a worker of one generation is started with, resolved once (paths,
// `.env`, user ids) and then fixed. A crashed worker respawns with its own generation's config;
// only a restart, soft restart or deploy makes a new one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/model/code_facts.h"
#include "common/model/service.h"

namespace slc {

// What the fleet needs to know to judge and stop workers of a generation.
struct WorkerPolicy {
  Millis ready_timeout = 30000;
  Millis drain_timeout = 10000;
  Millis stop_timeout = 5000;
  Millis min_uptime = 10000;
  RestartPolicy restart = RestartPolicy::kAlways;
  std::optional<std::uint32_t> max_restarts;  // failures in a row; nothing: no limit
  // The sockets it serves on stay when a worker ends (--listen): a successor need not wait for it.
  bool sockets_stay = false;
  bool spare = false;

  bool operator==(const WorkerPolicy&) const = default;
};

struct GenerationConfig {
  Generation generation = 0;
  std::string service;                   // its name
  std::string program;                   // absolute path
  std::vector<std::string> arguments;    // argv without the agent; [0] included
  std::size_t agent_position = 0;        // where "--require AGENT" goes; 0: not a Node program
  std::vector<std::string> environment;  // "K=V", complete but for what differs per worker
  std::string working_directory;
  bool node = false;     // gets a cluster channel
  int inspect_port = 0;  // > 0: numbered per worker from here on
  bool has_run_as = false;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  std::vector<std::string> listen;  // see listen_address.h; paths are absolute
  Balance balance = Balance::kRr;
  Readiness readiness = Readiness::kListening;
  WorkerPolicy policy;
  WorkerLimits limits;
  bool compile_cache = true;
  Millis drain_linger = 500;
  int stop_signal = 15;
  unsigned file_mask = 022;  // umask
  LogFormat log_format = LogFormat::kText;
  std::uint64_t log_file_bytes = 10U << 20;
  std::uint32_t log_files = 10;
  CodeFacts code;  // when it was resolved; crashed workers are started with what is there then

  bool operator==(const GenerationConfig&) const = default;
};

}  // namespace slc
