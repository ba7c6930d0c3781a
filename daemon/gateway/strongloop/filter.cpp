#include "daemon/gateway/strongloop/filter.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json_fields.h"

namespace slc::gateway {
namespace {

using nlohmann::json;
using Query = std::vector<std::pair<std::string, std::string>>;

// Deeper than any client asks.
constexpr std::size_t kMostDepth = 16;

std::optional<double> NumberOf(const json& value) {
  if (value.is_number()) return value.get<double>();
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  const auto whole = ParseInteger(text, std::numeric_limits<std::int64_t>::min(),
                                  std::numeric_limits<std::int64_t>::max());
  if (!whole) return std::nullopt;
  return static_cast<double>(*whole);
}

bool IsSame(const json& value, const json& wanted) {
  if (value.is_string() && wanted.is_string()) return value == wanted;
  if (value.is_null() || wanted.is_null()) return value.is_null() && wanted.is_null();
  if (value.is_boolean() && wanted.is_string())
    return wanted == (value.get<bool>() ? "true" : "false");
  const auto a = NumberOf(value);
  const auto b = NumberOf(wanted);
  return a && b ? *a == *b : value == wanted;
}

// < 0, 0, > 0 as in sorting.
int Compare(const json& a, const json& b) {
  if (a.is_null() || b.is_null())
    return static_cast<int>(b.is_null()) - static_cast<int>(a.is_null());
  const bool texts = a.is_string() && b.is_string();
  const auto number_a = NumberOf(a);
  const auto number_b = NumberOf(b);
  if (!texts && number_a && number_b) return *number_a < *number_b ? -1 : *number_a > *number_b;
  const std::string text_a = a.is_string() ? a.get<std::string>() : a.dump();
  const std::string text_b = b.is_string() ? b.get<std::string>() : b.dump();
  return text_a.compare(text_b);
}

const json& MemberOf(const json& row, const std::string& member) {
  static const json kNothing;
  const auto found = row.find(member);
  return found == row.end() ? kNothing : *found;
}

bool IsAnyOf(const json& value, const json& list) {
  return list.is_array() &&
         std::any_of(list.begin(), list.end(), [&](const json& one) { return IsSame(value, one); });
}

bool Fits(const json& value, const std::string& operation, const json& operand) {
  if (operation == "neq") return !IsSame(value, operand);
  if (operation == "inq") return IsAnyOf(value, operand);
  if (operation == "nin") return !IsAnyOf(value, operand);
  if (operation == "between") {
    return operand.is_array() && operand.size() == 2 && !value.is_null() &&
           Compare(value, operand[0]) >= 0 && Compare(value, operand[1]) <= 0;
  }
  if (value.is_null()) return false;
  if (operation == "gt") return Compare(value, operand) > 0;
  if (operation == "gte") return Compare(value, operand) >= 0;
  if (operation == "lt") return Compare(value, operand) < 0;
  return Compare(value, operand) <= 0;
}

bool FitsCondition(const json& value, const json& condition) {
  if (!condition.is_object()) return IsSame(value, condition);
  for (const auto& [operation, operand] : condition.items()) {
    if (!Fits(value, operation, operand)) return false;
  }
  return true;
}

bool IsTrueFor(const json& row, const json& where) {
  for (const auto& [member, condition] : where.items()) {
    if (member == "or") {
      const bool any = std::any_of(condition.begin(), condition.end(),
                                   [&](const json& one) { return IsTrueFor(row, one); });
      if (!any) return false;
    } else if (member == "and") {
      const bool all = std::all_of(condition.begin(), condition.end(),
                                   [&](const json& one) { return IsTrueFor(row, one); });
      if (!all) return false;
    } else if (!FitsCondition(MemberOf(row, member), condition)) {
      return false;
    }
  }
  return true;
}

Error Invalid(const std::string& what) { return Error{ErrorCode::kInvalid, "filter: " + what}; }

Status CheckWhere(const json& where, std::size_t depth = 0) {
  static constexpr std::array<std::string_view, 8> kOperations{"neq", "inq", "nin", "between",
                                                               "gt",  "gte", "lt",  "lte"};
  if (depth > kMostDepth) return Invalid("nested too deep");
  if (!where.is_object()) return Invalid("where is not an object");
  for (const auto& [member, condition] : where.items()) {
    if (member == "or" || member == "and") {
      if (!condition.is_array()) return Invalid(member + " is not a list");
      for (const json& one : condition) {
        if (Status good = CheckWhere(one, depth + 1); !good) return good;
      }
      continue;
    }
    if (!condition.is_object()) continue;
    for (const auto& [operation, operand] : condition.items()) {
      if (std::find(kOperations.begin(), kOperations.end(), operation) == kOperations.end()) {
        return Invalid("the operation " + Printable(operation.substr(0, 32)) + " is not known");
      }
    }
  }
  return Ok();
}

// "filter[where][or][0][id]" -> {"where","or","0","id"}; nothing if it is not of that form.
std::optional<std::vector<std::string>> PathOf(std::string_view name, std::string_view root) {
  if (!StartsWith(name, root)) return std::nullopt;
  name.remove_prefix(root.size());
  std::vector<std::string> path;
  while (!name.empty()) {
    const std::size_t end = name.find(']');
    if (name.front() != '[' || end == std::string_view::npos || path.size() > kMostDepth) {
      return std::nullopt;
    }
    path.emplace_back(name.substr(1, end - 1));
    name.remove_prefix(end + 1);
  }
  if (path.empty()) return std::nullopt;
  return path;
}

// Objects whose keys are 0, 1, 2 ... or empty are lists.
json ListsOf(json value) {
  if (!value.is_object()) return value;
  bool list = !value.empty();
  std::size_t next = 0;
  for (const auto& [key, element] : value.items()) {
    list = list && (key.empty() || key == std::to_string(next));
    ++next;
  }
  json made = list ? json::array() : json::object();
  for (auto& [key, element] : value.items()) {
    if (list) {
      made.push_back(ListsOf(std::move(element)));
    } else {
      made[key] = ListsOf(std::move(element));
    }
  }
  return made;
}

// What a query says of `root`, in either form; null if nothing.
Result<json> ReadQuery(const Query& query, std::string_view root) {
  json read;
  for (const auto& [name, text] : query) {
    if (name == root) {
      auto parsed = ParseJson(text);
      if (!parsed) return Invalid(parsed.error().message);
      if (!parsed->is_object()) return Invalid("not an object");
      return std::move(*parsed);
    }
    const auto path = PathOf(name, root);
    if (!path) continue;
    json* place = &read;
    for (const std::string& part : *path) {
      if (!place->is_object() && !place->is_null()) return Invalid("two values for " + name);
      place = &(*place)[part];
    }
    if (!place->is_null()) return Invalid("two values for " + name);
    // No other form has a way to say it.
    if (text != "null") *place = text;
  }
  return ListsOf(std::move(read));
}

std::optional<std::size_t> CountOf(const json& value) {
  const auto number = NumberOf(value);
  if (!number || *number < 0 || *number > 1e9) return std::nullopt;
  return static_cast<std::size_t>(*number);
}

}  // namespace

Filter::Filter() : where_(std::make_unique<json>(json::object())) {}
Filter::~Filter() = default;
Filter::Filter(Filter&&) noexcept = default;
Filter& Filter::operator=(Filter&&) noexcept = default;

Result<Filter> Filter::OfQuery(const Query& query) {
  auto read = ReadQuery(query, "filter");
  if (!read) return read.error();
  return read->is_null() ? Result<Filter>(Filter()) : OfJson(*read);
}

Result<Filter> Filter::OfWhere(const Query& query) {
  auto read = ReadQuery(query, "where");
  if (!read) return read.error();
  return read->is_null() ? Result<Filter>(Filter()) : OfJson(json{{"where", *read}});
}

Result<Filter> Filter::OfJson(const json& value) {
  if (!value.is_object()) return Invalid("not an object");
  Filter filter;
  for (const auto& [key, part] : value.items()) {
    if (part.is_null()) continue;
    if (key == "where") {
      if (Status good = CheckWhere(part); !good) return good.error();
      *filter.where_ = part;
    } else if (key == "order") {
      if (Status good = filter.ReadOrder(part); !good) return good.error();
    } else if (key == "limit" || key == "skip" || key == "offset") {
      const auto count = CountOf(part);
      if (!count) return Invalid(key + " is not a number");
      if (key == "limit") {
        filter.limit_ = *count;
      } else {
        filter.skip_ = *count;
      }
    } else if (key == "fields") {
      for (const auto& [name, wanted] : part.items()) {
        if (part.is_array() && wanted.is_string()) filter.fields_.push_back(wanted);
        if (part.is_object() && wanted == true) filter.fields_.push_back(name);
      }
    }
  }
  return filter;
}

Status Filter::ReadOrder(const json& order) {
  const auto add = [this](const json& one) -> Status {
    if (!one.is_string()) return Invalid("order is not a text");
    const auto words = Split(std::string(Trim(one.get<std::string>())), ' ');
    const bool descending = words.size() > 1 && (words.back() == "DESC" || words.back() == "desc");
    order_.push_back({words.front(), descending});
    return Ok();
  };
  if (!order.is_array()) return add(order);
  for (const json& one : order) {
    if (Status good = add(one); !good) return good;
  }
  return Ok();
}

bool Filter::Matches(const json& row) const { return IsTrueFor(row, *where_); }

std::vector<json> Filter::Apply(std::vector<json> rows) const {
  rows.erase(
      std::remove_if(rows.begin(), rows.end(), [this](const json& row) { return !Matches(row); }),
      rows.end());
  std::stable_sort(rows.begin(), rows.end(), [this](const json& a, const json& b) {
    for (const Order& order : order_) {
      const int compared = Compare(MemberOf(a, order.member), MemberOf(b, order.member));
      if (compared != 0) return order.descending ? compared > 0 : compared < 0;
    }
    return false;
  });
  rows.erase(rows.begin(),
             rows.begin() + static_cast<std::ptrdiff_t>(std::min(skip_, rows.size())));
  if (limit_ && *limit_ > 0 && rows.size() > *limit_) rows.resize(*limit_);
  if (fields_.empty()) return rows;
  for (json& row : rows) {
    json cut = json::object();
    for (const std::string& field : fields_) {
      if (row.contains(field)) cut[field] = std::move(row[field]);
    }
    row = std::move(cut);
  }
  return rows;
}

json Filter::First(std::vector<json> rows) const {
  rows = Apply(std::move(rows));
  return rows.empty() ? json() : std::move(rows.front());
}

}  // namespace slc::gateway
