#include "common/http/deploy_stream.h"

#include <type_traits>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/model/json_fields.h"

namespace slc::http {
namespace {

using nlohmann::json;

std::string TextOf(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

DeployError ErrorOf(const json& value) {
  DeployError failed;
  failed.error.message = "the server gave no reason";
  if (value.is_string()) failed.error.message = value.get<std::string>();
  if (!value.is_object()) return failed;
  failed.error.code = ErrorCodeFromName(TextOf(value, "code"));
  if (std::string message = TextOf(value, "message"); !message.empty()) {
    failed.error.message = std::move(message);
  }
  const auto tail = value.find("log_tail");
  if (tail == value.end() || !tail->is_array()) return failed;
  for (const json& line : *tail) {
    if (line.is_string()) failed.log_tail.push_back(line.get<std::string>());
  }
  return failed;
}

json ToJson(const DeployLine& line) {
  return std::visit(
      [](const auto& value) -> json {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, DeployNote>) {
          return {{"note", value.text}};
        } else if constexpr (std::is_same_v<T, DeployOutput>) {
          return {{"output", value.text}};
        } else if constexpr (std::is_same_v<T, DeployDone>) {
          return {{"done", {{"release", value.release}, {"text", value.text}}}};
        } else if constexpr (std::is_same_v<T, DeployError>) {
          return {{"error",
                   {{"code", ErrorCodeName(value.error.code)},
                    {"message", value.error.message},
                    {"log_tail", value.log_tail}}}};
        } else {
          return json::object();
        }
      },
      line);
}

}  // namespace

std::string EncodeDeployLine(const DeployLine& line) { return DumpJson(ToJson(line)) + "\n"; }

Result<DeployLine> DecodeDeployLine(std::string_view text) {
  auto parsed = ParseJson(std::string(text));
  if (!parsed || !parsed->is_object()) {
    return Error{ErrorCode::kProtocol,
                 "a line of the answer is no JSON object: " + Printable(text.substr(0, 80))};
  }
  if (const auto error = parsed->find("error"); error != parsed->end()) {
    return DeployLine(ErrorOf(*error));
  }
  if (const auto done = parsed->find("done"); done != parsed->end()) {
    if (!done->is_object()) return DeployLine(DeployDone{});
    return DeployLine(DeployDone{TextOf(*done, "release"), TextOf(*done, "text")});
  }
  if (parsed->contains("note")) return DeployLine(DeployNote{TextOf(*parsed, "note")});
  if (parsed->contains("output")) return DeployLine(DeployOutput{TextOf(*parsed, "output")});
  return DeployLine(DeployAlive{});
}

Result<std::optional<DeployLine>> DeployLines::Next() {
  const std::size_t end = text_.find('\n');
  if (end == std::string::npos) {
    if (text_.size() <= kMostLine) return std::optional<DeployLine>();
    return Error{ErrorCode::kProtocol, "a line of the answer is longer than 1 MiB"};
  }
  auto line = DecodeDeployLine(Trim(std::string_view(text_).substr(0, end)));
  text_.erase(0, end + 1);
  if (!line) return line.error();
  return std::optional<DeployLine>(std::move(*line));
}

}  // namespace slc::http
