#include "tests/faults/home_state.h"

#include <filesystem>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json.h"

namespace slc::test {
namespace {

namespace fs = std::filesystem;

std::string Lines(const std::set<std::string>& services) {
  std::string text;
  for (const std::string& each : services) text += each + "\n";
  return text;
}

}  // namespace

HomeState::HomeState(World& world) : world_(world) {
  for (const ServiceView& view : world_.Views()) base_[view.name] = view.generation;
}

std::string HomeState::Shown() const {
  std::set<std::string> services;
  for (ServiceView& view : world_.Views()) {
    const auto base = base_.find(view.name);
    // Facts of the moment are no state.
    ServiceView wish;
    wish.name = view.name;
    wish.directory = view.directory;
    wish.script = view.script;
    wish.wanted = view.wanted;
    wish.size = view.size;
    wish.generation = view.generation - (base == base_.end() ? 0 : base->second);
    wish.port = view.port;
    wish.environment = view.environment;
    wish.run_as = view.run_as;
    services.insert("shown: " + ToJson(wish).dump());
  }
  return Lines(services);
}

std::string HomeState::Recorded() const {
  std::set<std::string> services;
  for (const auto& entry : fs::directory_iterator(world_.home() + "/services")) {
    if (entry.path().extension() != ".json") continue;
    auto file = nlohmann::json::parse(ReadText(entry.path()), nullptr, false);
    REQUIRE_MESSAGE(file.is_object(), entry.path().string());
    nlohmann::json& wish = file.at("wish");
    for (const char* growing : {"id", "order", "last_request"}) wish.erase(growing);
    const auto base = base_.find(wish.at("spec").at("name").get<std::string>());
    if (base != base_.end()) {
      wish["generation"] = wish.at("generation").get<Generation>() - base->second;
    }
    services.insert("recorded: " + wish.dump());
  }
  return Lines(services);
}

}  // namespace slc::test
