// Installation: where the programs of a version lie, by the folder of one of them.
#pragma once

#include <string>

namespace slc {

struct Installation {
  std::string directory;

  std::string daemon() const { return directory + "/slcd"; }
  std::string master() const { return directory + "/slc-master"; }
  std::string gateway() const { return directory + "/slc-gateway"; }
  std::string client() const { return directory + "/slc"; }
  std::string unpack() const { return directory + "/slc-unpack"; }
  // The script that is preloaded into Node workers: beside the binaries in a build tree, in
  // ../lib/slc when installed. Empty if it is not there.
  std::string agent() const;
  // The program that carries https for slc, in the same places.
  std::string https() const;
  // The folder of the hook that git runs for a push, in the same places; empty if it is not there.
  std::string git_hooks() const;
};

}  // namespace slc
