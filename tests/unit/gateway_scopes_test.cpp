#include <map>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "daemon/gateway/core/scopes.h"

namespace slc::gateway {
namespace {

template <std::size_t... I>
std::map<std::string, std::string> Table(std::index_sequence<I...>) {
  const auto text = [](const RequestBody& body) {
    const auto scope = ScopeOf(body);
    return std::string(scope ? ScopeName(*scope) : "here only");
  };
  return {{VerbAt(I), text(RequestBody(std::in_place_index<I>))}...};
}

}  // namespace

TEST_CASE("each request of the control protocol takes a scope, or is not for afar") {
  CHECK(Table(std::make_index_sequence<std::variant_size_v<RequestBody>>()) ==
        std::map<std::string, std::string>{
            {"slc-start", "here only"}, {"create", "deploy"},      {"list", "read"},
            {"status", "read"},         {"info", "read"},          {"start", "operate"},
            {"stop", "operate"},        {"restart", "operate"},    {"set-size", "operate"},
            {"env-set", "deploy"},      {"remove", "admin"},       {"shutdown", "admin"},
            {"upgrade", "here only"},   {"gateway", "here only"},  {"gateway-set", "here only"},
            {"token-add", "here only"}, {"token-rm", "here only"}, {"gateway-serve", "here only"},
            {"logs", "read"},           {"events", "read"},        {"log-dump", "read"},
            {"npmls", "read"},          {"inspect", "operate"},    {"print", "read"},
            {"deploy", "here only"},    {"releases", "read"},      {"rollback", "deploy"},
            {"git", "here only"},       {"capture", "operate"},    {"profiles", "read"},
            {"profile", "operate"},     {"profile-rm", "operate"}});
  static_assert(kScopeOf<RemoveService> == Scope::kAdmin);
}

}  // namespace slc::gateway
