// Services, where slcd has come up without the config of a generation that is to run, as after a
// reboot, and makes it anew.
//
// What stands in the way is of the surroundings, since the wish was fit to be run before: a folder
// that is not mounted yet, a program that is missing, a right. So it is tried until it works.
#include <algorithm>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "common/base/backoff.h"
#include "common/base/log.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/wire/snapshot_format.h"
#include "daemon/generation_resolver.h"
#include "daemon/services.h"

namespace slc {

// It reads the app's folder, which may hang: that is done by the disk thread. A living master has
// the config already and needs none of ours.
void Services::Prepare(const Wish& wish) {
  ServiceOf(wish.id).preparing = true;
  auto outcome = std::make_shared<Result<UniqueFd>>(UniqueFd());
  disk_.Run(
      [wish, outcome] {
        auto config = ResolveGeneration(wish);
        auto memfd = config ? MakeMemfd("slc-config", DumpJson(ToJson(*config)))
                            : Result<int>(config.error());
        if (memfd) {
          *outcome = UniqueFd(*memfd);
        } else {
          *outcome = memfd.error();
        }
      },
      [this, id = wish.id, generation = wish.generation, outcome] {
        Prepared(id, generation, *outcome);
      });
}

void Services::Prepared(ServiceId id, Generation generation, Result<UniqueFd>& config) {
  const Wish* wish = registry_.Get(id);
  if (wish == nullptr) return;
  Service& service = ServiceOf(id);
  service.preparing = false;
  if (wish->generation != generation) return;
  if (config) {
    if (!service.trouble.empty()) {
      log::Info("service " + wish->spec.name + ": what kept it from being started is mended");
    }
    AddConfig(*wish, std::move(*config));
    Order(*wish);
  } else if (IsNeeded(*wish)) {
    TryLater(*wish, config.error().message);
  } else {
    EndTrying(service);
  }
  events_.on_prepared(id);
}

void Services::TryLater(const Wish& wish, const std::string& trouble) {
  Service& service = ServiceOf(wish.id);
  if (service.trouble != trouble) {
    log::Failure("service " + wish.spec.name + ": " + trouble + "; tried again until it works");
    JournalRecord record;
    record.kind = "master_failed";
    record.text = trouble + "; tried again until it works";
    events_.on_record(wish.id, std::move(record));
  }
  service.trouble = trouble;
  // Soon at first, since a boot is over in seconds, and then seldom enough to cost nothing.
  constexpr Millis kFirst = 1'000;
  constexpr Millis kLongest = 30'000;
  const Millis pause = BackoffPause(kFirst, kLongest, ++service.tries);
  service.again_at = loop_.now() + pause;
  if (!service.again) {
    service.again = std::make_unique<uv::Timer>(loop_, [this, id = wish.id] { PrepareAgain(id); });
  }
  service.again->StartIn(pause);
}

void Services::PrepareAgain(ServiceId id) {
  const Wish* wish = registry_.Get(id);
  if (wish == nullptr) return;
  if (!IsNeeded(*wish)) return EndTrying(ServiceOf(id));
  Prepare(*wish);
}

// It may have been stopped meanwhile, or found a master that has the config.
bool Services::IsNeeded(const Wish& wish) {
  return wish.run && !wish.removing && !stopping_ &&
         !ServiceOf(wish.id).instance->has_config(wish.generation);
}

void Services::EndTrying(Service& service) {
  service.trouble.clear();
  service.tries = 0;
  if (service.again) service.again->Stop();
}

std::string Services::NextTry(const Service& service) const {
  if (service.preparing) return "; trying again now";
  return "; next try in " + FormatSpan(std::max<Millis>(0, service.again_at - loop_.now()));
}

}  // namespace slc
