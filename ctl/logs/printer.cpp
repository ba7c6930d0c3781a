#include "ctl/logs/printer.h"

#include <algorithm>
#include <ostream>

#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace slc::ctl {
namespace {

std::string Json(const std::string& service, const LogLine& line) {
  const LogFields fields = ParseLogLine(line.text);
  nlohmann::ordered_json object;
  object["service"] = service;
  object["time"] = nullptr;
  object["pid"] = nullptr;
  object["worker"] = nullptr;
  if (fields.time) object["time"] = FormatIso(*fields.time);
  if (fields.pid) object["pid"] = *fields.pid;
  if (fields.worker) object["worker"] = *fields.worker;
  object["stream"] = Name(line.stream);
  object["text"] = fields.text;
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

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
    out_ << Json(sources_[source].service, line) << '\n';
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
