// JsonShape: can these bytes be one JSON value? Told without keeping them and without a tree: for
// lines that are too long to be parsed. Pure.
//
// Whatever is JSON has the shape of JSON; what has the shape may still be something else
// ("[1}" and "[tru]" pass).
#pragma once

#include <cstddef>
#include <string_view>

namespace slc {

class JsonShape {
 public:
  // The next bytes of the text, which may be cut anywhere.
  void Take(std::string_view bytes);
  // Brackets are paired, strings are ended, there is something, and nothing that no JSON begins
  // with stands outside of brackets.
  bool whole() const { return any_ && !wrong_ && !in_string_ && open_ == 0; }
  // How many brackets were open at most.
  std::size_t depth() const { return deepest_; }

 private:
  std::size_t open_ = 0;
  std::size_t deepest_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool any_ = false;
  bool wrong_ = false;
};

}  // namespace slc
