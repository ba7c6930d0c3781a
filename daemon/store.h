// Store: the wishes on disk, one small JSON file per service: services/ID.json.
//
// A file is replaced atomically and carries a checksum; the one before is kept as ID.json.prev. A
// file that holds no wish is set aside as ID.json.bad, and the other services start: the version
// before takes its place, marked as such (Wish::damage), and the damaged file becomes DamagedFile;
// without one the service is reported at each Load. A file that the system cannot read now is an
// error of Load. All calls block: Load at start, the others on the disk thread. Errors of those
// that write are kStorage.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/model/service.h"
#include "daemon/core/quarantine.h"
#include "daemon/reserve.h"

namespace slc {

struct LoadedWishes {
  std::vector<Wish> wishes;
  std::vector<Quarantined> quarantined;
  std::vector<ServiceId> fallen_back;  // found damaged by this Load: it is the version before
  std::vector<std::string> notes;      // e.g. that a previous version was used
  ServiceId last_id = 0;               // highest that was ever used
  std::string last_removal;            // the client request by which a service was last removed
  std::vector<ServiceId> reserved;     // whose wish comes from the reserve and is to be saved
};

class Store {
 public:
  // `services`: the open directory; not owned.
  explicit Store(int services) : services_(services), reserve_(services, "reserve") {}

  Result<LoadedWishes> Load();
  // Durable when it returns without an error. What was set aside of the service is DamagedFile(id)
  // then.
  Status Save(const Wish& wish) const;
  // The same on a disk that has no room for it. The wish counts for Load as long as its file holds
  // an older one.
  Status SaveInReserve(const Wish& wish);
  // The reserve is there and empty: to be called when all it holds was saved.
  Status KeepReserve() { return reserve_.Renew(); }
  static std::string DamagedFile(ServiceId id);
  bool HasDamagedFile(ServiceId id) const;
  // Of a service that is not to be: what a failed Save may have left of it.
  Status Discard(ServiceId id) const;
  // Whether the disk takes anything at all.
  Status Try() const;
  // `request`: told as last_removal by a Load afterwards.
  Status Remove(ServiceId id, const std::string& request) const;
  // The same of one that is quarantined; its damaged file stays, as RemovedFile(id).
  Status RemoveQuarantined(ServiceId id, const std::string& request) const;
  static std::string RemovedFile(ServiceId id);

  // Pure halves of Load and Save.
  static std::string Encode(const Wish& wish);
  static Result<Wish> Decode(const std::string& text);

 private:
  struct OneFile {
    bool there = false;
    std::optional<Wish> wish;
    std::string damage;  // why it holds none
    bool newer = false;  // written by a version after ours
    std::string text;    // then
  };
  Status LoadOne(ServiceId id, LoadedWishes& loaded) const;
  void LoadReserved(LoadedWishes& loaded);
  Status RememberRemoval(ServiceId id, const std::string& request) const;
  Error StorageError(const Error& reason, const std::string& what) const;
  Result<OneFile> ReadOne(ServiceId id, const std::string& file) const;

  int services_;
  Reserve reserve_;
};

}  // namespace slc
