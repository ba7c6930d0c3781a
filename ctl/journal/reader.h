// JournalReader: the journal of a home, from its files. No slcd is needed, and none is asked.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/model/journal.h"

namespace slc::ctl {

class JournalReader {
 public:
  // `home`: path of a directory. The journal need not exist (yet).
  explicit JournalReader(std::string home) : home_(std::move(home)) {}

  using Wanted = std::function<bool(const JournalRecord& record)>;
  // The last `count` records that are wanted, oldest first, of both files. Next() goes on behind
  // them. `hint`: only lines that hold this text can be wanted; empty: any.
  Result<std::vector<JournalRecord>> Last(std::size_t count, const Wanted& wanted,
                                          const std::string& hint = "");
  // What was appended since, oldest first; goes from a file that was put aside to its successor.
  Result<std::vector<JournalRecord>> Next();

  // Damaged lines passed over so far.
  std::size_t damaged() const { return damaged_; }

 private:
  // The whole lines from `offset` to the end, and the offset behind them.
  Result<std::string> ReadFrom(int fd, std::uint64_t& offset);
  void Decode(const std::string& text, std::vector<JournalRecord>& records);
  Status Reopen();

  const std::string home_;
  UniqueFd file_;
  std::uint64_t offset_ = 0;
  std::string last_line_;  // up to where we have read, with its end
  std::size_t damaged_ = 0;
};

}  // namespace slc::ctl
