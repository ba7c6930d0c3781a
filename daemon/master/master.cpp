#include "daemon/master/master.h"

#include <csignal>

#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/version.h"

namespace slc {

Master::Master(uv::Loop& loop, UniqueFd directory, UniqueFd first_link, std::string agent_path,
               rlimit worker_nofile)
    : loop_(loop),
      directory_(std::move(directory)),
      link_(loop, directory_.get(), std::move(first_link),
            ControlLink::Events{[this](const link::Packet& packet, std::vector<UniqueFd> fds) {
                                  OnPacket(packet, std::move(fds));
                                },
                                [this] { OnLinked(); },
                                // slcd ended before it told us whom we work for.
                                [this] { loop_.Stop(); }}),
      on_term_(loop, SIGTERM, [this] { Leave(); }),
      on_int_(loop, SIGINT, [this] { Leave(); }) {
  environment_.agent_path = std::move(agent_path);
  environment_.nofile = worker_nofile;
  environment_.core = ForbidCoreDumps();
}

Master::~Master() { log::SetSink(nullptr); }

void Master::OnLinked() {
  link::MasterHello hello;
  hello.epoch = epoch_;
  hello.master = IdentifySelf();
  hello.boot_id = BootId();
  hello.in_charge = instance_ && instance_->in_charge();
  link_.Send(hello);
  if (hello.in_charge) instance_->TellEverything();
}

void Master::OnPacket(const link::Packet& packet, std::vector<UniqueFd> fds) {
  if (const auto* setup = std::get_if<link::Setup>(&packet)) {
    Inheritance none;
    return Begin(*setup, none);
  }
  if (!instance_) return;
  if (const auto* order = std::get_if<link::Order>(&packet)) {
    return instance_->Obey(order->wish, std::move(fds));
  }
  if (const auto* adopt = std::get_if<link::AdoptFds>(&packet)) {
    return instance_->CollectAdopted(adopt->names, std::move(fds));
  }
  if (std::holds_alternative<link::AdoptEnd>(packet)) return instance_->TakeOver();
  if (const auto* again = std::get_if<link::StoreAgain>(&packet)) {
    return instance_->StoreAgain(again->names);
  }
  if (std::holds_alternative<link::Ping>(packet)) {
    instance_->StoreAgain({});
    return instance_->LookAround();
  }
  if (const auto* exit = std::get_if<link::ExitStatus>(&packet)) {
    return instance_->NoteStatus(exit->process, exit->status);
  }
  if (const auto* question = std::get_if<link::Inspect>(&packet)) {
    return instance_->Inspect(*question);
  }
  if (const auto* upgrade = std::get_if<link::Upgrade>(&packet)) {
    return in_place_->Begin(upgrade->program);
  }
}

void Master::Begin(const link::Setup& setup, Inheritance& inheritance) {
  if (instance_) return;
  setup_ = setup;
  epoch_ = setup.epoch;
  environment_.cookie = setup.cookie;
  link_.SetRevival({setup.daemon_program, setup.home, environment_.nofile, environment_.core});
  logs_ = std::make_unique<LogPump>(loop_, setup.log_directory, LogSettings{});
  log::SetSink([this](log::Level level, const std::string& line) { logs_->Say(level, line); });
  // Two masters of one instance would hand out the same connections: the lock is held for life.
  Result<UniqueFd> lock = inheritance.Take("lock");
  if (!*lock) {
    lock = LockFileAt(directory_.get(), "master.lock", "");
  }
  if (!lock) {
    log::Failure(lock.error().code == ErrorCode::kConflict ? "another master holds this instance"
                                                           : lock.error().message);
    return loop_.Stop();
  }
  lock_ = std::move(*lock);
  link_.Listen(inheritance.Take("control"));
  instance_ = std::make_unique<Instance>(loop_, link_, *logs_, setup, environment_);
  in_place_ = std::make_unique<InPlace>(
      loop_, *instance_, setup.name, environment_.core,
      InPlace::Hands{
          [this] { return WhyNotInPlace(); },
          // A thread that waits in the disk would keep the next image from beginning.
          [this] { return link_.binding() ? "the disk of its socket does not answer" : ""; },
          [this](Bequest& bequest) { Bequeath(bequest); },
          [this](const std::string& reason) { link_.Send(link::UpgradeRefused{reason}); }});
  if (leaving_) instance_->Leave();
}

std::string Master::WhyNotInPlace() const {
  if (leaving_ || !instance_->in_charge()) return "its service is just being started or stopped";
  if (!link_.linked() || !link_.flushed()) return "its link to slcd is not whole";
  return {};
}

void Master::Bequeath(Bequest& bequest) const {
  bequest.fds["lock"] = lock_.get();
  bequest.fds["directory"] = directory_.get();
  bequest.fds["link"] = link_.ruler_fd();
  if (link_.listener() >= 0) bequest.fds["control"] = link_.listener();
  bequest.facts = EncodeStanding(MasterStanding{setup_, link_.standing(), OwnVersion().text});
}

void Master::GoOn(Inheritance inheritance, const MasterStanding& standing) {
  link_.GoOn(standing.daemon);
  Begin(standing.setup, inheritance);
  if (!instance_) return;
  std::vector<std::string> names;
  std::vector<UniqueFd> fds;
  for (auto& [name, fd] : inheritance.TakeBelow("")) {
    names.push_back(name);
    fds.push_back(std::move(fd));
  }
  instance_->CollectAdopted(names, std::move(fds));
  instance_->GoOn(standing.version);
  OnLinked();
}

// The operator (or the machine going down) ends this instance; what is wished stays wished.
void Master::Leave() {
  leaving_ = true;
  if (instance_) instance_->Leave();
}

}  // namespace slc
