// What is missing in the log of a service that prints numbered lines (tests/apps/plain/noisy.js),
// and what the log itself says of it where a master has taken over.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace slc::test {

struct LogGap {
  std::string worker;
  std::int64_t missing = 0;  // bytes
  std::int64_t stated = 0;   // of one worker, by the marks since its line before; 0: there is none
  std::string line;          // the one after the gap
};

struct LogGaps {
  std::vector<LogGap> gaps;
  std::int64_t lines = 0;        // numbered ones, that are whole
  int marks = 0;                 // "takes over from pid ..."
  std::int64_t most_stated = 0;  // by one mark, bytes
  int large = 0;                 // marks that state more than 64 KiB
  std::string wrong;             // lines that are there twice, or out of order; empty if none
};

// `text`: of out.log. `width`: of a line as the worker prints it, with its line feed. Of a line
// that a killed master had begun to read the rest is there, as a line of its own: it is not
// missing.
LogGaps FindGaps(const std::string& text, std::size_t width);

}  // namespace slc::test
