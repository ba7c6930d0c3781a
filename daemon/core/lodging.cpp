#include "daemon/core/lodging.h"

namespace slc {

void Lodging::Launch(const LodgingFacts& facts) {
  lock_ = facts.lock;
  socket_.reset();
  stale_ = facts.socket;
}

void Lodging::Find(const LodgingFacts& facts) {
  Launch(facts);
  stale_.reset();
  static_cast<void>(Lost(facts));
}

const char* Lodging::Lost(const LodgingFacts& facts) {
  if (!facts.directory) return "run directory";
  if (lock_ && facts.lock != lock_) return "lock";
  lock_ = facts.lock;
  const bool own = facts.socket && facts.socket != stale_;
  if (socket_ && (!own || facts.socket->file != *socket_)) return "socket";
  if (own) socket_ = facts.socket->file;
  return nullptr;
}

}  // namespace slc
