// The output of a worker, cut into lines however it is read, and as lines of a log file.
//
// The input is a script. '%' and a byte stand for a text about as long as the longest line, '|'
// ends a read, '!' has the next line refused once. All other bytes are output.
#include "daemon/master/core/log_lines.h"

#include <memory>
#include <set>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/model/json_fields.h"
#include "tests/fuzz/fuzz.h"

namespace slc {
namespace {

using fuzz::Check;
using Lines = std::vector<std::string>;

struct Script {
  std::vector<std::string> reads{1};
  std::set<std::size_t> refused;  // numbers of lines
};

Script ReadScript(const std::string& input) {
  Script script;
  std::size_t line = 0;
  int long_texts = 4;  // more only take time
  for (std::size_t i = 0; i < input.size(); ++i) {
    std::string& read = script.reads.back();
    if (input[i] == '%' && i + 1 < input.size() && long_texts > 0) {
      --long_texts;
      constexpr std::size_t kAround = 4;
      const auto more = static_cast<unsigned char>(input[++i]) % (2 * kAround);
      read.append(kLongestLine - kAround + more, 'x');
    } else if (input[i] == '|') {
      script.reads.emplace_back();
    } else if (input[i] == '!') {
      script.refused.insert(line);
    } else {
      if (input[i] == '\n') ++line;
      read += input[i];
    }
  }
  return script;
}

Lines Split(const std::vector<std::string>& reads, std::set<std::size_t> refused) {
  Lines lines;
  const auto take = [&](std::string_view line) {
    if (refused.erase(lines.size()) > 0) return false;
    lines.emplace_back(line);
    return true;
  };
  LineSplitter splitter;
  for (const std::string& read : reads) {
    // A refused line costs one more call.
    std::size_t used = splitter.Feed(read, take);
    while (used < read.size()) used += splitter.Feed(std::string_view(read).substr(used), take);
  }
  while (!splitter.Rest(take)) {
  }
  Check(splitter.empty(), "nothing is left at the end");
  return lines;
}

// `output` without the ends of its lines.
std::string WithoutEnds(const std::string& output) {
  std::string text;
  for (std::size_t i = 0; i < output.size(); ++i) {
    const bool end = output[i] == '\n' || output.compare(i, 2, "\r\n") == 0;
    if (!end) text += output[i];
  }
  return text;
}

void CheckWritten(const std::string& line) {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson, LogFormat::kRaw}) {
    const LineHead head(format, LogStream::kErr, 1'795'367'798'688, 27466, 1);
    const std::size_t room = head.Room(line.size());
    const auto buffer = std::make_unique<char[]>(room);
    const char* end = head.Write(buffer.get(), line);
    const std::string written(static_cast<const char*>(buffer.get()), end);
    Check(written.find('\n') == written.size() - 1, "a line stays one line");
    if (format == LogFormat::kJson) {
      constexpr std::size_t kQuick = 1024;
      Check(written.size() > kQuick || ParseJson(written).ok(), "a line of JSON is JSON");
    } else {
      Check(written.size() > line.size() &&
                written.compare(written.size() - 1 - line.size(), line.size(), line) == 0,
            "a line holds all bytes");
    }
  }
}

}  // namespace
}  // namespace slc

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  const Script script = ReadScript(fuzz::Text(data, size));
  std::string output;
  for (const std::string& read : script.reads) output += read;
  const Lines lines = Split(script.reads, script.refused);
  Check(lines == Split({output}, {}), "how the output is read does not matter");

  std::string all;
  for (const std::string& line : lines) {
    Check(line.size() <= kLongestLine, "no line is too long");
    all += line;
    CheckWritten(line);
  }
  // A "\r" behind a line of full length was taken for the beginning of its end, which never came.
  const std::string wanted = WithoutEnds(output);
  Check(all == wanted || all + "\r" == wanted, "the lines hold the whole output");
  return 0;
}
