#include "daemon/gateway/core/request_guard.h"

#include <algorithm>
#include <string_view>

#include "common/base/letters.h"
#include "common/base/text.h"

namespace slc::gateway {
namespace {

// "host:80" -> "host", "[::1]:80" -> "[::1]".
std::string_view NameOf(std::string_view host) {
  const std::size_t bracket = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  const bool port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  return port ? host.substr(0, colon) : host;
}

bool IsAddress(std::string_view name) {
  if (StartsWith(name, "[") && EndsWith(name, "]")) return name.size() > 2;
  const auto parts = Split(name, '.');
  return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
           return ParseInteger(part, 0, 255).has_value();
         });
}

}  // namespace

bool RequestGuard::IsOurs(const std::string& host) const {
  std::string name = Lower(NameOf(host));
  if (EndsWith(name, ".")) name.pop_back();
  return name == "localhost" || IsAddress(name) ||
         std::find(names_.begin(), names_.end(), name) != names_.end();
}

std::string RequestGuard::Refusal(const http::RequestHead& head, bool tls, bool local,
                                  bool streams) const {
  if (local) return {};
  if (!IsOurs(head.host)) {
    return "this is not " + Printable(head.host.substr(0, 100)) +
           "; ask by an address, or name it with --host";
  }
  const std::string* origin = head.Find("origin");
  if (origin == nullptr) return {};
  const bool looks = (head.method == "GET" || head.method == "HEAD") && !streams;
  const std::string own = (tls ? "https://" : "http://") + Lower(head.host);
  if (looks || Lower(*origin) == own) return {};
  return "a page of " + Printable(origin->substr(0, 100)) + " may not ask for this";
}

}  // namespace slc::gateway
