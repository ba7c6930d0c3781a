#include "ctl/remote/remote.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/http/connect.h"
#include "common/http/response.h"
#include "common/model/json_fields.h"

namespace slc::ctl {
namespace {

constexpr Millis kConnectLimit = 10'000;
constexpr std::size_t kMostAnswer = 1U << 20;

// The message of an error as the API gives it, or the first line of plain text; fit for a terminal.
std::string MessageIn(const http::AnswerHead& head, const std::string& body) {
  constexpr std::size_t kMost = 500;
  const std::string type = head.media_type();
  if (type == "text/plain") {
    return Printable(Trim(std::string_view(body).substr(0, body.find('\n')).substr(0, kMost)));
  }
  if (type != "application/json") return {};
  auto parsed = ParseJson(body);
  if (!parsed || !parsed->is_object()) return {};
  const auto error = parsed->find("error");
  if (error == parsed->end() || !error->is_object()) return {};
  const auto message = error->find("message");
  const bool text = message != error->end() && message->is_string();
  return text ? Printable(message->get<std::string>().substr(0, kMost)) : std::string();
}

}  // namespace

Remote::Remote(http::Url url, std::string token, TlsFiles tls)
    : url_(std::move(url)), token_(std::move(token)), tls_(std::move(tls)) {}

std::string Remote::authorization() const {
  if (!url_.user.empty()) return "Basic " + http::Base64(url_.user + ":" + url_.password);
  return token_.empty() ? std::string() : "Bearer " + token_;
}

Status Remote::Connect() {
  using Scheme = http::Url::Scheme;
  carrier_.reset();
  client_.reset();
  UniqueFd socket;
  if (url_.scheme == Scheme::kUnix) {
    auto connected = http::ConnectUnix(url_.path);
    if (!connected) return connected.error();
    socket = std::move(*connected);
  } else if (url_.scheme != Scheme::kSsh) {
    auto connected = http::ConnectTcp(url_.host, url_.port, kConnectLimit);
    if (!connected) return connected.error();
    socket = std::move(*connected);
  }
  if (url_.scheme == Scheme::kSsh || url_.scheme == Scheme::kHttps) {
    auto carrier = url_.scheme == Scheme::kSsh ? Carrier::Ssh(url_)
                                               : Carrier::Https(url_, std::move(socket), tls_);
    if (!carrier) return carrier.error();
    carrier_.emplace(std::move(*carrier));
    socket = carrier_->TakeSocket();
  }
  client_.emplace(std::move(socket), url_.authority());
  return Ok();
}

Error Remote::Explain(const Error& error) {
  Error explained = error.During(url_.shown());
  const std::string words = carrier_ ? carrier_->LastWords() : std::string();
  if (!words.empty()) explained.message += ": " + words;
  if (!client_ && error.code == ErrorCode::kUnreachable && http::IsLoopback(url_)) {
    explained.message += "; is slcd's gateway started there? slc gateway start";
  } else if (!client_ && error.code == ErrorCode::kUnreachable) {
    explained.message += "; is slcd's gateway started there, and open to this machine?";
  } else if (error.code == ErrorCode::kProtocol) {
    explained.message += "; is that a process manager?";
  }
  return explained;
}

Result<http::AnswerHead> Remote::Begin(http::ClientRequest request,
                                       const http::Patience& patience) {
  if (const std::string proof = authorization(); !proof.empty()) {
    request.headers.push_back({"Authorization", proof});
  }
  const bool harmless = request.method == "GET" && !request.source;
  for (bool again = false;; again = true) {
    if (Status reached = Reach(); !reached) return reached.error();
    auto head = client_->Ask(request, patience);
    has_answered_ = has_answered_ || head.ok();
    if (head) return head;
    if (again || !harmless || !client_->may_have_been_idle()) return Explain(head.error());
  }
}

Status Remote::Reach() {
  if (client_ && client_->usable()) return Ok();
  Status connected = Connect();
  return connected ? connected : Status(Explain(connected.error()));
}

Result<std::optional<std::string_view>> Remote::TryRead(Millis limit) {
  auto piece = client_->TryRead(limit);
  return piece ? piece : Result<std::optional<std::string_view>>(Explain(piece.error()));
}

Result<std::string_view> Remote::Read() {
  auto piece = client_->Read();
  return piece ? piece : Result<std::string_view>(Explain(piece.error()));
}

Result<std::string> Remote::ReadRest() {
  auto body = client_->ReadAll(kMostAnswer);
  return body ? body : Result<std::string>(Explain(body.error()));
}

Result<Remote::Answer> Remote::Ask(const std::string& method, const std::string& target,
                                   std::optional<std::string> body) {
  http::ClientRequest request;
  request.method = method;
  request.target = target;
  request.headers.push_back({"Accept", "application/json"});
  if (body) request.headers.push_back({"Content-Type", "application/json"});
  request.body = std::move(body);
  auto head = Begin(std::move(request), {});
  if (!head) return head.error();
  auto text = ReadRest();
  if (!text) return text.error();
  return Answer{std::move(*head), std::move(*text)};
}

std::string Remote::ReasonOf(const http::AnswerHead& head, const std::string& body) const {
  std::string status =
      std::to_string(head.status) + " " +
      (head.phrase.empty() ? std::string(http::ReasonPhrase(head.status)) : Printable(head.phrase));
  const std::string said = MessageIn(head, body);
  if (head.status == 401) {
    return status + (authorization().empty()
                         ? "; it wants credentials: USER:PASSWORD@ in the URL, or a token in "
                           "SLC_TOKEN"
                         : "; these credentials are not accepted");
  }
  return said.empty() ? status : said + " (" + status + ")";
}

}  // namespace slc::ctl
