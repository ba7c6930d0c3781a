// Router: which route of a fixed table a request takes.
//
// A pattern is a path whose {names} match any one segment: "/api/services/{id}/start". Literal
// segments match whatever their case, as the original's do. Where two patterns match, the one with
// the literal segment furthest to the left wins ("/services/findOne" before "/services/{id}").
//
// `Handler` is the caller's, any value. Pure.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/letters.h"

namespace slc::http {

using RouteParameters = std::map<std::string, std::string>;

namespace internal {

// "{id}" -> "id"; empty if it is a literal.
inline std::string_view ParameterName(std::string_view segment) {
  if (segment.size() < 3 || segment.front() != '{' || segment.back() != '}') return {};
  return segment.substr(1, segment.size() - 2);
}

}  // namespace internal

template <typename Handler>
class Router {
 public:
  struct Route {
    std::string method;
    std::string pattern;
    Handler handler;
    std::vector<std::string> segments;  // of the pattern
  };
  struct Match {
    const Route* route = nullptr;      // null: no route
    RouteParameters parameters;        // by their names in the pattern
    std::vector<std::string> allowed;  // without a route: methods that the path knows
  };

  void Add(std::string method, std::string pattern, Handler handler) {
    std::vector<std::string> segments;
    for (std::size_t at = 1; at < pattern.size();) {
      const std::size_t end = std::min(pattern.find('/', at), pattern.size());
      segments.push_back(pattern.substr(at, end - at));
      at = end + 1;
    }
    routes_.push_back(
        {std::move(method), std::move(pattern), std::move(handler), std::move(segments)});
  }

  // HEAD takes the route of GET where it has none of its own.
  Match Find(std::string_view method, const std::vector<std::string>& segments) const {
    Match match;
    for (const Route& route : routes_) {
      if (!Fits(route, segments)) continue;
      const bool same = route.method == method || (method == "HEAD" && route.method == "GET");
      if (!same) {
        match.allowed.push_back(route.method);
      } else if (match.route == nullptr || Before(route, *match.route)) {
        match.route = &route;
      }
    }
    if (match.route == nullptr) return match;
    match.allowed.clear();
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const std::string_view name = internal::ParameterName(match.route->segments[i]);
      if (!name.empty()) match.parameters.emplace(name, segments[i]);
    }
    return match;
  }

  const std::vector<Route>& routes() const { return routes_; }

 private:
  static bool Fits(const Route& route, const std::vector<std::string>& segments) {
    return std::equal(segments.begin(), segments.end(), route.segments.begin(),
                      route.segments.end(), [](const std::string& given, const std::string& own) {
                        return !internal::ParameterName(own).empty() || SameLetters(given, own);
                      });
  }
  // Both fit the same path.
  static bool Before(const Route& a, const Route& b) {
    for (std::size_t i = 0; i < a.segments.size(); ++i) {
      const bool a_literal = internal::ParameterName(a.segments[i]).empty();
      const bool b_literal = internal::ParameterName(b.segments[i]).empty();
      if (a_literal != b_literal) return a_literal;
    }
    return false;
  }

  std::vector<Route> routes_;
};

}  // namespace slc::http
