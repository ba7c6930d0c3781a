#include "daemon/gateway/gateway.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <iterator>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/http/deploy_stream.h"
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
  facts.started_wall = info.started_wall;
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

bool IsHealth(const std::string& method, const std::string& target) {
  return target == "/healthz" && (method == "GET" || method == "HEAD");
}

// As the original has it: its clients look for the status, and git for the challenge.
http::Response Refused(const Authenticator::Verdict& verdict) {
  http::Response response;
  response.type = "text/plain; charset=utf-8";
  if (verdict.wait > 0) {
    response.status = 429;
    response.headers.push_back({"retry-after", std::to_string((verdict.wait + 999) / 1000)});
    response.body = "429 Too Many Requests: " + verdict.reason + "\n";
  } else {
    response.status = 401;
    response.headers.push_back({"www-authenticate", "Basic realm=\"slc\""});
    response.body = "401 Unauthorized: " + verdict.reason + "\n";
  }
  return response;
}

// What slcd has opened, as far as there is.
Result<std::optional<http::TlsContext>> TlsOf(const GatewayWish& wish,
                                              std::vector<UniqueFd> files) {
  if (!wish.has_tls()) return std::optional<http::TlsContext>();
  constexpr std::size_t kMostBytes = 1U << 20;
  std::vector<std::string> texts;
  for (const UniqueFd& file : files) {
    auto text = ReadOpenFile(file, "certificate or key", kMostBytes);
    if (!text) return text.error();
    texts.push_back(std::move(*text));
  }
  if (texts.size() != (wish.client_ca.empty() ? 2U : 3U)) {
    return Error{ErrorCode::kInternal, "slcd has sent no certificate"};
  }
  http::TlsContext::ServerOptions options;
  options.certificate = texts[0];
  options.key = texts[1];
  if (texts.size() > 2) options.client_ca = texts[2];
  auto context = http::TlsContext::Server(options);
  if (!context) return context.error().During(wish.certificate + ", " + wish.key);
  return std::optional<http::TlsContext>(std::move(*context));
}

}  // namespace

// A request that is not answered yet.
struct Gateway::Asked {
  std::string method;
  std::string target;
  bool events = false;                 // wants server-sent events
  std::optional<Principal> principal;  // once that is proved
  std::optional<std::string> body;     // once it is there
  bool streamed = false;               // it comes by itself
  std::optional<DeployUploads::Asked> deploy;
  std::optional<GitPushes::Asked> push;
};

// One listening socket.
struct Gateway::Front {
  bool tls = false;
  std::unordered_map<http::ExchangeId, Asked> asked;
  std::set<http::ExchangeId> to_follow;  // until slcd has sent what
  std::unique_ptr<http::HttpServer> server;
};

Gateway::Gateway(uv::Loop& loop, UniqueFd control, Authenticator::Owner owner,
                 http::HttpLimits limits)
    : loop_(loop),
      limits_(limits),
      guard_({}),
      authenticator_(loop, std::move(owner)),
      session_(loop, std::move(control), [this] { End("slcd has left"); }),
      backend_(loop, session_),
      v1_(backend_),
      streams_(loop),
      files_(loop),
      relay_(loop, session_),
      uploads_(loop, backend_),
      pushes_(loop, backend_) {
  backend_.Ask({}, GetInfo{}, [this](const Result<Reply>& reply) {
    if (!reply) return End(reply.error().message);
    const auto* info = std::get_if<DaemonInfo>(&reply->data);
    if (info == nullptr) return End("slcd does not say what it is");
    info_ = *info;
    AskWhatToServe();
  });
}

Gateway::~Gateway() = default;

void Gateway::End(const std::string& trouble) {
  if (trouble_.empty()) trouble_ = trouble;
  loop_.Stop();
}

void Gateway::Reload() {
  // Else it has yet to ask for the first time.
  if (!fronts_.empty()) AskWhatToServe();
}

void Gateway::AskWhatToServe() {
  backend_.Ask({}, ServeGateway{}, [this](Result<Reply> reply) {
    if (!reply) return End(reply.error().message);
    if (reply->error) return End(reply->error->message);
    const auto* wish = std::get_if<GatewayWish>(&reply->data);
    if (wish == nullptr) return End("slcd does not say what to serve");
    authenticator_.SetCredentials(wish->credentials, !wish->client_ca.empty());
    // What has come again with a reload is the same.
    if (fronts_.empty()) Begin(*wish, std::move(reply->descriptors));
  });
}

void Gateway::Begin(const GatewayWish& wish, std::vector<UniqueFd> fds) {
  guard_ = RequestGuard(wish.hosts);
  auto next = fds.begin();
  std::vector<UniqueFd> sockets;
  for (; sockets.size() < wish.listen.size() && next != fds.end(); ++next) {
    sockets.push_back(std::move(*next));
  }
  if (sockets.size() < wish.listen.size() || sockets.empty()) {
    return End("slcd has sent too few sockets");
  }
  const auto tls = TlsOf(wish, {std::make_move_iterator(next), std::make_move_iterator(fds.end())});
  if (!tls) return End(tls.error().message);
  int port = 0;
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    if (port == 0) port = PortOf(sockets[i].get());
    // On this machine there is nobody to listen in; clients of unix sockets speak no TLS.
    Listen(std::move(sockets[i]), UnixPathOf(wish.listen[i]).empty() ? *tls : std::nullopt);
  }
  mesh_ = std::make_unique<MeshApi>(backend_, FactsOf(*info_, port));
}

void Gateway::Listen(UniqueFd socket, const std::optional<http::TlsContext>& tls) {
  auto front = std::make_unique<Front>();
  Front* added = front.get();
  front->tls = tls.has_value();
  http::HttpServer::Events events;
  events.on_head = [this, added](http::ExchangeId exchange, http::RequestHead& head,
                                 const http::ClientAddress& address) {
    return OnHead(*added, exchange, head, address);
  };
  events.on_data = [this, added](http::ExchangeId exchange, std::string_view data) {
    uploads_.OnData(added->server.get(), exchange, data);
    pushes_.OnData(added->server.get(), exchange, data);
  };
  events.on_end = [this, added](http::ExchangeId exchange) {
    uploads_.OnEnd(added->server.get(), exchange);
    pushes_.OnEnd(added->server.get(), exchange);
  };
  events.on_request = [this, added](http::ExchangeId exchange, std::string body) {
    const auto asked = added->asked.find(exchange);
    if (asked == added->asked.end()) return;
    asked->second.body = std::move(body);
    Dispatch(*added, exchange);
  };
  events.on_room = [this, added](http::ExchangeId exchange) {
    streams_.OnRoom(added->server.get(), exchange);
    files_.OnRoom(added->server.get(), exchange);
    relay_.OnRoom(added->server.get(), exchange);
    pushes_.OnRoom(added->server.get(), exchange);
  };
  events.on_gone = [this, added](http::ExchangeId exchange) {
    added->asked.erase(exchange);
    added->to_follow.erase(exchange);
    streams_.OnGone(added->server.get(), exchange);
    files_.OnGone(added->server.get(), exchange);
    relay_.OnGone(added->server.get(), exchange);
    uploads_.OnGone(added->server.get(), exchange);
    pushes_.OnGone(added->server.get(), exchange);
  };
  front->server =
      std::make_unique<http::HttpServer>(loop_, std::move(socket), limits_, std::move(events), tls);
  fronts_.push_back(std::move(front));
}

http::HttpServer::Body Gateway::OnHead(Front& front, http::ExchangeId exchange,
                                       http::RequestHead& head,
                                       const http::ClientAddress& address) {
  using Body = http::HttpServer::Body;
  const std::string* accept = head.Find("accept");
  const auto accepts = [accept](const char* type) {
    return accept != nullptr && accept->find(type) != std::string::npos;
  };
  const bool events = accepts("text/event-stream");
  const std::string refusal = guard_.Refusal(head, front.tls, address.local, events);
  if (!refusal.empty()) {
    front.server->Answer(exchange, Message(403, refusal));
    return Body::kCollect;
  }
  Asked& asked = front.asked[exchange];
  asked.method = head.method;
  asked.target = head.target;
  asked.events = events;
  if (IsHealth(asked.method, asked.target)) {
    asked.principal = Principal{};
    return Body::kCollect;
  }
  std::string rest;
  const auto target = http::ParseTarget(head.target);
  const auto service = target ? ServiceOfDeploy(*target, rest) : std::nullopt;
  if (service && rest.empty()) {
    asked.deploy = DeployUploads::Asked{*service, *target, accepts(http::kDeployStreamType)};
    asked.streamed = head.method == "PUT";
  } else if (service) {
    const bool packed = head.Find("content-encoding") != nullptr;
    asked.push = GitPushes::Asked{*service, rest, *target, packed};
    asked.streamed = GitPushes::TakesBody(head.method, rest);
  }
  const bool streamed = asked.streamed;
  // Nothing of it is read before it is known who sends it.
  if (streamed) front.server->Pause(exchange);
  authenticator_.Check(head, address,
                       [this, &front, exchange](const Authenticator::Verdict& verdict) {
                         OnVerdict(front, exchange, verdict);
                       });
  return streamed ? Body::kStream : Body::kCollect;
}

void Gateway::OnVerdict(Front& front, http::ExchangeId exchange,
                        const Authenticator::Verdict& verdict) {
  const auto asked = front.asked.find(exchange);
  if (asked == front.asked.end()) return;
  if (verdict.principal) {
    asked->second.principal = verdict.principal;
    return Dispatch(front, exchange);
  }
  front.asked.erase(asked);
  front.server->Answer(exchange, Refused(verdict));
}

void Gateway::Dispatch(Front& front, http::ExchangeId exchange) {
  const auto found = front.asked.find(exchange);
  if (!found->second.principal || (!found->second.body && !found->second.streamed)) return;
  const Asked asked = std::move(found->second);
  front.asked.erase(found);
  if (asked.push || asked.streamed || (asked.deploy && asked.method == "POST")) {
    return BeginDeploy(front, exchange, asked);
  }
  if (asked.method == "GET" && asked.body->empty()) {
    const Look look{asked.principal->name, asked.principal->scopes, asked.target};
    if (looks_.Join(look, {&front, exchange, asked.events})) Ask(look);
    return;
  }
  V1Api::Answerer answerer;
  answerer.respond = [&front, exchange](const http::Response& response) {
    front.server->Answer(exchange, response);
  };
  answerer.stream = [this, &front, exchange, events = asked.events,
                     who = asked.principal->name](LineRequest request) {
    Follow({&front, exchange, events}, who, std::move(request));
  };
  answerer.control = [this, &front, exchange, &asked] {
    relay_.Serve(front.server.get(), exchange, *asked.principal, *asked.body);
  };
  answerer.send = [this, &front, exchange](const http::Response& head, UniqueFd file) {
    files_.Send(front.server.get(), exchange, head, std::move(file));
  };
  Serve(*asked.principal, asked.method, asked.target, *asked.body, answerer);
}

void Gateway::Ask(const Look& look) {
  V1Api::Answerer answerer;
  answerer.respond = [this, look](const http::Response& response) {
    for (const Looker& one : Conclude(look)) one.front->server->Answer(one.exchange, response);
  };
  answerer.stream = [this, look](const LineRequest& request) {
    for (const Looker& one : Conclude(look)) Follow(one, look.principal, request);
  };
  answerer.send = [this, look](const http::Response& head, const UniqueFd& file) {
    for (const Looker& one : Conclude(look)) {
      files_.Send(one.front->server.get(), one.exchange, head, file.Duplicate());
    }
  };
  Serve({look.principal, look.scopes}, "GET", look.target, {}, answerer);
}

// Whoever waits for the next answer has it asked for before this one is written to many.
std::vector<Gateway::Looker> Gateway::Conclude(const Look& look) {
  auto concluded = looks_.Conclude(look);
  if (concluded.again) Ask(look);
  return std::move(concluded.askers);
}

void Gateway::Serve(const Principal& who, const std::string& method, const std::string& path,
                    const std::string& body, const V1Api::Answerer& answerer) {
  const auto target = http::ParseTarget(path);
  if (!target) return answerer.respond(Message(400, "the target cannot be decoded"));
  if (IsHealth(method, path)) return Health(answerer.respond);
  const bool taken = mesh_->Handle(who, method, *target, body, answerer.respond, answerer.send) ||
                     v1_.Handle(who, method, *target, body, answerer);
  if (!taken) answerer.respond(Message(404, "there is nothing here"));
}

void Gateway::BeginDeploy(Front& front, http::ExchangeId exchange, const Asked& asked) {
  const Principal& who = *asked.principal;
  http::HttpServer& server = *front.server;
  if (!Grants(who.scopes, Scope::kDeploy)) {
    return server.Answer(exchange, Message(403, Printable(who.name) +
                                                    " may not deploy; it takes the scope 'deploy': "
                                                    "slc token add NAME --scope deploy"));
  }
  if (asked.push) return pushes_.Begin(server, exchange, who, asked.method, *asked.push);
  if (asked.streamed) return uploads_.Begin(server, exchange, who, *asked.deploy);
  uploads_.RunFolder(server, exchange, who, *asked.deploy, *asked.body);
}

void Gateway::Follow(const Looker& one, const std::string& principal, LineRequest request) {
  const std::string shared = request.shared;
  const bool endless = request.follow;
  if (streams_.Join(shared, {one.front->server.get(), one.exchange, one.events, endless})) return;
  one.front->to_follow.insert(one.exchange);
  if (!shared.empty()) {
    // Who comes before its pipe does not need one of his own.
    auto& all = to_share_[shared];
    all.push_back(one);
    if (all.size() > 1) return;
  }
  backend_.Ask(principal, std::move(request.body),
               [this, one, shared, endless](Result<Reply> reply) {
                 std::vector<Looker> all{one};
                 if (!shared.empty()) all = std::move(to_share_.extract(shared).mapped());
                 BeginToFollow(std::move(all), shared, endless, std::move(reply));
               });
}

void Gateway::BeginToFollow(std::vector<Looker> all, const std::string& shared, bool endless,
                            Result<Reply> reply) {
  // Clients may have left meanwhile.
  std::erase_if(all,
                [](const Looker& one) { return one.front->to_follow.erase(one.exchange) == 0; });
  if (all.empty()) return;
  const std::optional<Error> failed = reply ? reply->error : std::optional(reply.error());
  if (failed || reply->descriptors.empty()) {
    const auto response =
        failed ? Message(503, failed->message) : Message(500, "slcd sent no pipe");
    for (const Looker& one : all) one.front->server->Answer(one.exchange, response);
    return;
  }
  std::vector<LineStreams::Follower> followers;
  followers.reserve(all.size());
  for (const Looker& one : all) {
    followers.push_back({one.front->server.get(), one.exchange, one.events, endless});
  }
  streams_.Add(std::move(reply->descriptors.front()), shared, followers);
}

// Well is who gets an answer of slcd.
void Gateway::Health(const std::function<void(const http::Response& response)>& respond) {
  backend_.Ask({}, GetInfo{}, [respond](const Result<Reply>& reply) {
    http::Response response;
    const bool well = reply && !reply->error;
    response.status = well ? 200 : 503;
    response.body = well ? "{\"status\":\"ok\"}" : "{\"status\":\"slcd does not answer\"}";
    respond(response);
  });
}

}  // namespace slc::gateway
