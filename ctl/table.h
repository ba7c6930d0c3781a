// Table: columns of text for people, laid out as the original slc did (npm's text-table): columns
// joined by two spaces, blanks at the end of a line trimmed, a centred cell with the odd blank on
// its left.
#pragma once

#include <string>
#include <vector>

namespace slc::ctl {

enum class Align { kLeft, kCentre };

// One line per row, each ended by a newline. Rows may be shorter than others; `align` holds one
// entry per column, missing ones are left.
std::string LayOut(const std::vector<std::vector<std::string>>& rows,
                   const std::vector<Align>& align);

// Places on a terminal that `text` takes, as far as it is one per character.
std::size_t DisplayWidth(const std::string& text);

}  // namespace slc::ctl
