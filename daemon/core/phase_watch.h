// PhaseWatch: what the facts of one service, one after another, say has happened to it. Pure.
//
// Facts tell how things stand, the journal what happened: a soft restart has begun, ended or
// failed, crashed workers wait, everything runs. The first facts after slcd's start only tell how
// things stand, except for an order that is newer than slcd.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/model/journal.h"

namespace slc {

struct PhaseFacts {
  std::uint64_t order = 0;  // newest obeyed
  std::string phase;        // see InstancePhase
  std::uint32_t ready = 0;  // workers that serve
  std::string failure;      // why the order has failed; empty: it has not
  Generation generation = 0;
};

class PhaseWatch {
 public:
  // Kind, text and generation are set.
  std::vector<JournalRecord> On(const PhaseFacts& facts);
  // A master was begun, or is to be: its first facts are news.
  void Expect() { seen_ = true; }

 private:
  bool seen_ = false;
  std::string phase_;
  std::uint64_t announced_ = 0;  // newest order whose outcome was told
  bool rolling_ = false;
  bool waiting_ = false;  // in back-off
};

}  // namespace slc
