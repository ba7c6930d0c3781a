#include "ctl/status_tables.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "common/base/text.h"
#include "common/base/time.h"
#include "common/base/version.h"
#include "ctl/table.h"

namespace slc::ctl {
namespace {

using Row = std::vector<std::string>;

// Every table is indented by a first column of its own.
constexpr const char* kIndent = "  ";

std::string Percent(double value) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.1f", value);
  return buffer.data();
}

std::string Megabytes(std::uint64_t bytes) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.1f MB", static_cast<double>(bytes) / 1e6);
  return buffer.data();
}

std::string YesOrBlank(bool yes) { return yes ? "yes" : std::string(); }

std::string NumberOrBlank(std::uint64_t number) {
  return number == 0 ? std::string() : std::to_string(number);
}

// A process that does not serve is not shown as serving, whatever else is known of it.
std::string ListeningPorts(const ProcessView& process) {
  if (process.worker == 0 || process.state != "ready") return {};
  return Printable(Join(process.listening, ", "));
}

// A worker that hangs now, before the end of the one that it follows, and what it says itself.
std::string ReasonOf(const ProcessView& process) {
  std::string text;
  for (const std::string& part :
       {StuckRemark(process), Printable(process.reason),
        process.status_text.empty() ? std::string() : "says: " + Printable(process.status_text)}) {
    if (!part.empty()) text += (text.empty() ? "" : "; ") + part;
  }
  return text;
}

// Where, if that is a place which others than the users of this machine can reach.
std::string Debugging(const InspectionState& state) {
  if (state.debugger_port == 0 || !IsOpenToOthers(state.debugger_host)) {
    return YesOrBlank(state.debugger_port > 0);
  }
  return "on " + Printable(DebuggerAddress(state.debugger_host, state.debugger_port));
}

Row ProcessRow(const ServiceView& service, const ProcessView& process, bool debugging, bool wide,
               const UsageByPid& usage) {
  const std::string pid = std::to_string(process.pid);
  // The middle number is the executor's of the original: one machine, always 1.
  Row row{"",
          std::to_string(service.id) + ".1." + pid,
          pid,
          std::to_string(process.worker),
          ListeningPorts(process),
          YesOrBlank(process.inspection.tracking_since > 0),
          YesOrBlank(process.inspection.profiling_since > 0)};
  if (debugging) row.push_back(Debugging(process.inspection));
  if (!wide) return row;
  const auto used = usage.find(process.pid);
  const bool known = used != usage.end();
  row.push_back(FormatSpan(process.uptime));
  row.push_back(std::to_string(process.restarts));
  row.push_back(known ? Percent(used->second.cpu_percent) : "");
  row.push_back(known ? Megabytes(used->second.resident) : "");
  row.push_back(NumberOrBlank(process.slot));
  row.push_back(NumberOrBlank(process.generation));
  row.push_back(Printable(process.state) + (process.reloading ? ", reloading" : ""));
  row.push_back(ReasonOf(process));
  return row;
}

Row IdleSlotRow(const SlotView& slot, bool debugging) {
  std::string reason = Printable(slot.reason);
  if (slot.retry_in > 0) {
    reason = "next try in " + FormatSpan(slot.retry_in) + (reason.empty() ? "" : ": " + reason);
  }
  constexpr std::size_t kLeadingColumns = 7;  // up to CPU profiling?
  Row row(kLeadingColumns + (debugging ? 1 : 0));
  for (const std::string& cell :
       {std::string(), std::to_string(slot.restarts), std::string(), std::string(),
        NumberOrBlank(slot.slot), std::string(), Printable(slot.state), reason}) {
    row.push_back(cell);
  }
  return row;
}

std::string InstanceTable(const ServiceView& service) {
  std::vector<Row> rows{{kIndent, "Version", "Agent version", "Cluster size"}};
  // A service that was created and never started has no instance.
  if (service.state != "new") {
    rows.push_back({"", OwnVersion().text,
                    service.agent_version.empty() ? "N/A" : Printable(service.agent_version),
                    std::to_string(service.cluster_size)});
  }
  return LayOut(rows, std::vector<Align>(4, Align::kCentre));
}

std::string ProcessTable(const ServiceView& service, bool wide, const UsageByPid& usage) {
  std::vector<Row> rows{
      {kIndent, "ID", "PID", "WID", "Listening Ports", "Tracking objects?", "CPU profiling?"}};
  std::vector<Align> align(6, Align::kCentre);
  // A debugger is a door to the worker: whoever left one open should see it, and nobody else.
  const bool debugging =
      std::any_of(service.processes.begin(), service.processes.end(),
                  [](const ProcessView& process) { return process.inspection.debugger_port > 0; });
  if (debugging) {
    rows[0].emplace_back("Debugging?");
    align.resize(rows[0].size() - 1, Align::kLeft);
  }
  if (wide) {
    for (const char* name :
         {"Uptime", "Restarts", "CPU %", "Memory", "Slot", "Generation", "State", "Reason"}) {
      rows[0].emplace_back(name);
    }
  }
  for (const ProcessView& process : service.processes) {
    // Known by its slot, but not born yet.
    if (process.pid <= 0) continue;
    rows.push_back(ProcessRow(service, process, debugging, wide, usage));
  }
  if (wide) {
    for (const SlotView& slot : service.idle_slots) rows.push_back(IdleSlotRow(slot, debugging));
  }
  return LayOut(rows, align);
}

}  // namespace

std::string StateRemark(const ServiceView& service) {
  // That one is new is told by its having no instance.
  static constexpr std::array<const char*, 2> kWell{"running", "new"};
  std::string remark;
  const bool well = std::find(kWell.begin(), kWell.end(), service.state) != kWell.end();
  if (!well || !service.reason.empty()) {
    remark = Printable(service.state);
    Millis next = 0;
    std::string slot_reason;
    for (const SlotView& slot : service.idle_slots) {
      if (slot.retry_in <= 0 || (next > 0 && slot.retry_in >= next)) continue;
      next = slot.retry_in;
      slot_reason = slot.reason;
    }
    const std::string reason = service.reason.empty() ? slot_reason : service.reason;
    const bool told = reason.find("next try") != std::string::npos;
    if (next > 0 && !told) remark += ", next try in " + FormatSpan(next);
    if (!reason.empty()) remark += ": " + Printable(reason);
  }
  if (service.facts_age > 0) {
    if (!remark.empty()) remark += "; ";
    remark += "the master is silent, as of " + FormatSpan(service.facts_age) + " ago";
  }
  return remark;
}

std::string StuckRemark(const ProcessView& process) {
  if (process.stuck <= 0) return {};
  if (const auto what = InspectionFromName(process.shows); what && HasResult(*what)) {
    return std::string(DeedOf(*what)) + " and stands still for that, so far for " +
           FormatSpan(process.stuck);
  }
  return "has not answered for " + FormatSpan(process.stuck) +
         (process.replaced ? ", it is being replaced" : "");
}

std::string LogRemark(const ServiceView& service) {
  constexpr Millis kRecent = 3600 * 1000;
  std::string remark;
  if (!service.log_trouble.empty()) remark = "cannot be written: " + Printable(service.log_trouble);
  const std::uint64_t dropped = service.log_lines_dropped;
  if (dropped == 0 || service.log_dropped_ago > kRecent) return remark;
  if (!remark.empty()) remark += "; ";
  return remark + std::to_string(dropped) +
         (dropped == 1 ? " line was dropped" : " lines were dropped") +
         " since the master started, the last " + FormatSpan(service.log_dropped_ago) + " ago";
}

std::string ScheduleRemark(const ServiceView& service) {
  if (service.restart_at.empty() || !service.wanted) return {};
  std::string remark = "at '" + Printable(service.restart_at) + "'";
  if (service.next_restart > 0) {
    remark += ", next " + Printable(service.next_restart_text) + ", in " +
              FormatSpan(service.next_restart - WallNow());
  }
  if (!service.schedule_trouble.empty()) remark += ": " + Printable(service.schedule_trouble);
  return remark;
}

std::string DamageCure(const std::string& service) {
  return "give again what is missing (slc ctl env-set, or slc start with its options), or take it "
         "as it is: slc ctl soft-restart " +
         service;
}

std::string EnvironmentText(const Environment& environment, const std::string& empty) {
  if (environment.empty()) return "  " + empty + "\n";
  std::vector<Row> rows{{kIndent, "Name", "Value"}};
  for (const auto& [name, value] : environment) {
    rows.push_back({"", Printable(name), Printable(value)});
  }
  return LayOut(rows, {});
}

std::string StatusText(const std::vector<ServiceView>& services, bool wide,
                       const UsageByPid& usage) {
  if (services.empty()) return "No services exist\n";
  std::string text;
  for (const ServiceView& service : services) {
    text += "Service ID: " + std::to_string(service.id) + "\n";
    text += "Service Name: " + Printable(service.name) + "\n";
    const std::string remark = StateRemark(service);
    if (!remark.empty()) text += "State: " + remark + "\n";
    if (!service.damage.empty()) {
      text += "Record: " + Printable(service.damage) + "; " + DamageCure(service.name) + "\n";
    }
    if (!service.options.empty()) {
      text += "Options: " + Printable(Join(service.options, ", ")) + "\n";
    }
    const std::string schedule = ScheduleRemark(service);
    if (!schedule.empty()) text += "Soft restart: " + schedule + "\n";
    if (!service.watch.empty()) {
      text += "Watch: " + Printable(service.watch);
      if (!service.watch_trouble.empty()) text += ": " + Printable(service.watch_trouble);
      text += "\n";
    }
    if (!service.spare_trouble.empty()) {
      text += "Spare: none: " + Printable(service.spare_trouble) + "\n";
    }
    const std::string log = LogRemark(service);
    if (!log.empty()) text += "Log: " + log + "\n";
    for (const ProcessView& process : service.processes) {
      if (process.stuck <= 0) continue;
      text += std::string(process.shows.empty() ? "Hangs" : "Shows") + ": worker " +
              std::to_string(process.worker) + " (pid " + std::to_string(process.pid) + ") " +
              StuckRemark(process) + "\n";
    }
    text += "Environment variables:\n";
    text += EnvironmentText(service.environment, "No environment variables defined");
    text += "Instances:\n" + InstanceTable(service);
    if (service.processes.empty() && (!wide || service.idle_slots.empty())) {
      const bool coming = service.state == "starting" || service.state == "adopting";
      text += coming ? "No process yet\n" : "Not started\n";
    } else {
      text += "Processes:\n" + ProcessTable(service, wide, usage) + "\n";
    }
  }
  return text;
}

namespace {

// "3 of 4": that serve.
std::string WorkersText(const ServiceView& service) {
  if (service.cluster_size == 0) return {};
  const auto serving = std::count_if(
      service.processes.begin(), service.processes.end(), [](const ProcessView& process) {
        return process.worker != 0 && process.state == "ready" && !process.spare;
      });
  return std::to_string(serving) + " of " + std::to_string(service.cluster_size);
}

// Each address once, though all workers listen there.
std::string AddressesText(const ServiceView& service) {
  std::vector<std::string> addresses;
  for (const ProcessView& process : service.processes) {
    for (const std::string& address : process.listening) {
      if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
        addresses.push_back(address);
      }
    }
  }
  return Printable(Join(addresses, ", "));
}

}  // namespace

std::string ListText(const std::vector<ServiceView>& services, bool wide) {
  if (services.empty()) return "No services defined\n";
  // The blanks of the original's page: names start at column 12, scales at 25, unless a name needs
  // more.
  constexpr std::size_t kIdWidth = 10;
  constexpr std::size_t kNameWidth = 11;
  const auto widen = [](const std::string& cell, std::size_t width) {
    const std::size_t taken = DisplayWidth(cell);
    return taken < width ? cell + std::string(width - taken, ' ') : cell;
  };
  std::vector<Row> rows{{widen("Id", kIdWidth), widen("Name", kNameWidth), "Scale"}};
  if (wide) rows[0].insert(rows[0].end(), {"State", "Workers", "Listening Ports"});
  for (const ServiceView& service : services) {
    std::string id = std::to_string(service.id);
    if (id.size() < 2) id.insert(0, " ");
    // Scale is the number of instances, not of workers: one per machine.
    rows.push_back({id, Printable(service.name), "1"});
    if (!wide) continue;
    rows.back().insert(rows.back().end(),
                       {Printable(service.state), WorkersText(service), AddressesText(service)});
  }
  return LayOut(rows, {});
}

}  // namespace slc::ctl
