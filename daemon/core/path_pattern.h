// PathPattern: one pattern of a .gitignore, as git reads it: *, ?, [a-z], [!a], [[:alpha:]], and
// \ in front of what is meant as it stands; ** between slashes for any number of folders. Pure.
//
// With a slash at its beginning or in its middle it is about paths from the folder of the file,
// else about names anywhere below. The time of a match is bounded by the product of both lengths.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slc {

class PathPattern {
 public:
  // A line of the file, without its end. Nothing: it is empty, a comment, or can match nothing.
  static std::optional<PathPattern> Parse(std::string_view line);

  // It begins with !: what it matches is not to be ignored.
  bool negated() const { return negated_; }
  // `path`: relative to the folder of the file, without "." and "..".
  bool Matches(std::string_view path, bool is_folder) const;

 private:
  using Set = std::bitset<256>;
  struct Part {
    enum class Kind {
      kOne,      // a byte of `set`
      kStar,     // any number of bytes, but no slash
      kFolders,  // nothing, or whole folders with the slash behind each
      kAll,      // any number of bytes
    } kind = Kind::kOne;
    std::uint16_t set = 0;  // its place in sets_
  };

  bool Compile(std::string_view pattern);
  void AddOne(const Set& set);
  bool AddClass(std::string_view pattern, std::size_t& at);
  bool Run(std::string_view text) const;
  void Enter(std::size_t part, std::vector<bool>& states) const;

  bool negated_ = false;
  bool folders_only_ = false;
  bool anchored_ = false;
  std::vector<Part> parts_;
  std::vector<Set> sets_;
};

}  // namespace slc
