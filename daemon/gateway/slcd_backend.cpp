#include "daemon/gateway/slcd_backend.h"

#include <utility>

namespace slc::gateway {

void SlcdBackend::Ask(const std::string& principal, RequestBody body, OnReply on_reply) {
  ControlSession::Question question;
  question.body = std::move(body);
  question.principal = principal;
  session_.Ask(std::move(question), std::move(on_reply));
}

void SlcdBackend::Deploy(const std::string& principal, RequestBody body, std::vector<UniqueFd> fds,
                         OnProgress on_progress, OnReply on_reply) {
  ControlSession::Question question;
  question.body = std::move(body);
  question.principal = principal;
  question.fds = std::move(fds);
  session_.Ask(std::move(question), std::move(on_reply), std::move(on_progress));
}

void SlcdBackend::ReadAll(UniqueFd pipe, std::size_t limit, OnText on_text) {
  const auto place = readers_.emplace(readers_.end());
  *place = std::make_unique<PipeReader>(
      loop_, std::move(pipe), limit,
      [this, place, on_text = std::move(on_text)](Result<std::string> text) {
        // Its Poll is what calls us: it goes when we return.
        const std::unique_ptr<PipeReader> over = std::move(*place);
        readers_.erase(place);
        on_text(std::move(text));
      });
}

}  // namespace slc::gateway
