// Filter: which rows of a model a client wants, in the language of LoopBack as StrongLoop's clients
// speak it: where, order, limit, skip (or offset), fields.
//
// Values are compared as the original's clients rely on: "1" is 1, a member that is absent is null,
// "" is not. Null comes before all else when sorted. Pure; errors are kInvalid, for people.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/base/result.h"

namespace slc::gateway {

class Filter {
 public:
  Filter();
  ~Filter();
  Filter(Filter&&) noexcept;
  Filter& operator=(Filter&&) noexcept;

  // Of a query's filter={"where":...} or filter[where][id]=1; without either all rows are wanted.
  static Result<Filter> OfQuery(const std::vector<std::pair<std::string, std::string>>& query);
  // Of where={...} or where[id]=1, as count and update know it.
  static Result<Filter> OfWhere(const std::vector<std::pair<std::string, std::string>>& query);
  static Result<Filter> OfJson(const nlohmann::json& filter);

  bool Matches(const nlohmann::json& row) const;
  // Those that match, sorted and cut as asked.
  std::vector<nlohmann::json> Apply(std::vector<nlohmann::json> rows) const;
  // The first of these; null if there is none.
  nlohmann::json First(std::vector<nlohmann::json> rows) const;

 private:
  struct Order {
    std::string member;
    bool descending = false;
  };
  Status ReadOrder(const nlohmann::json& order);

  std::unique_ptr<nlohmann::json> where_;
  std::vector<Order> order_;
  std::optional<std::size_t> limit_;
  std::size_t skip_ = 0;
  std::vector<std::string> fields_;  // empty: all
};

}  // namespace slc::gateway
