// Services, where a generation is tried before it is rolled, and where one is to be as another was.
#include <nlohmann/json.hpp>

#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/wire/snapshot_format.h"
#include "daemon/services.h"

namespace slc {

std::optional<TrialStand> Services::StandOf(ServiceId id, Generation generation) {
  const InstanceHandle& instance = InstanceOf(id);
  if (!instance.knows_trials()) return std::nullopt;
  const InstanceState* state = instance.ReadState();
  return state == nullptr ? TrialStand{} : StandOfTrial(state->fleet, generation);
}

Status Services::AddConfigOf(const Wish& wish, Generation before) {
  auto config = InstanceOf(wish.id).ReadConfig(before);
  const std::string what = "the config of generation " + std::to_string(before);
  if (!config) return Error{ErrorCode::kNotFound, what + " is not known any more"};
  // A cgroup is one generation's: those who stay would have one, and those who come another with as
  // much again.
  if (config->limits.cpu_millis > 0) {
    return Error{ErrorCode::kInvalid, what + " has --cpus, for which it has a cgroup"};
  }
  config->generation = wish.generation;
  auto memfd = MakeMemfd("slc-config", DumpJson(ToJson(*config)));
  if (!memfd) return memfd.error().During("make " + what + " another one's");
  AddConfig(wish, UniqueFd(*memfd));
  Service& service = ServiceOf(wish.id);
  service.renumbered = wish.generation;
  service.same_as = before;
  return Ok();
}

}  // namespace slc
