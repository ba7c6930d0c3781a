#include "ctl/logs/printer.h"

#include <algorithm>
#include <ostream>

#include "common/base/text.h"
#include "ctl/json_output.h"

namespace slc::ctl {
LogPrinter::LogPrinter(const std::vector<LogSource>& sources, Style style, std::ostream& out)
    : sources_(sources), style_(style), out_(out) {
  if (sources.size() < 2) return;
  std::size_t width = 0;
  for (const LogSource& source : sources) width = std::max(width, source.service.size());
  for (const LogSource& source : sources) {
    prefixes_.push_back(source.service + std::string(width - source.service.size(), ' ') + " | ");
  }
}

void LogPrinter::Print(std::size_t source, const LogLine& line) {
  if (style_.json) {
    out_ << LogLineJson(sources_[source].service, line.stream, ParseLogLine(line.text));
    return;
  }
  if (!prefixes_.empty()) out_ << prefixes_[source];
  if (style_.terminal) {
    out_ << Printable(line.text);
  } else {
    out_ << line.text;
  }
  out_ << '\n';
}

}  // namespace slc::ctl
