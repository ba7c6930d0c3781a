#include "tests/faults/nobody.h"

#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/faults/faults.h"

namespace slc::test {

bool IsRoot() { return Possible(::geteuid() == 0, "only root can be somebody else"); }

void OpenToAll(World& world) { REQUIRE(::chmod(world.folder().c_str(), 0755) == 0); }

Words AsNobody(const Words& command) {
  Words words{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"};
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

std::string FolderOfNobody(World& world, const std::string& name,
                           const std::map<std::string, std::string>& files) {
  std::string folder = world.MakeFolder(name, files);
  REQUIRE(::chmod((world.folder() + "/apps").c_str(), 0755) == 0);
  REQUIRE(::chmod(folder.c_str(), 0755) == 0);
  REQUIRE(::chown(folder.c_str(), kNobody, kNobody) == 0);
  for (const auto& [file, text] : files) {
    REQUIRE(::chmod((folder + "/" + file).c_str(), 0755) == 0);
    REQUIRE(::chown((folder + "/" + file).c_str(), kNobody, kNobody) == 0);
  }
  return folder;
}

}  // namespace slc::test
