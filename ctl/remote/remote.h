// Remote: a process manager at a URL, asked over HTTP. One connection, kept for the next request.
//
// Its errors name the URL, without user and password, and say what to do.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/http/client.h"
#include "common/http/url.h"
#include "ctl/remote/carrier.h"

namespace slc::ctl {

class Remote {
 public:
  // Does not connect yet. `token`: sent as bearer token if the URL names no user; may be empty.
  Remote(http::Url url, std::string token, TlsFiles tls);

  struct Answer {
    http::AnswerHead head;
    std::string body;
  };
  // A whole answer, whatever its status; `body` is JSON if there is one.
  Result<Answer> Ask(const std::string& method, const std::string& target,
                     std::optional<std::string> body = std::nullopt);
  // The head only; the body is to be read by Read(). The request's headers are completed.
  Result<http::AnswerHead> Begin(http::ClientRequest request, const http::Patience& patience);
  // Connects unless that is so already. What begins with ssh or TLS may fail later.
  Status Reach();
  // See Client::Read(), Client::TryRead().
  Result<std::string_view> Read();
  Result<std::optional<std::string_view>> TryRead(Millis limit);
  // The rest of the body, at most 1 MiB.
  Result<std::string> ReadRest();

  // Why a request was refused, for people: what the server says, else what its status means.
  std::string ReasonOf(const http::AnswerHead& head, const std::string& body) const;

  // It has answered before, whatever it said.
  bool has_answered() const { return has_answered_; }
  // Another program carries the connection, and may fail where a socket cannot.
  bool is_carried() const { return carrier_.has_value(); }
  const http::Url& url() const { return url_; }
  const TlsFiles& tls() const { return tls_; }
  // "Basic ..." or "Bearer ..."; empty: there is nothing to show.
  std::string authorization() const;

 private:
  Status Connect();
  Error Explain(const Error& error);

  http::Url url_;
  std::string token_;
  TlsFiles tls_;
  std::optional<Carrier> carrier_;
  std::optional<http::Client> client_;
  bool has_answered_ = false;
};

}  // namespace slc::ctl
