// Heritage: what slcd leaves to the image that goes on in its place (see
// common/wire/inheritance.h).
//
//   "lock" "control"      the home's lock, the listening socket for clients
//   "client"              the connection of who asked for the upgrade
//   "link/ID"             the link to a master, with what is still to be read from it
//   "kept/ID/NAME"        what is kept for it
//   "config/ID/GEN"       configs that have not reached it yet
//   "store/N"             what systemd has not taken yet, see DaemonFacts::store
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/process.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/unique_fd.h"
#include "common/wire/control_server.h"

namespace slc {

struct InstanceFacts {
  ProcessIdentity master;      // pid 0: there is none
  std::uint64_t launches = 0;  // of masters in this epoch
  unsigned hellos = 0;         // that it has not answered yet
};

// What systemd has not been told yet, see FdStore.
struct UntoldFact {
  std::string name;
  bool keep = false;  // "store/N", N its place in the list; else it is to be dropped
};

struct DaemonFacts {
  Epoch epoch = 0;
  std::string version;  // of the image before
  std::string request;  // id of the request to upgrade
  Peer peer;            // who asked for that, should it have left
  Millis began = 0;     // when the image before gave way, on the boot clock
  std::map<ServiceId, InstanceFacts> instances;
  std::vector<UntoldFact> store;  // oldest first
};

std::string EncodeDaemonFacts(const DaemonFacts& facts);
Result<DaemonFacts> DecodeDaemonFacts(const std::string& text);

// Of one instance, in the next image.
struct InstanceHeritage {
  InstanceFacts facts;
  UniqueFd link;
  std::map<std::string, UniqueFd> kept;
  std::map<Generation, UniqueFd> configs;
};

inline constexpr const char* kHeritageLock = "lock";
inline constexpr const char* kHeritageControl = "control";
inline constexpr const char* kHeritageClient = "client";
std::string HeritageLink(ServiceId id);
std::string HeritageKept(ServiceId id);    // a prefix
std::string HeritageConfig(ServiceId id);  // a prefix
std::string HeritageStore(std::size_t place);

}  // namespace slc
