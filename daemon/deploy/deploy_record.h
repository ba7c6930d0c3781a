// DeployRecord: the deploy under way of one service, as slcd writes it down (deploy.json, see
// core/releases.h) before each step, so that the next slcd ends what this one began.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "daemon/deploy/core/deploy_transaction.h"

namespace slc::deploy {

struct DeployRecord {
  DeployStep step = DeployStep::kPreparing;
  std::string request;    // of the client that asked for it
  std::string release;    // name of the new one
  bool existing = false;  // DeployOptions, of which the others are as they are by themselves
  bool runs = true;
  std::string old_name;
  std::string wish_before;  // what is to be back in force, as the store writes it
  std::string boot_id;      // of the boot in which it was begun
  std::string by;           // who asked for it
  Millis begun = 0;         // wall

  bool operator==(const DeployRecord&) const = default;
};

const char* Name(DeployStep value);

// With a checksum: a damaged record is kInvalid, and then the old release wins, which the wish's
// own file may still name. kProtocol: a newer version of slc has written it.
std::string EncodeDeployRecord(const DeployRecord& record);
Result<DeployRecord> DecodeDeployRecord(const std::string& text);

}  // namespace slc::deploy
