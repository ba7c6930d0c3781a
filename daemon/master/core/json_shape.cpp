#include "daemon/master/core/json_shape.h"

#include <algorithm>

namespace slc {
namespace {

// Of numbers, true, false and null, and what may stand around a value: a byte order mark, too.
constexpr std::string_view kOutsideOfBrackets =
    "0123456789+-.Etruefalsn \t\r\n"
    "\xEF\xBB\xBF";

}  // namespace

void JsonShape::Take(std::string_view bytes) {
  for (const char c : bytes) {
    any_ = true;
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      deepest_ = std::max(deepest_, ++open_);
    } else if (c == '}' || c == ']') {
      if (open_ == 0) {
        wrong_ = true;
      } else {
        --open_;
      }
    } else if (open_ == 0 && kOutsideOfBrackets.find(c) == std::string_view::npos) {
      wrong_ = true;
    }
  }
}

}  // namespace slc
