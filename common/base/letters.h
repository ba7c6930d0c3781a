// Letters of ASCII whatever their case, as protocols of the internet compare names.
#pragma once

#include <string>
#include <string_view>

namespace slc {

std::string Lower(std::string_view text);
bool SameLetters(std::string_view a, std::string_view b);

}  // namespace slc
