// slc ctl profiles, profile-get, profile-rm: what slcd keeps of looks into workers, see
// common/model/profile.h.
#include <limits>
#include <string_view>
#include <utility>

#include "common/base/text.h"
#include "common/base/time.h"
#include "common/model/profile.h"
#include "common/wire/frame.h"
#include "ctl/channel.h"
#include "ctl/commands/commands.h"
#include "ctl/conversation.h"
#include "ctl/inspect/fetch.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "ctl/values.h"

namespace slc::ctl {
namespace {

Plan PlanProfiles(const Surroundings& around) {
  return Verb<ProfilesOptions>(around).Make(TakeService<ProfilesOptions>);
}

Status TakeProfile(ProfileOptions& options, const Words& operands) {
  const auto id =
      ToNumber(operands[1], 1, std::numeric_limits<ProfileId>::max(), "a profile's number");
  if (!id) return id.error();
  options.profile = static_cast<ProfileId>(*id);
  if (operands.size() > 2) options.file = operands[2];
  return TakeService(options, operands);
}

template <bool remove>
Plan PlanProfile(const Surroundings& around) {
  Verb<ProfileOptions> verb(around);
  verb.value().remove = remove;
  return std::move(verb).Make(TakeProfile);
}

std::string StateOf(const Profile& profile) {
  if (!profile.errored.empty()) return "failed: " + Printable(profile.errored);
  return profile.whole() ? "" : "under way";
}

std::string ProfilesText(const ProfileList& profiles, const std::string& service) {
  if (profiles.empty()) return "No profiles of " + Printable(service) + " are kept\n";
  std::vector<std::vector<std::string>> rows{
      {"No", "Type", "PID", "WID", "When", "By", "Size", ""}};
  for (const Profile& profile : profiles) {
    rows.push_back({std::to_string(profile.id), Name(profile.type), std::to_string(profile.pid),
                    std::to_string(profile.worker), FormatIso(profile.started),
                    Printable(profile.by), profile.bytes == 0 ? "" : FormatBytes(profile.bytes),
                    StateOf(profile)});
  }
  return LayOut(rows, {});
}

// The file that slcd has opened, in the form of a worker's result: it is whole if it has as many
// bytes as its record says.
StreamSource AsResult(Channel& channel, std::uint64_t bytes) {
  struct State {
    std::uint64_t got = 0;
    std::string frame;
  };
  return [&channel, bytes,
          state = State()](Millis limit) mutable -> Result<std::optional<std::string_view>> {
    const auto piece = channel.ReadPiece(limit);
    if (!piece) return piece.error();
    if (!*piece) return std::optional<std::string_view>();
    const std::string_view data = (*piece)->data;
    state.got += data.size();
    if (!data.empty()) {
      state.frame = EncodeFrame(data);
    } else if (state.got == bytes) {
      state.frame = std::string(4, '\0');
    } else {
      return Error{ErrorCode::kStorage, "its file is not as long as its record says"};
    }
    return std::optional<std::string_view>(state.frame);
  };
}

}  // namespace

constinit const CommandInfo kProfilesCommand{
    .name = "profiles",
    .operands = "SVC",
    .least = 1,
    .most = 1,
    .summary = "List the profiles of a service that slcd keeps, oldest first.",
    .details =
        "Those that were asked for over HTTP (StrongLoop's client, /v1): cpu-stop and "
        "heap-snapshot of\nslc itself write a file here instead. The newest 20 of a service are "
        "kept, and 1 GiB of all.\n",
    .plan = PlanProfiles,
};

constinit const CommandInfo kProfileGetCommand{
    .name = "profile-get",
    .operands = "SVC PROFILE [FILE]",
    .least = 2,
    .most = 3,
    .summary = "Write a profile to FILE (profile.PROFILE.TYPE).",
    .details = "PROFILE is its number, as `slc ctl profiles` shows it.\n",
    .plan = PlanProfile<false>,
};

constinit const CommandInfo kProfileRemoveCommand{
    .name = "profile-rm",
    .operands = "SVC PROFILE",
    .least = 2,
    .most = 2,
    .summary = "Remove a profile.",
    .plan = PlanProfile<true>,
};

int Run(const ProfilesOptions& options) {
  Question question;
  question.control = options.control;
  question.body = ListProfiles{options.service};
  const Answer answer = Ask(question);
  if (answer.kind != Answer::Kind::kReply || answer.reply.error) {
    return ReportFailure(answer, "profiles of " + options.service, options.service,
                         options.control.json);
  }
  const auto* profiles = std::get_if<ProfileList>(&answer.reply.data);
  const ProfileList list = profiles != nullptr ? *profiles : ProfileList{};
  Print(options.control.json ? ProfilesJson(list) : ProfilesText(list, options.service));
  return kDone;
}

int Run(const ProfileOptions& options) {
  const std::string what = (options.remove ? "remove profile " : "get profile ") +
                           std::to_string(options.profile) + " of " + options.service;
  const auto fail = [&](const Error& error) {
    return ReportError(error.During("cannot " + what), options.control.json);
  };
  Question question;
  question.control = options.control;
  question.doing = what;
  question.quiet = options.control.json;
  if (options.remove) {
    question.body = RemoveProfile{options.service, options.profile};
  } else {
    question.body = ReadProfile{options.service, options.profile, false};
  }
  Answer answer = Ask(question);
  const bool refused = answer.kind == Answer::Kind::kReply && answer.reply.error &&
                       answer.reply.error->code == ErrorCode::kPermission;
  if (refused && !options.remove) {
    // A heap snapshot takes more than the others, on another machine.
    question.body = ReadProfile{options.service, options.profile, true};
    answer = Ask(question);
  }
  if (answer.kind != Answer::Kind::kReply || answer.reply.error) {
    return ReportFailure(answer, what, options.service, options.control.json);
  }
  if (options.remove) {
    Print(options.control.json ? DoneJson(answer.reply, answer.took)
                               : "Profile " + std::to_string(options.profile) + " was removed\n");
    return kDone;
  }
  const auto* profiles = std::get_if<ProfileList>(&answer.reply.data);
  if (profiles == nullptr || profiles->size() != 1) {
    return fail({ErrorCode::kProtocol, "slcd does not say which profile it is"});
  }
  const Profile& profile = profiles->front();
  if (!profile.errored.empty())
    return fail({ErrorCode::kNotFound, "it failed: " + profile.errored});
  if (!profile.whole()) {
    return fail({ErrorCode::kConflict,
                 "it is under way; try again when slc ctl profiles shows its "
                 "size and no more"});
  }
  if (!answer.channel || answer.channel->streams() != 1) {
    return fail({ErrorCode::kProtocol, "slcd has not sent its file"});
  }
  const std::string file = options.file.empty() ? "profile." + FileNameOf(profile) : options.file;
  FetchHow how;
  how.doing = what;
  how.quiet = options.control.json;
  const auto size = FetchFile(AsResult(*answer.channel, profile.bytes), file, how);
  if (!size) return fail(size.error());
  if (options.control.json) {
    Print(ProfileWrittenJson(profile, file));
  } else {
    Print("Profile written to `" + Printable(file) + "`, load into Chrome Dev Tools\n");
  }
  return kDone;
}

}  // namespace slc::ctl
