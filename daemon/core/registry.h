// Registry: the wishes of all services, and what a client's request would make of them. Pure.
//
// A Propose call changes nothing: it returns the wish as it would be, or why not. slcd makes that
// durable and then calls Commit.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/model/service.h"
#include "daemon/core/fallback.h"
#include "daemon/core/quarantine.h"

namespace slc {

struct StartWish {  // what `slc start` asks for, see StartService of the control protocol
  ServiceSpec spec;
  std::optional<std::uint32_t> size;
  bool replace = false;
  std::vector<std::string> given;
};

// A wish as it would become, and what is to be said about it.
struct Proposal {
  Wish wish;
  bool changed = false;         // false: everything is as asked already
  bool new_generation = false;  // its config must be resolved
  // Of a new generation that is as an older one was: which. It takes over that one's config, as
  // long as the master has it, and its workers with it.
  Generation as_before = 0;
  std::vector<std::string> notes;
};

class Registry {
 public:
  // `root`: the daemon may start workers under other users.
  explicit Registry(bool root) : root_(root) {}

  // By name or id. kConflict if that is quarantined, kNotFound with the nearest name otherwise.
  Result<ServiceId> Find(const std::string& service) const;
  const Wish* Get(ServiceId id) const;
  const std::map<ServiceId, Wish>& wishes() const { return wishes_; }

  Result<Proposal> ProposeStart(const StartWish& start) const;
  Result<Proposal> ProposeCreate(const std::string& name, std::uint32_t size) const;
  Result<Proposal> ProposeRun(ServiceId id) const;
  Result<Proposal> ProposeStop(ServiceId id, bool soft) const;
  Result<Proposal> ProposeRestart(ServiceId id, RollMode mode, std::uint32_t parallel) const;
  Result<Proposal> ProposeSize(ServiceId id, std::uint32_t size) const;
  Result<Proposal> ProposeEnvironment(ServiceId id, const Environment& set,
                                      const std::vector<std::string>& unset, bool restart) const;
  // A release, or the one before: `spec` and `run` as they are to be. `trial`: one worker of it is
  // to prove itself first, beside those there are.
  Result<Proposal> ProposeRelease(ServiceId id, const ServiceSpec& spec, bool run,
                                  bool trial) const;
  // The one has: all others follow.
  Result<Proposal> ProposeEndOfTrial(ServiceId id) const;
  Result<Proposal> ProposeRemove(ServiceId id) const;

  void Commit(const Wish& wish);
  void Forget(ServiceId id) {
    wishes_.erase(id);
    quarantined_.erase(id);
    fallbacks_.erase(id);
  }

  // Adds one, or replaces what is known of it; ends with a Commit of the same id.
  void Quarantine(const Quarantined& bad);
  const Quarantined* GetQuarantined(ServiceId id) const;
  // By name or id, unless a sound service is called so.
  const Quarantined* FindQuarantined(const std::string& service) const;
  const std::map<ServiceId, Quarantined>& quarantined() const { return quarantined_; }

  // There is one as long as the wish that is committed has a damage.
  const Fallback* GetFallback(ServiceId id) const;
  // Replaces what is known of one that is there.
  void Know(const Fallback& fallback) { fallbacks_.at(fallback.id) = fallback; }
  // A change that says what the service is to be: a person has seen to it.
  static void EndFallback(Proposal& proposal) {
    if (proposal.new_generation || !proposal.wish.run) proposal.wish.damage.reset();
  }

  // An id that must not be used again.
  void Reserve(ServiceId id) { last_id_ = std::max(last_id_, id); }
  ServiceId last_id() const { return last_id_; }

 private:
  Status CheckSpec(const ServiceSpec& spec) const;
  Result<Proposal> ProposeNew(const StartWish& start) const;
  Result<Proposal> ProposeUpdate(const Wish& current, const StartWish& start) const;
  Result<Proposal> ProposeRepair(const Quarantined& bad, const StartWish& start) const;
  const Wish* FindSound(const std::string& service) const;

  bool root_;
  std::map<ServiceId, Wish> wishes_;
  std::map<ServiceId, Quarantined> quarantined_;
  std::map<ServiceId, Fallback> fallbacks_;
  ServiceId last_id_ = 0;
};

}  // namespace slc
