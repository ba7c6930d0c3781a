// slc events: the journal of a home, which is read here and not by slcd.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <utility>

#include "common/base/home.h"
#include "common/base/text.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/look.h"
#include "ctl/conversation.h"
#include "ctl/journal/describe.h"
#include "ctl/journal/reader.h"
#include "ctl/json_output.h"
#include "ctl/logs/output.h"
#include "ctl/logs/watch.h"
#include "ctl/output.h"
#include "ctl/remote/print_there.h"
#include "ctl/remote/remote_server.h"
#include "ctl/values.h"

namespace slc::ctl {
namespace {

constexpr std::size_t kDefaultLines = 20;

Plan PlanEvents(const Surroundings& around) {
  Verb<EventsQuery> verb(around);
  EventsQuery& query = verb.value();
  verb.options().Flag("-f,--follow", "Go on with what happens from now on.", query.follow);
  verb.options().Value("-n,--lines", "N", "The last N events.",
                       [&query](const std::string& text) -> Status {
                         const auto number = ToNumber(text, 0, 1LL << 40, "a number of events");
                         if (!number) return number.error();
                         query.lines = static_cast<std::size_t>(*number);
                         return Ok();
                       });
  return std::move(verb).Make(TakeServiceIfAny<EventsQuery>);
}

class EventsCommand {
 public:
  EventsCommand(const EventsQuery& query, std::string home)
      : query_(query), home_(std::move(home)), reader_(home_) {}

  int Run() {
    const NoBrokenPipe guard;
    const std::string hint =
        query_.service.empty() || IsNumber() ? "" : "\"service\":\"" + query_.service + "\"";
    auto records = reader_.Last(
        query_.lines.value_or(kDefaultLines),
        [this](const auto& record) { return IsWanted(record); }, hint);
    if (!records) return ReportFailure(records.error(), query_.control.json, std::cout, std::cerr);
    if (records->empty() && !query_.follow && query_.lines != std::size_t{0}) {
      Remark("slc: no events" + (query_.service.empty() ? "" : " of " + Printable(query_.service)) +
             " in " + home_ + "/" + kJournalFile + "\n");
    }
    for (const JournalRecord& record : *records) {
      if (!query_.control.json) width_ = std::max(width_, NameOf(record).size());
    }
    if (!Show(*records)) return WriteFailure(std::cerr);
    return query_.follow ? Follow() : kDone;
  }

 private:
  bool IsNumber() const { return ParseInteger(query_.service, 1, UINT32_MAX).has_value(); }

  bool IsWanted(const JournalRecord& record) const {
    if (query_.service.empty() || record.service == query_.service) return true;
    return record.id != 0 && std::to_string(record.id) == query_.service;
  }

  static std::string NameOf(const JournalRecord& record) {
    return record.service.empty() ? "slcd" : Printable(record.service);
  }

  bool Show(const std::vector<JournalRecord>& records) {
    for (const JournalRecord& record : records) {
      if (query_.control.json) {
        std::cout << EventJson(record);
        continue;
      }
      std::string name = NameOf(record);
      name.resize(std::max(width_, name.size()), ' ');
      const std::string actor = DescribeActor(record);
      std::cout << FormatIso(record.time) << "  " << name << "  "
                << Printable(DescribeEvent(record)) << (actor.empty() ? "" : "  ")
                << Printable(actor) << "\n";
    }
    if (reader_.damaged() > damaged_) {
      Remark("slc: passed over " + std::to_string(reader_.damaged() - damaged_) +
             " damaged lines of " + home_ + "/" + kJournalFile + "\n");
      damaged_ = reader_.damaged();
    }
    return Flushed(std::cout);
  }

  int Follow() {
    const Interruptible guard;
    LogWatch watch({home_});
    while (!guard.interrupted()) {
      auto records = reader_.Next();
      if (!records) return ReportFailure(records.error(), false, std::cout, std::cerr);
      std::erase_if(*records, [this](const auto& record) { return !IsWanted(record); });
      if (!Show(*records)) return WriteFailure(std::cerr);
      if (guard.interrupted()) break;
      if (watch.Wait(STDOUT_FILENO) == LogWatch::Outcome::kHungUp) break;
    }
    return kDone;
  }

  const EventsQuery& query_;
  const std::string home_;
  JournalReader reader_;
  std::size_t width_ = 4;  // of the column of names
  std::size_t damaged_ = 0;
};

}  // namespace

constinit const CommandInfo kEventsCommand{
    .name = "events",
    .elsewhere = "history audit",
    .operands = "[SVC]",
    .most = 1,
    .summary = "What happened, and who changed what; the last 20 events.",
    .details = "Reads the journal of the home; slcd need not run.\n",
    .plan = PlanEvents,
};

int Run(const EventsQuery& options) {
  if (IsRemote(options.control)) {
    PrintLook look;
    look.look = PrintedLook::kEvents;
    look.service = options.service;
    look.json = options.control.json;
    look.follow = options.follow;
    if (options.lines) {
      look.last = static_cast<std::uint32_t>(std::min<std::size_t>(*options.lines, INT32_MAX));
    }
    return PrintThere(options.control, std::move(look), "read the journal");
  }
  const auto home = HomeOf(options.control);
  if (!home) return ReportError(home.error(), options.control.json);
  std::ios::sync_with_stdio(false);
  return EventsCommand(options, *home).Run();
}

}  // namespace slc::ctl
