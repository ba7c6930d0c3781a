#include "ctl/doctor/patient.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/ids.h"
#include "common/base/lock_holder.h"
#include "common/base/spawn.h"
#include "common/base/text.h"
#include "common/model/json.h"
#include "common/model/json_fields.h"
#include "common/wire/client.h"
#include "ctl/journal/reader.h"

namespace slc::ctl {
namespace {

// What a request is answered with; nothing if it is not within two seconds.
std::optional<Reply> AskOnce(const std::string& socket, RequestBody body) {
  constexpr Millis kPatience = 2000;
  auto client = ControlClient::Connect(socket);
  if (!client) return std::nullopt;
  Request request;
  request.id = NewRequestId();
  request.body = std::move(body);
  if (!client->Send(request)) return std::nullopt;
  auto message = client->Receive(kPatience);
  if (!message || !*message) return std::nullopt;
  auto* reply = std::get_if<Reply>(&(*message)->body);
  return reply != nullptr ? std::optional<Reply>(std::move(*reply)) : std::nullopt;
}

void AskDaemon(Patient& patient) {
  const std::string socket = patient.paths.run + "/" + kDaemonSocket;
  const auto info = AskOnce(socket, GetInfo{});
  const auto* about = info ? std::get_if<DaemonInfo>(&info->data) : nullptr;
  if (about == nullptr) return;
  patient.daemon = *about;
  patient.asked = BootNow();
  auto list = AskOnce(socket, ListServices{});
  auto* views = list ? std::get_if<std::vector<ServiceView>>(&list->data) : nullptr;
  if (views != nullptr) patient.views = std::move(*views);
}

// slcd judges what a file holds; here only what can be read counts.
std::optional<Wish> ReadWish(int services, const std::string& file) {
  auto text = ReadFileAt(services, file);
  if (!text) return std::nullopt;
  auto parsed = ParseJson(*text);
  Wish wish;
  if (!parsed || !parsed->is_object() || !parsed->contains("wish") ||
      !FromJson(parsed->at("wish"), wish)) {
    return std::nullopt;
  }
  return wish;
}

void ReadWishes(Patient& patient) {
  const UniqueFd services(
      ::open((patient.paths.home + "/services").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!services && errno == EACCES) patient.closed = std::strerror(errno);
  if (!services) return;
  const auto names = ListDirectory(services.get());
  if (!names) return;
  for (const std::string& name : *names) {
    if (EndsWith(name, ".json.bad")) patient.unreadable.push_back(name);
    if (!EndsWith(name, ".json")) continue;
    auto wish = ReadWish(services.get(), name);
    if (wish) {
      patient.wishes.push_back(std::move(*wish));
    } else {
      patient.unreadable.push_back(name);
    }
  }
}

// Who holds the lock, without taking it. The file names the last holder; one that could not write
// into it is known by nothing.
std::optional<ProcessIdentity> HolderOf(const std::string& run) {
  const UniqueFd folder(::open(run.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return std::nullopt;
  const auto locked = IsLockedAt(folder.get(), kDaemonLock);
  if (!locked || !*locked) return std::nullopt;
  const auto text = ReadFileAt(folder.get(), kDaemonLock, 4096);
  const auto holder = ReadLockHolder(text ? *text : std::string());
  return holder ? holder->process : ProcessIdentity{};
}

void ReadPast(Patient& patient) {
  constexpr Millis kRecent = 3'600'000;
  const Millis now = WallNow();
  const Millis boot = now - BootNow();
  bool told_of_daemon = false;
  RecentPast& past = patient.past;
  // From the newest on; none is kept.
  const auto take = [&](const JournalRecord& record) {
    if (StartsWith(record.kind, "daemon_") && !told_of_daemon) {
      told_of_daemon = true;
      past.shut_down = record.kind == "daemon_stopping" && record.time >= boot;
    }
    const bool ended = record.kind == "worker_ended" || record.kind == "worker_given_up" ||
                       record.kind == "worker_hung";
    if (ended && record.time >= now - kRecent) past.ends[record.id] += record.times;
    return false;
  };
  const auto records = JournalReader(patient.paths.home).Last(1, take);
  if (!records) past.trouble = records.error().message;
}

}  // namespace

const ServiceView* Patient::ViewOf(const std::string& name) const {
  for (const ServiceView& view : views) {
    if (view.name == name) return &view;
  }
  return nullptr;
}

const Supervisor* Patient::MasterOf(ServiceId id) const {
  for (const Supervisor& supervisor : supervisors) {
    if (supervisor.master && supervisor.service == id) return &supervisor;
  }
  return nullptr;
}

std::string Patient::Owner() const {
  struct stat info {};
  if (::stat(paths.home.c_str(), &info) != 0) return "its owner";
  return NameOfUser(info.st_uid);
}

bool IsToRun(const Wish& wish) {
  return wish.run && wish.size > 0 && !wish.removing && !wish.spec.script.empty();
}

Result<Patient> Examine() {
  Patient patient;
  auto paths = LocateOwnHome();
  if (!paths) return paths.error();
  patient.paths = *paths;
  struct stat info {};
  const bool seen = ::stat(paths->home.c_str(), &info) == 0;
  patient.exists = seen || errno != ENOENT;
  if (!seen && patient.exists) patient.closed = std::strerror(errno);
  if (!seen) return patient;
  patient.cookie = std::to_string(info.st_dev) + "-" + std::to_string(info.st_ino) + "-";
  ReadWishes(patient);
  if (patient.closed.empty()) ReadPast(patient);
  patient.supervisors = FindSupervisors(*paths);
  patient.holder = HolderOf(paths->run);
  AskDaemon(patient);
  return patient;
}

Environment EnvironmentOf(pid_t pid) {
  Environment environment;
  const auto text = ReadFile("/proc/" + std::to_string(pid) + "/environ", 8U << 20);
  if (!text) return environment;
  for (const std::string& line : Split(*text, '\0')) {
    if (auto variable = ParseAssignment(line)) environment.insert(std::move(*variable));
  }
  return environment;
}

std::string VariableOf(pid_t pid, const std::string& name) {
  const Environment environment = EnvironmentOf(pid);
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

}  // namespace slc::ctl
