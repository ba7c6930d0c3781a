// Operations: commands that were accepted and are answered when what they ask for has happened.
// While one is open its client hears what happens on the way.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "daemon/commands/clients.h"
#include "daemon/core/registry.h"
#include "daemon/services.h"

namespace slc {

struct Operation {
  Command command;
  std::uint64_t order = 0;  // of the wish, from which on it counts
  std::vector<std::string> notes;
};

class Operations {
 public:
  Operations(const Registry& registry, Services& services, Clients& clients)
      : registry_(registry), services_(services), clients_(clients) {}

  void Add(ServiceId id, Operation operation);
  // `by` has changed the wish and is committed: what was asked for before and is not done yet will
  // not be done as asked. A start that was the same as `by` waits for that.
  void Overtake(ServiceId id, const RequestBody& by);
  void Tell(ServiceId id, const Progress& progress);
  // Answers those of which the facts say that they have happened or failed.
  void Settle(ServiceId id);
  void FailAll(ServiceId id, const Error& error);
  void AnswerAll(ServiceId id, const Reply& reply);
  // Those of a client that has left go on; there is just nobody to tell.
  void ForgetClient(ClientId client);

  // A reply without error that shows the service as it is now.
  Reply ReplyWith(ServiceId id, std::vector<std::string> notes);

 private:
  std::vector<Operation> TakeAll(ServiceId id);
  bool Conclude(ServiceId id, const Operation& operation);
  bool ConcludeOfDown(ServiceId id, const Wish& wish, const Operation& operation);
  void Fail(ServiceId id, const Operation& operation, Error error,
            std::vector<std::string> log_tail);

  const Registry& registry_;
  Services& services_;
  Clients& clients_;
  std::map<ServiceId, std::vector<Operation>> open_;
};

}  // namespace slc
