// Fallbacks: takes up services of which an older version of the record is used. Their living master
// is asked first what it obeys: what is ordered next must be above that, or it would be taken for a
// late repeat and answered as done.
#pragma once

#include "daemon/core/registry.h"
#include "daemon/recorder.h"
#include "daemon/services.h"
#include "daemon/store.h"

namespace slc {

class Fallbacks {
 public:
  // All is owned by the caller and outlives this.
  Fallbacks(Registry& registry, Services& services, Recorder& recorder, Store& store,
            uv::DiskThread& disk)
      : registry_(registry), services_(services), recorder_(recorder), store_(store), disk_(disk) {}

  // Instead of Services::TakeUp. The wish is committed, and has a damage.
  void TakeUp(ServiceId id);
  // What is known of its master has changed: has it go on by the wish once that is caught up.
  void Settle(ServiceId id);

 private:
  void Record(const Wish& wish);
  void Compare(const Wish& wish, GenerationConfig runs);

  Registry& registry_;
  Services& services_;
  Recorder& recorder_;
  Store& store_;
  uv::DiskThread& disk_;
};

}  // namespace slc
