// App folder: what is to be run when somebody says `slc start`, in a folder or with a file. Reads
// the disk, changes nothing.
#pragma once

#include <string>
#include <vector>

#include "common/base/environment.h"
#include "common/base/result.h"

namespace slc {

struct AppRequest {
  std::string target;       // folder or file as typed; empty: the current folder
  std::string here;         // absolute: the current folder
  std::string interpreter;  // --interpreter, empty if not given
};

struct App {
  std::string name;  // a proper service name; empty if neither package nor folder or file
                     // yields one
  std::string
      directory;       // absolute; symbolic links in it are kept: they may lead elsewhere tomorrow
  std::string script;  // relative to `directory`
  std::string reason;  // why this script, for people: "from scripts.start"
  std::vector<std::string> node_arguments;
  std::vector<std::string> arguments;
  std::string node;  // a path that scripts.start names
  Environment script_environment;
};

Result<App> FindApp(const AppRequest& request);

// The shell's idea of the current folder ($PWD, which keeps symbolic links) if it is true, else the
// kernel's.
Result<std::string> CurrentFolder();

// `path` made absolute against `here`, without "." and "//"; ".." is taken away where that leads to
// the same place.
std::string AbsolutePath(const std::string& path, const std::string& here);

}  // namespace slc
