#include "daemon/journal_writer.h"

#include <iterator>
#include <map>
#include <utility>

#include "common/base/log.h"
#include "common/base/spawn.h"
#include "daemon/journal_file.h"

namespace slc {
namespace {

constexpr std::size_t kMostWaiting = 512;
constexpr Millis kSyncEvery = 1000;
constexpr Millis kTryAgain = 1000;

}  // namespace

// Touched by the disk thread only.
struct JournalWriter::Shared {
  explicit Shared(int home) : file(home) {}

  // Names of users may come over a network, so they are asked for here.
  void Encode(JournalRecord& record, std::string& lines) {
    if (record.who && record.who->user.empty()) {
      const auto [known, is_new] = users.try_emplace(record.who->uid);
      if (is_new) known->second = LookUpUser(record.who->uid).name;
      record.who->user = known->second;
    }
    lines += EncodeJournalLine(record);
  }

  JournalFile file;
  std::map<unsigned, std::string> users;
};

struct JournalWriter::Batch {
  std::vector<JournalRecord> records;
  bool sync = false;
  Status written = Ok();
  Status synced = Ok();
  std::vector<std::string> warnings;

  void Run(Shared& shared) {
    std::string lines;
    for (JournalRecord& record : records) shared.Encode(record, lines);
    if (!lines.empty()) written = shared.file.Append(lines);
    if (written && sync) synced = shared.file.Sync();
    warnings = shared.file.TakeWarnings();
  }
};

JournalWriter::JournalWriter(uv::Loop& loop, uv::DiskThread& disk, int home)
    : loop_(loop),
      disk_(disk),
      shared_(std::make_shared<Shared>(home)),
      timer_(loop, [this] { Start(); }) {}

JournalWriter::~JournalWriter() {
  if (waiting_.empty() && !unsynced_ && !busy_) return;
  auto batch = std::make_shared<Batch>();
  batch->records = std::move(waiting_);
  batch->sync = true;
  disk_.Run([batch, shared = shared_] { batch->Run(*shared); }, {});
}

void JournalWriter::Write(JournalRecord record) {
  if (waiting_.size() >= kMostWaiting) {
    if (lost_ == 0) lost_since_ = record.time;
    ++lost_;
    return;
  }
  waiting_.push_back(std::move(record));
  if (trouble_.empty()) Start();
}

void JournalWriter::Start() {
  if (busy_) return;
  const Millis sync_at = synced_at_ + kSyncEvery;
  const bool may_sync = synced_at_ == 0 || loop_.now() >= sync_at;
  if (waiting_.empty() && !(unsynced_ && may_sync)) {
    if (unsynced_) timer_.StartAt(sync_at);
    return;
  }
  busy_ = true;
  auto batch = std::make_shared<Batch>();
  batch->records = std::move(waiting_);
  waiting_.clear();
  batch->sync = may_sync;
  disk_.Run([batch, shared = shared_] { batch->Run(*shared); }, [this, batch] { Finished(batch); });
}

void JournalWriter::Finished(const std::shared_ptr<Batch>& batch) {
  busy_ = false;
  for (const std::string& warning : batch->warnings) log::Warn(warning);
  if (!batch->written) {
    Troubled(batch->written.error().message);
    // Those that came meanwhile are the younger ones, and go if there is no room for both.
    std::swap(waiting_, batch->records);
    for (JournalRecord& record : batch->records) Write(std::move(record));
    return;
  }
  if (!trouble_.empty()) log::Info("the journal is written again");
  if (lost_ > 0) {
    JournalRecord gap;
    gap.time = WallNow();
    gap.kind = "gap";
    gap.times = std::exchange(lost_, 0);
    gap.text = "not written since " + FormatIso(lost_since_) + ": " +
               (trouble_.empty() ? "the disk did not keep up" : trouble_);
    waiting_.push_back(std::move(gap));
  }
  trouble_.clear();
  unsynced_ = !batch->sync;
  if (batch->sync) synced_at_ = loop_.now();
  if (!batch->synced) {
    log::Warn(batch->synced.error().message +
              "; records of the last second may be missing after a power loss");
  }
  Start();
}

void JournalWriter::Troubled(const std::string& trouble) {
  if (trouble_ != trouble) log::Warn("the journal cannot be written: " + trouble + "; trying on");
  trouble_ = trouble;
  timer_.StartIn(kTryAgain);
}

}  // namespace slc
