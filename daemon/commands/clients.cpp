#include "daemon/commands/clients.h"

#include <unistd.h>

#include <utility>

namespace slc {

void Clients::Listen(UniqueFd listener, ControlServer::Events events) {
  server_ = std::make_unique<ControlServer>(loop_, std::move(listener), std::move(events));
}

Command Clients::CommandOf(ClientId client, Request request) const {
  const bool outer = client != kInnerClient && server_;
  const Peer peer = outer ? server_->peer(client) : Peer{::geteuid(), ::getpid()};
  return Command{client, std::move(request), peer, BootNow()};
}

void Clients::Accept(const Command& command, ServiceId id, const std::vector<std::string>& notes) {
  if (observer_.on_accepted) observer_.on_accepted(command, id, notes);
}

void Clients::Tell(const Command& command, const Progress& progress) {
  if (command.client == kNoClient || command.client == kInnerClient || !server_) return;
  server_->Send(command.client, EncodeProgress(command.request.id, progress));
}

void Clients::Answer(const Command& command, const Reply& reply, std::vector<UniqueFd> fds) {
  if (observer_.on_answered) observer_.on_answered(command, reply);
  if (command.client == kInnerClient) {
    if (on_inner_reply_) on_inner_reply_(command.request.id, reply);
  } else if (command.client != kNoClient && server_) {
    const std::string message = EncodeReply(command.request.id, reply, fds.size());
    server_->Send(command.client, message, std::move(fds));
  }
}

void Clients::Refuse(const Command& command, Error error) {
  Reply reply;
  reply.error = std::move(error);
  Answer(command, reply);
}

}  // namespace slc
