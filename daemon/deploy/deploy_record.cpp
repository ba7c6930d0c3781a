#include "daemon/deploy/deploy_record.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "common/model/json_fields.h"
#include "common/model/release.h"
#include "common/model/sealed_json.h"

namespace slc::deploy {
namespace {

using nlohmann::json;

constexpr int kSchema = 1;
constexpr const char* kKey = "deploy";
constexpr std::array<const char*, 5> kSteps{"preparing", "canary", "rolling", "rolling_back",
                                            "committed"};

json ToJson(const DeployRecord& record) {
  return json{{"step", Name(record.step)},
              {"request", record.request},
              {"release", record.release},
              {"existing", record.existing},
              {"runs", record.runs},
              {"old_name", record.old_name},
              {"wish_before", record.wish_before},
              {"boot_id", record.boot_id},
              {"by", record.by},
              {"begun", record.begun}};
}

Status FromJson(const json& value, DeployRecord& record) {
  JsonFields fields(value, "deploy");
  for (const char* key : {"step", "release", "existing", "runs", "wish_before"}) {
    fields.Require(key);
  }
  fields.ReadName("step", [&record](const std::string& name) {
    const auto found = std::find(kSteps.begin(), kSteps.end(), name);
    if (found == kSteps.end()) return false;
    record.step = static_cast<DeployStep>(found - kSteps.begin());
    return true;
  });
  fields.Read("request", record.request);
  fields.Read("release", record.release);
  fields.Read("existing", record.existing);
  fields.Read("runs", record.runs);
  fields.Read("old_name", record.old_name);
  fields.Read("wish_before", record.wish_before);
  fields.Read("boot_id", record.boot_id);
  fields.Read("by", record.by);
  fields.Read("begun", record.begun);
  // It becomes a part of paths, of what is removed for one.
  if (!IsReleaseName(record.release)) fields.Fail("release", "a release's name");
  return fields.status();
}

}  // namespace

const char* Name(DeployStep value) { return kSteps[static_cast<std::size_t>(value)]; }

std::string EncodeDeployRecord(const DeployRecord& record) {
  return DumpJsonPretty(SealJson(kKey, kSchema, ToJson(record)));
}

Result<DeployRecord> DecodeDeployRecord(const std::string& text) {
  const auto content = UnsealJson(text, kKey, kSchema);
  if (!content) return content.error();
  DeployRecord record;
  if (Status read = FromJson(*content, record); !read) return read.error();
  return record;
}

}  // namespace slc::deploy
