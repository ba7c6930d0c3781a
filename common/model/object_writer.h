// ObjectWriter: appends {"key":value,...} to a text. The order of members is that of the calls,
// nothing is allocated but the text itself. Objects and lists within are written where Key() ends;
// the brace is closed by the destructor.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/json_fields.h"

namespace slc {

class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  ~ObjectWriter() { out_ += '}'; }
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  std::string& Key(const char* key) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '"';
    out_ += key;
    out_ += "\":";
    return out_;
  }
  template <std::integral Integer>
  void Number(const char* key, Integer value) {
    Key(key) += std::to_string(value);
  }
  void Flag(const char* key, bool value) { Key(key) += value ? "true" : "false"; }
  void Text(const char* key, std::string_view value) { AppendJsonString(Key(key), value); }
  void Numbers(const char* key, const std::vector<std::uint32_t>& values) {
    Key(key) += '[';
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out_ += ',';
      out_ += std::to_string(values[i]);
    }
    out_ += ']';
  }
  void Texts(const char* key, const std::map<std::string, std::string>& values) {
    ObjectWriter object(Key(key));
    for (const auto& [name, value] : values) {
      if (!object.first_) out_ += ',';
      object.first_ = false;
      AppendJsonString(out_, name);
      out_ += ':';
      AppendJsonString(out_, value);
    }
  }
  void Texts(const char* key, const std::vector<std::string>& values) {
    Key(key) += '[';
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out_ += ',';
      AppendJsonString(out_, values[i]);
    }
    out_ += ']';
  }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace slc
