#include "daemon/master/generation_configs.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/wire/link.h"
#include "common/wire/snapshot_format.h"

namespace slc {
namespace {

Result<GenerationConfig> ReadConfig(int memfd) {
  auto text = ReadMemfd(memfd);
  if (!text) return text.error();
  auto parsed = ParseJson(*text);
  if (!parsed) return parsed.error();
  GenerationConfig config;
  if (Status read = FromJson(*parsed, config); !read) return read.error();
  return config;
}

}  // namespace

const GenerationConfig* GenerationConfigs::Add(UniqueFd memfd) {
  auto config = ReadConfig(memfd.get());
  if (!config) {
    log::Failure("a generation's config is unreadable: " + config.error().message);
    return nullptr;
  }
  const Generation generation = config->generation;
  auto entry = entries_.find(generation);
  if (entry == entries_.end()) {
    entry = entries_.emplace(generation, Entry{std::move(*config), std::move(memfd)}).first;
  }
  // A known one too: a new daemon that has resolved it again has given its own away.
  safekeeping_.Store({link::ConfigName(generation), entry->second.memfd.get()});
  return &entry->second.config;
}

const GenerationConfig* GenerationConfigs::Find(Generation generation) const {
  const auto found = entries_.find(generation);
  return found == entries_.end() ? nullptr : &found->second.config;
}

const GenerationConfig& GenerationConfigs::Of(const FleetState& fleet, WorkerId worker) const {
  static const GenerationConfig kDefaults;
  const auto found = fleet.workers.find(worker);
  if (found == fleet.workers.end()) return kDefaults;
  const GenerationConfig* config = Find(found->second.generation);
  return config == nullptr ? kDefaults : *config;
}

void GenerationConfigs::DropOld(const std::vector<Generation>& live, Generation wished) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const bool needed =
        entry->first > wished || std::find(live.begin(), live.end(), entry->first) != live.end();
    if (needed) {
      ++entry;
      continue;
    }
    safekeeping_.Drop({link::ConfigName(entry->first)});
    entry = entries_.erase(entry);
  }
}

std::vector<KeptFd> GenerationConfigs::KeptFds() const {
  std::vector<KeptFd> kept;
  for (const auto& [generation, entry] : entries_) {
    kept.push_back({link::ConfigName(generation), entry.memfd.get()});
  }
  return kept;
}

}  // namespace slc
