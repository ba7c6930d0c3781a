// JsonFields: strict reading of one JSON object into plain values. The first error wins and names
// its place ("wish.spec.port: expected a number from 0 to 65535"). Absent keys leave the target as
// it is; unknown keys are passed over, so that a newer program may add some.
//
// Used only by the .cpp files that map the nouns to JSON.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/base/result.h"

namespace slc {

class JsonFields {
 public:
  // `object` must outlive this.
  JsonFields(const nlohmann::json& object, std::string place);

  void Read(const char* key, bool& target);
  void Read(const char* key, int& target);
  void Read(const char* key, unsigned& target);
  void Read(const char* key, std::int64_t& target);
  void Read(const char* key, std::uint64_t& target);
  void Read(const char* key, std::string& target);
  void Read(const char* key, std::vector<std::string>& target);
  void Read(const char* key, std::vector<std::uint32_t>& target);
  void Read(const char* key, std::map<std::string, std::string>& target);
  void Read(const char* key, std::optional<std::uint16_t>& target);
  void Read(const char* key, std::optional<int>& target);
  void Read(const char* key, std::optional<std::uint32_t>& target);
  void ReadIndex(const char* key, std::size_t& target);
  // A word that `parse` understands.
  void ReadName(const char* key, const std::function<bool(const std::string&)>& parse);
  // A nested object, and each element of an array.
  void ReadObject(const char* key, const std::function<Status(const nlohmann::json&)>& read);
  void ReadArray(const char* key, const std::function<Status(const nlohmann::json&)>& read);
  // Marks the key as one that must be there; to be called before reading it.
  void Require(const char* key);
  void Fail(const std::string& key, const std::string& expectation);

  Status status() const;

 private:
  struct Member {
    std::string_view key;
    const nlohmann::json* value = nullptr;
  };
  const nlohmann::json* Find(std::string_view key);
  std::int64_t ReadNumber(const char* key, std::int64_t low, std::int64_t high, bool& present);

  const nlohmann::json& object_;
  // Those of a small object, side by side: most keys that are asked for are absent, and to learn
  // that from the object's tree took a fifth of the time of `slc ctl status`.
  std::array<Member, 20> members_;
  std::size_t member_count_ = 0;  // 0: the object has more, or none
  std::string place_;
  std::optional<Error> error_;
};

// Parses text; kInvalid on anything that is not JSON or nested deeper than kMostJsonDepth.
inline constexpr int kMostJsonDepth = 64;
Result<nlohmann::json> ParseJson(const std::string& text);

// One line. Bytes that are not UTF-8 are replaced, never thrown over: they come from applications.
std::string DumpJson(const nlohmann::json& value);
// Indented, for people and for files that people repair by hand.
std::string DumpJsonPretty(const nlohmann::json& value);

// `text` as a JSON string with its quotes, for writers that build JSON by appending. Bytes that are
// not UTF-8 become U+FFFD: what a worker printed may be cut in the middle of a character.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace slc
