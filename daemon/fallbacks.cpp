#include "daemon/fallbacks.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/base/log.h"
#include "common/base/process.h"
#include "daemon/generation_resolver.h"

namespace slc {

void Fallbacks::TakeUp(ServiceId id) {
  services_.Follow(id);
  Settle(id);
}

void Fallbacks::Settle(ServiceId id) {
  const Fallback* known = registry_.GetFallback(id);
  const Wish* wish = registry_.Get(id);
  if (known == nullptr || known->settled || wish == nullptr) return;
  const InstanceHandle& instance = services_.InstanceOf(id);
  std::optional<FleetWish> obeyed;
  if (instance.has_master()) {
    if (instance.in_charge()) obeyed = instance.followed();
    if (!obeyed) return;
  }
  Fallback settled = *known;
  settled.settled = true;
  registry_.Know(settled);
  Wish caught_up = *wish;
  if (obeyed) caught_up = CatchUp(std::move(caught_up), *obeyed, UsableCpus());
  const bool raised = caught_up.order != wish->order;
  registry_.Commit(caught_up);
  if (raised) Record(caught_up);
  const auto runs = obeyed ? instance.ReadConfig(obeyed->generation) : std::nullopt;
  if (runs) Compare(caught_up, *runs);
  services_.GoOn(caught_up);
}

void Fallbacks::Record(const Wish& wish) {
  log::Info("service " + wish.spec.name + ": its master obeys a later order than is on record; " +
            "goes on with order " + std::to_string(wish.order) + ", generation " +
            std::to_string(wish.generation));
  recorder_.Do(
      wish.id,
      [&store = store_, wish](Recorder::Stage& stage) {
        stage = "recording what its master obeys";
        return store.Save(wish);
      },
      [this, id = wish.id](const Status& status) {
        // It is in force all the same.
        if (!status) recorder_.Owe(id);
      });
}

// Resolving reads the app's folder, which may hang.
void Fallbacks::Compare(const Wish& wish, GenerationConfig runs) {
  auto differs = std::make_shared<std::string>();
  disk_.Run(
      [wish, runs = std::move(runs), differs] {
        const auto recorded = ResolveGeneration(wish);
        // A folder that is gone is told by the start that needs it.
        if (recorded) *differs = DescribeDifference(runs, *recorded);
      },
      [this, id = wish.id, differs] {
        const Fallback* known = registry_.GetFallback(id);
        if (known == nullptr || differs->empty()) return;
        Fallback compared = *known;
        compared.differs = *differs;
        registry_.Know(compared);
      });
}

}  // namespace slc
