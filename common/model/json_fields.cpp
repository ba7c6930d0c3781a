#include "common/model/json_fields.h"

#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace slc {

using nlohmann::json;

JsonFields::JsonFields(const json& object, std::string place)
    : object_(object), place_(std::move(place)) {
  if (!object.is_object()) {
    error_ = Error{ErrorCode::kInvalid, place_ + ": expected an object"};
    return;
  }
  const auto& members = object.get_ref<const json::object_t&>();
  if (members.size() > members_.size()) return;
  for (const auto& [key, value] : members) members_[member_count_++] = {key, &value};
}

void JsonFields::Fail(const std::string& key, const std::string& expectation) {
  if (!error_) {
    error_ = Error{ErrorCode::kInvalid, place_ + "." + key + ": expected " + expectation};
  }
}

Status JsonFields::status() const {
  if (error_) return *error_;
  return Ok();
}

const json* JsonFields::Find(std::string_view key) {
  if (error_ || object_.empty()) return nullptr;
  const json* value = nullptr;
  if (member_count_ == 0) {
    const auto found = object_.find(key);
    if (found != object_.end()) value = &*found;
  }
  for (std::size_t i = 0; i < member_count_; ++i) {
    if (members_[i].key == key) value = members_[i].value;
  }
  return value == nullptr || value->is_null() ? nullptr : value;
}

void JsonFields::Require(const char* key) {
  if (!error_ && !object_.contains(key)) Fail(key, "a value");
}

void JsonFields::Read(const char* key, bool& target) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_boolean()) return Fail(key, "true or false");
  target = value->get<bool>();
}

std::int64_t JsonFields::ReadNumber(const char* key, std::int64_t low, std::int64_t high,
                                    bool& present) {
  present = false;
  const json* value = Find(key);
  if (value == nullptr) return 0;
  const bool fits = value->is_number_integer() &&
                    !(value->is_number_unsigned() &&
                      value->get<std::uint64_t>() >
                          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  if (!fits || value->get<std::int64_t>() < low || value->get<std::int64_t>() > high) {
    Fail(key, "a number from " + std::to_string(low) + " to " + std::to_string(high));
    return 0;
  }
  present = true;
  return value->get<std::int64_t>();
}

void JsonFields::Read(const char* key, int& target) {
  bool present = false;
  const std::int64_t number =
      ReadNumber(key, std::numeric_limits<int>::min(), std::numeric_limits<int>::max(), present);
  if (present) target = static_cast<int>(number);
}

void JsonFields::Read(const char* key, unsigned& target) {
  bool present = false;
  const std::int64_t number = ReadNumber(key, 0, std::numeric_limits<unsigned>::max(), present);
  if (present) target = static_cast<unsigned>(number);
}

void JsonFields::Read(const char* key, std::int64_t& target) {
  bool present = false;
  const std::int64_t number = ReadNumber(key, std::numeric_limits<std::int64_t>::min(),
                                         std::numeric_limits<std::int64_t>::max(), present);
  if (present) target = number;
}

void JsonFields::Read(const char* key, std::uint64_t& target) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_number_unsigned()) return Fail(key, "a number from 0");
  target = value->get<std::uint64_t>();
}

void JsonFields::ReadIndex(const char* key, std::size_t& target) {
  std::uint64_t number = target;
  Read(key, number);
  target = static_cast<std::size_t>(number);
}

void JsonFields::Read(const char* key, std::string& target) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_string()) return Fail(key, "a text");
  target = value->get<std::string>();
}

void JsonFields::Read(const char* key, std::vector<std::string>& target) {
  if (Find(key) != nullptr) target.clear();
  ReadArray(key, [&](const json& element) -> Status {
    if (!element.is_string()) return Error{ErrorCode::kInvalid, "expected texts"};
    target.push_back(element.get<std::string>());
    return Ok();
  });
}

void JsonFields::Read(const char* key, std::vector<std::uint32_t>& target) {
  if (Find(key) != nullptr) target.clear();
  ReadArray(key, [&](const json& element) -> Status {
    if (!element.is_number_unsigned() ||
        element.get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max()) {
      return Error{ErrorCode::kInvalid, "expected numbers"};
    }
    target.push_back(element.get<std::uint32_t>());
    return Ok();
  });
}

void JsonFields::Read(const char* key, std::map<std::string, std::string>& target) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_object()) return Fail(key, "an object of texts");
  target.clear();
  for (const auto& [name, element] : value->items()) {
    if (!element.is_string()) return Fail(key, "an object of texts");
    target[name] = element.get<std::string>();
  }
}

void JsonFields::Read(const char* key, std::optional<std::uint16_t>& target) {
  bool present = false;
  const std::int64_t number = ReadNumber(key, 0, 65535, present);
  if (present) target = static_cast<std::uint16_t>(number);
}

void JsonFields::Read(const char* key, std::optional<int>& target) {
  bool present = false;
  const std::int64_t number =
      ReadNumber(key, std::numeric_limits<int>::min(), std::numeric_limits<int>::max(), present);
  if (present) target = static_cast<int>(number);
}

void JsonFields::Read(const char* key, std::optional<std::uint32_t>& target) {
  if (Find(key) == nullptr) return;
  std::uint32_t number = 0;
  Read(key, number);
  if (!error_) target = number;
}

void JsonFields::ReadName(const char* key, const std::function<bool(const std::string&)>& parse) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_string() || !parse(value->get<std::string>())) Fail(key, "a known word");
}

void JsonFields::ReadObject(const char* key, const std::function<Status(const json&)>& read) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (Status done = read(*value); !done) error_ = done.error().During(place_ + "." + key);
}

void JsonFields::ReadArray(const char* key, const std::function<Status(const json&)>& read) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_array()) return Fail(key, "a list");
  for (const json& element : *value) {
    if (Status done = read(element); !done) {
      error_ = done.error().During(place_ + "." + key);
      return;
    }
  }
}

namespace {

// How deep arrays and objects are nested, of JSON: the outermost is at 0. What is no JSON may be
// given any number.
int DepthOf(const std::string& text) {
  int depth = -1;
  int deepest = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == '}') --depth;
  }
  return deepest;
}

}  // namespace

Result<json> ParseJson(const std::string& text) {
  // The parser recurses for nobody, but what is built from hostile depth is destroyed recursively.
  // Told beforehand: a callback of the parser costs it twice the time.
  if (DepthOf(text) > kMostJsonDepth) {
    return Error{ErrorCode::kInvalid, "nested deeper than " + std::to_string(kMostJsonDepth)};
  }
  json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  // For the parser the text ends at a NUL, whatever follows it.
  const bool cut = text.find('\0') != std::string::npos;
  if (value.is_discarded() || cut) return Error{ErrorCode::kInvalid, "this is not JSON"};
  return value;
}

std::string DumpJson(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string DumpJsonPretty(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

void AppendJsonString(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  // Nearly all of what there is needs no look at its bytes' meaning.
  const auto plain = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
  };
  out += '"';
  while (!text.empty()) {
    const auto run =
        static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), plain) - text.begin());
    if (run > 0) {
      out += text.substr(0, run);
      text.remove_prefix(run);
      continue;
    }
    const auto byte = static_cast<unsigned char>(text.front());
    std::size_t used = 1;
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text.front();
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else if (const std::size_t size = Utf8CharacterSize(text); size > 0) {
      out += text.substr(0, size);
      used = size;
    } else {
      out += "\xef\xbf\xbd";
    }
    text.remove_prefix(used);
  }
  out += '"';
}

}  // namespace slc
