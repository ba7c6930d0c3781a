#include "daemon/gateway/gateway.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <string_view>
#include <unordered_map>
#include <utility>

#include "common/http/target.h"
#include "common/model/json_fields.h"

namespace slc::gateway {
namespace {

int PortOf(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return 0;
  if (storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  }
  if (storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  }
  return 0;
}

// As Node calls it.
std::string ArchitectureOf(std::string_view machine) {
  if (machine == "x86_64") return "x64";
  if (machine == "aarch64") return "arm64";
  return std::string(machine);
}

MeshFacts FactsOf(const DaemonInfo& info, int port) {
  MeshFacts facts;
  utsname system{};
  if (::uname(&system) == 0) {
    facts.os_release = system.release;
    facts.arch = ArchitectureOf(system.machine);
    facts.hostname = system.nodename;
  }
  facts.version = info.version;
  facts.daemon_pid = info.pid;
  facts.port = port;
  return facts;
}

http::Response Message(int status, const std::string& message) {
  http::Response response;
  response.status = status;
  response.body = "{\"error\":{\"status\":" + std::to_string(status) + ",\"message\":";
  AppendJsonString(response.body, message);
  response.body += "}}";
  return response;
}

}  // namespace

// One listening socket, and the requests on it that are not answered yet.
struct Gateway::Front {
  struct Asked {
    std::string method;
    std::string target;
  };

  std::unordered_map<http::ExchangeId, Asked> asked;
  std::unique_ptr<http::HttpServer> server;
};

Gateway::Gateway(uv::Loop& loop, UniqueFd control, std::vector<GatewayListener> listeners,
                 std::vector<std::string> names, http::HttpLimits limits)
    : loop_(loop),
      limits_(limits),
      guard_(std::move(names)),
      waiting_(std::move(listeners)),
      session_(loop, std::move(control), [this] { End("slcd has left"); }),
      backend_(session_) {
  backend_.Ask(GetInfo{}, [this](const Result<Reply>& reply) {
    if (!reply) return End(reply.error().message);
    const auto* info = std::get_if<DaemonInfo>(&reply->data);
    if (info == nullptr) return End("slcd does not say what it is");
    Begin(*info);
  });
}

Gateway::~Gateway() = default;

void Gateway::End(const std::string& trouble) {
  if (trouble_.empty()) trouble_ = trouble;
  loop_.Stop();
}

void Gateway::Begin(const DaemonInfo& info) {
  const int port = waiting_.empty() ? 0 : PortOf(waiting_.front().socket.get());
  mesh_ = std::make_unique<MeshApi>(backend_, FactsOf(info, port));
  for (GatewayListener& listener : waiting_) {
    auto front = std::make_unique<Front>();
    Front* added = front.get();
    const bool tls = listener.tls.has_value();
    http::HttpServer::Events events;
    events.on_head = [this, added, tls](http::ExchangeId exchange, http::RequestHead& head,
                                        const http::ClientAddress& address) {
      const std::string refusal = guard_.Refusal(head, tls, address.local, false);
      if (!refusal.empty()) {
        added->server->Answer(exchange, Message(403, refusal));
      } else {
        added->asked[exchange] = {std::move(head.method), std::move(head.target)};
      }
      return http::HttpServer::Body::kCollect;
    };
    events.on_request = [this, added](http::ExchangeId exchange, const std::string& body) {
      OnRequest(*added, exchange, body);
    };
    events.on_gone = [added](http::ExchangeId exchange) { added->asked.erase(exchange); };
    front->server = std::make_unique<http::HttpServer>(loop_, std::move(listener.socket), limits_,
                                                       std::move(events), std::move(listener.tls));
    fronts_.push_back(std::move(front));
  }
  waiting_.clear();
}

void Gateway::OnRequest(Front& front, http::ExchangeId exchange, const std::string& body) {
  const Front::Asked asked = std::move(front.asked[exchange]);
  front.asked.erase(exchange);
  const auto target = http::ParseTarget(asked.target);
  if (!target) {
    return front.server->Answer(exchange, Message(400, "the target cannot be decoded"));
  }
  const bool health = target->segments.size() == 1 && target->segments[0] == "healthz" &&
                      (asked.method == "GET" || asked.method == "HEAD");
  if (health) return Health(front, exchange);
  const bool taken = mesh_->Handle(asked.method, *target, body,
                                   [&front, exchange](const http::Response& response) {
                                     front.server->Answer(exchange, response);
                                   });
  if (!taken) front.server->Answer(exchange, Message(404, "there is nothing here"));
}

// Well is who gets an answer of slcd.
void Gateway::Health(Front& front, http::ExchangeId exchange) {
  backend_.Ask(GetInfo{}, [&front, exchange](const Result<Reply>& reply) {
    http::Response response;
    const bool well = reply && !reply->error;
    response.status = well ? 200 : 503;
    response.body = well ? "{\"status\":\"ok\"}" : "{\"status\":\"slcd does not answer\"}";
    front.server->Answer(exchange, response);
  });
}

}  // namespace slc::gateway
