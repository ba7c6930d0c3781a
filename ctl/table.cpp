#include "ctl/table.h"

#include <algorithm>

namespace slc::ctl {
namespace {

std::string Pad(const std::string& cell, std::size_t width, Align align) {
  const std::size_t taken = DisplayWidth(cell);
  const std::size_t blanks = width > taken ? width - taken : 0;
  const std::size_t left = align == Align::kCentre ? (blanks + 1) / 2 : 0;
  return std::string(left, ' ') + cell + std::string(blanks - left, ' ');
}

}  // namespace

std::size_t DisplayWidth(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;  // not the inner byte of a character
  }));
}

std::string LayOut(const std::vector<std::vector<std::string>>& rows,
                   const std::vector<Align>& align) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    if (row.size() > widths.size()) widths.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      line += Pad(row[i], widths[i], i < align.size() ? align[i] : Align::kLeft);
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace slc::ctl
