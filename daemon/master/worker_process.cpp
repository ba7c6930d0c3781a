#include "daemon/master/worker_process.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/fd_passing.h"
#include "common/base/own_limits.h"
#include "common/base/text.h"
#include "common/wire/link.h"

namespace slc {
namespace {

// Node knows its channel by this number; it is the first free one.
constexpr int kChannelFd = 3;

// When memory runs out a worker is to go before its master, and both before slcd; it is replaced.
constexpr int kOomScore = 300;

Status MakePipe(UniqueFd& ours, UniqueFd& theirs) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("make a pipe", errno);
  ours.reset(ends[0]);
  theirs.reset(ends[1]);
  // Only our end: a program that does not expect it breaks on a non-blocking stdout.
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  return Ok();
}

// As Node's primary numbers inspectors: one up per worker, within 1024..65535.
int InspectPort(int base, WorkerId id) {
  constexpr int kLowest = 1024;
  constexpr int kSpan = 65536 - kLowest;
  return kLowest + static_cast<int>((static_cast<unsigned>(base - kLowest) + id) %
                                    static_cast<unsigned>(kSpan));
}

// As systemd's sockets, see sd_listen_fds(3); nginx knows only its own variable. Node asks for them
// by the same numbers, but by its channel (listen({fd: 3}) in a cluster): it needs the names alone.
void HandOver(const std::vector<ProvidedListener>& listeners, const GenerationConfig& config,
              SpawnOptions& options) {
  constexpr int kFirst = 3;
  if (listeners.empty()) return;
  std::string names;
  std::string numbers;
  for (const ProvidedListener& listener : listeners) {
    const int number = kFirst + options.listen_fds++;
    names += (names.empty() ? "" : ":") + listener.name;
    numbers += std::to_string(number) + ";";
    if (!config.node) options.descriptors.emplace_back(listener.fd, number);
  }
  options.environment.push_back("LISTEN_FDNAMES=" + names);
  if (EndsWith(config.program, "/nginx")) options.environment.push_back("NGINX=" + numbers);
}

std::vector<std::string> Arguments(const GenerationConfig& config, const std::string& agent_path,
                                   WorkerId id) {
  std::vector<std::string> arguments = config.arguments;
  if (config.agent_position == 0) return arguments;
  auto at = arguments.begin() + static_cast<std::ptrdiff_t>(config.agent_position);
  if (config.inspect_port > 0) {
    at = arguments.insert(at,
                          "--inspect-port=" + std::to_string(InspectPort(config.inspect_port, id)));
    ++at;
  }
  at = arguments.insert(at, agent_path);
  arguments.insert(at, "--require");
  return arguments;
}

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::Prepare(uv::Loop& loop, WorkerId id,
                                                              SlotNumber slot, Events events) {
  std::unique_ptr<WorkerProcess> worker(new WorkerProcess(loop, id, slot, std::move(events)));
  SocketPair channel = MakeSocketPair(SOCK_STREAM);
  if (!channel.first) return SystemError("make an IPC channel", errno);
  worker->channel_fd_ = std::move(channel.first);
  worker->their_channel_ = std::move(channel.second);
  if (Status made = MakePipe(worker->output_, worker->their_output_); !made) return made.error();
  if (Status made = MakePipe(worker->errors_, worker->their_errors_); !made) return made.error();
  return worker;
}

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::Adopt(uv::Loop& loop, WorkerId id,
                                                            SlotNumber slot,
                                                            const WorkerFacts& facts,
                                                            UniqueFd channel, UniqueFd output,
                                                            UniqueFd errors, Events events) {
  std::unique_ptr<WorkerProcess> worker(new WorkerProcess(loop, id, slot, std::move(events)));
  worker->facts_ = facts;
  worker->adopted_ = true;
  worker->channel_fd_ = std::move(channel);
  worker->output_ = std::move(output);
  worker->errors_ = std::move(errors);
  worker->pidfd_ = OpenProcess(facts.process);
  if (!worker->pidfd_) {
    return Error{ErrorCode::kNotFound, "pid " + std::to_string(facts.process.pid) +
                                           " is gone or belongs to another process"};
  }
  return worker;
}

Status WorkerProcess::Start(const GenerationConfig& config, const SpawnEnvironment& environment,
                            SlotNumber told, const Provisions& provisions, int cgroup) {
  // Without it nobody could tell whether the worker is ready, nor have it drain.
  if (config.agent_position > 0 && environment.agent_path.empty()) {
    return Error{ErrorCode::kNotFound,
                 "agent.cjs, which Node is started with, is not where slc is installed: neither "
                 "beside slc-master nor in ../lib/slc. Install slc anew, then: slc upgrade"};
  }
  SpawnOptions options;
  options.program = config.program;
  options.arguments = Arguments(config, environment.agent_path, id_);
  options.environment = config.environment;
  options.environment.push_back(std::string(kCookieVariable) + "=" + environment.cookie + "." +
                                std::to_string(id_));
  options.environment.push_back("SLC_SLOT=" + std::to_string(told - 1));
  options.environment.push_back("NODE_APP_INSTANCE=" + std::to_string(told - 1));
  if (slot_ == 0) options.environment.emplace_back("SLC_SPARE=1");
  if (config.compile_cache && config.agent_position > 0) {
    options.environment.emplace_back("SLC_COMPILE_CACHE=1");
  }
  options.descriptors = {{their_output_.get(), STDOUT_FILENO},
                         {their_errors_.get(), STDERR_FILENO}};
  if (config.node) {
    options.environment.push_back("NODE_UNIQUE_ID=" + std::to_string(id_));
    options.environment.push_back("NODE_CHANNEL_FD=" + std::to_string(kChannelFd));
    options.environment.push_back("NODE_CHANNEL_SERIALIZATION_MODE=json");
    options.descriptors.emplace_back(their_channel_.get(), kChannelFd);
  }
  HandOver(provisions.listeners, config, options);
  if (!provisions.notify_socket.empty()) {
    options.environment.push_back("NOTIFY_SOCKET=" + provisions.notify_socket);
  }
  options.working_directory = config.working_directory;
  if (config.has_run_as) {
    options.run_as = RunAs{config.uid, config.gid, {config.groups.begin(), config.groups.end()}};
    // Who opens /dev/stdout by its name is asked for permission like for any file.
    for (const UniqueFd* pipe : {&their_output_, &their_errors_}) {
      if (::fchown(pipe->get(), config.uid, config.gid) != 0) {
        return SystemError("give the log pipes to uid " + std::to_string(config.uid), errno);
      }
    }
  }
  options.nofile = environment.nofile;
  if (const rlim_t files = config.limits.open_files; files > 0) {
    if (Status may = MayGiveFileLimit(files); !may) {
      return may.error().During(
          "--nofile " + std::to_string(files) +
          ", by a master with the limits of an earlier slcd (slc ctl stop and "
          "start give it another)");
    }
    options.nofile = rlimit{files, files};
  }
  options.nice = config.limits.nice;
  options.cgroup = cgroup;
  options.core = environment.core;
  options.oom_score = kOomScore;
  options.file_mask = config.file_mask;
  auto spawned = Spawn(options);
  // Whatever happened, the worker's ends must not stay open here: the end of a pipe or channel is
  // seen only when the last writer is gone.
  their_channel_.reset();
  their_output_.reset();
  their_errors_.reset();
  if (!config.node) channel_fd_.reset();
  if (!spawned) return spawned.error();
  facts_.process = spawned->identity;
  facts_.started_wall = WallNow();
  pidfd_ = std::move(spawned->pidfd);
  return Ok();
}

void WorkerProcess::Watch() {
  if (channel_fd_) {
    channel_ =
        std::make_unique<NodeChannel>(loop_, channel_fd_.get(),
                                      NodeChannel::Events{events_.on_line, events_.on_disconnected,
                                                          events_.on_room, events_.on_fact});
  }
  end_poll_ = std::make_unique<uv::Poll>(loop_, pidfd_.get(), [this](uv::Poll::Ready) {
    // A pidfd stays readable for ever.
    end_poll_->Watch(false, false);
    const auto on_ended = events_.on_ended;
    on_ended();
  });
  end_poll_->Watch(true, false);
}

std::vector<KeptFd> WorkerProcess::KeptFds() const {
  std::vector<KeptFd> kept;
  if (channel_fd_) kept.push_back({link::WorkerFdName(id_, "channel"), channel_fd_.get()});
  if (output_) kept.push_back({link::WorkerFdName(id_, "stdout"), output_.get()});
  if (errors_) kept.push_back({link::WorkerFdName(id_, "stderr"), errors_.get()});
  return kept;
}

}  // namespace slc
