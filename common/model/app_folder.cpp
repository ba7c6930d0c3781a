#include "common/model/app_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "common/base/text.h"
#include "common/model/package_json.h"
#include "common/model/service.h"
#include "common/model/shell_words.h"

namespace slc {
namespace {

enum class Kind { kMissing, kFile, kFolder, kOther };

Kind KindOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Kind::kMissing;
  if (S_ISREG(info.st_mode)) return Kind::kFile;
  return S_ISDIR(info.st_mode) ? Kind::kFolder : Kind::kOther;
}

bool SamePlace(const std::string& a, const std::string& b) {
  struct stat first {};
  struct stat second {};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string FileNameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string WithoutExtension(const std::string& file) {
  const std::size_t dot = file.rfind('.');
  return dot == std::string::npos || dot == 0 ? file : file.substr(0, dot);
}

std::string Beside(const std::string& folder, const std::string& name) {
  if (!name.empty() && name[0] == '/') return name;
  return EndsWith(folder, "/") ? folder + name : folder + "/" + name;
}

std::string Tidy(std::string script) {
  while (StartsWith(script, "./")) {
    script.erase(0, 2);
    script.erase(0, std::min(script.find_first_not_of('/'), script.size()));
  }
  while (script.size() > 1 && script.back() == '/') script.pop_back();
  return script.empty() ? "." : script;
}

// The file Node would run for `node SCRIPT` in `folder`; empty if there is none. `main` is looked
// up in a folder's own package.json.
std::string ResolveScript(const std::string& folder, const std::string& written,
                          const std::string& main_of_folder) {
  std::string script = Tidy(written);
  const std::string path = Beside(folder, script);
  switch (KindOf(path)) {
    case Kind::kFile:
      return script;
    case Kind::kOther:
      return {};
    case Kind::kMissing:
      return KindOf(path + ".js") == Kind::kFile ? script + ".js" : std::string();
    case Kind::kFolder:
      break;
  }
  const std::string prefix = script == "." ? "" : script + "/";
  std::string main = main_of_folder;
  if (script != ".") {
    auto package = ReadPackageJson(path);
    main = package ? package->main : "";
  }
  for (const std::string& name :
       {main, main + ".js", main + "/index.js", std::string("index.js")}) {
    if (main.empty() && name != "index.js") continue;
    std::string candidate = prefix + Tidy(name);
    if (KindOf(Beside(folder, candidate)) == Kind::kFile) return candidate;
  }
  return {};
}

Error NoScript(const std::string& folder, const PackageJson& package) {
  const auto state_of = [&](const char* file) {
    const bool is_folder = KindOf(Beside(folder, file)) == Kind::kFolder;
    return std::string(file) + (is_folder ? " (is a folder)" : "");
  };
  std::string looked = "looked for ";
  if (!package.present) {
    looked += "package.json";
  } else if (package.start.empty()) {
    looked += "scripts.start in package.json (not set)";
  } else {
    looked += "scripts.start in package.json ('" + Printable(package.start) +
              "' is more than a plain node call)";
  }
  looked += ", " + state_of("server.js") + ", " + state_of("app.js");
  if (package.present) {
    looked += ", main of package.json (";
    looked += package.main.empty() ? "not set)" : "'" + Printable(package.main) + "' is not there)";
  }
  looked += ", " + state_of("index.js");
  return Error{ErrorCode::kNotFound,
               "no script found in " + folder + ": " + looked + "; name the file: slc start FILE"};
}

// Fills script, reason and what belongs to the script's call.
Status ChooseScript(const PackageJson& package, App& app) {
  std::string aside;
  if (!package.start.empty()) {
    const auto call = ParseNodeCall(package.start);
    if (call) {
      app.script = ResolveScript(app.directory, call->script, package.main);
      if (app.script.empty()) {
        const std::string path = Beside(app.directory, Tidy(call->script));
        const bool folder = KindOf(path) == Kind::kFolder;
        return Error{ErrorCode::kNotFound,
                     "package.json says '" + Printable(package.start) + "', but " + path +
                         (folder ? " is a folder without a main script"
                                 : " does not exist; if it is made by a build, run that first") +
                         ", or name another file: slc start FILE"};
      }
      app.reason = "from scripts.start";
      app.node = call->node;
      app.node_arguments = call->node_arguments;
      app.arguments = call->arguments;
      app.script_environment = call->environment;
      return Ok();
    }
    aside = "; scripts.start '" + Printable(package.start) + "' is more than a plain node call";
  }
  const auto is_file = [&](const std::string& name) {
    return !name.empty() && KindOf(Beside(app.directory, name)) == Kind::kFile;
  };
  for (const char* name : {"server.js", "app.js"}) {
    if (!is_file(name)) continue;
    app.script = name;
    app.reason = "found in the folder" + aside;
    return Ok();
  }
  if (!package.main.empty()) {
    const std::string main = Tidy(package.main);
    for (const std::string& name : {main, main + ".js", main + "/index.js"}) {
      if (!is_file(name)) continue;
      app.script = name;
      app.reason = "main of package.json" + aside;
      return Ok();
    }
  }
  if (is_file("index.js")) {
    app.script = "index.js";
    app.reason = "found in the folder" + aside;
    return Ok();
  }
  return NoScript(app.directory, package);
}

Result<App> FindInFolder(const std::string& folder, const AppRequest& request) {
  if (!request.interpreter.empty()) {
    return Error{ErrorCode::kUsage, "--interpreter needs a file to run: slc start --interpreter " +
                                        Printable(request.interpreter) + " FILE"};
  }
  if (::access(folder.c_str(), R_OK | X_OK) != 0)
    return SystemError("read folder " + folder, errno);
  auto package = ReadPackageJson(folder);
  if (!package) return package.error();
  App app;
  app.directory = folder;
  app.name = ServiceNameOf(*package, folder);
  if (Status chosen = ChooseScript(*package, app); !chosen) return chosen.error();
  return app;
}

std::string SuggestInterpreter(const std::string& file) {
  struct Language {
    const char* extension;
    const char* program;
  };
  static constexpr std::array<Language, 6> kLanguages{{{".py", "python3"},
                                                       {".rb", "ruby"},
                                                       {".sh", "sh"},
                                                       {".php", "php"},
                                                       {".pl", "perl"},
                                                       {".lua", "lua"}}};
  for (const Language& language : kLanguages) {
    if (EndsWith(file, language.extension)) return language.program;
  }
  return "PROGRAM";
}

// A file that is what its package's folder would run is that package: its name, its folder. Any
// other file stands for itself.
void TakePackageOf(const std::string& path, App& app) {
  std::string folder = app.directory;
  while (KindOf(Beside(folder, "package.json")) == Kind::kMissing) {
    if (folder == "/") return;
    folder = DirectoryOf(folder);
  }
  // A package that cannot be read is no reason to refuse a file that can.
  auto package = ReadPackageJson(folder);
  if (!package) return;
  App whole;
  whole.directory = folder;
  if (!ChooseScript(*package, whole) || !SamePlace(Beside(folder, whole.script), path)) return;
  app.directory = folder;
  app.script = whole.script;
  app.name = ServiceNameOf(*package, folder);
}

Result<App> FindFile(const std::string& path, const AppRequest& request) {
  App app;
  app.directory = DirectoryOf(path);
  app.script = FileNameOf(path);
  const bool node_script = IsNodeScript(path);
  if (::access(path.c_str(), R_OK) != 0 && (node_script || !request.interpreter.empty())) {
    return SystemError("read " + path, errno);
  }
  if (!request.interpreter.empty()) {
    app.reason = "run by " + Printable(request.interpreter);
  } else if (node_script) {
    app.reason = "named on the command line";
  } else if (::access(path.c_str(), X_OK) == 0) {
    app.reason = "an executable, named on the command line";
  } else {
    return Error{ErrorCode::kInvalid,
                 path +
                     " is neither a script for Node (.js .mjs .cjs .ts) nor executable; make it "
                     "executable with chmod +x, or say what runs it: slc start --interpreter " +
                     SuggestInterpreter(path) + " " + Printable(request.target)};
  }
  if (node_script) TakePackageOf(path, app);
  if (app.name.empty()) app.name = ToServiceName(WithoutExtension(app.script));
  return app;
}

}  // namespace

std::string AbsolutePath(const std::string& path, const std::string& here) {
  const std::string whole = path.empty() ? here : Beside(here, path);
  std::vector<std::string> parts;
  for (const std::string& part : Split(whole, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      // "link/.." is the parent of where the link leads, not of where it lies.
      const std::string current = "/" + Join(parts, "/");
      std::vector<std::string> shorter(parts.begin(), parts.end() - 1);
      if (SamePlace(current + "/..", "/" + Join(shorter, "/"))) {
        parts = std::move(shorter);
        continue;
      }
    }
    parts.push_back(part);
  }
  return "/" + Join(parts, "/");
}

Result<std::string> CurrentFolder() {
  const char* shell = std::getenv("PWD");
  if (shell != nullptr && shell[0] == '/' && SamePlace(shell, ".")) return AbsolutePath(shell, "/");
  std::array<char, 4096> here{};
  if (::getcwd(here.data(), here.size()) == nullptr) {
    return SystemError("find the current folder", errno);
  }
  return std::string(here.data());
}

Result<App> FindApp(const AppRequest& request) {
  const std::string path = AbsolutePath(request.target, request.here);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    const int reason = errno;
    Error error = SystemError(path, reason);
    if (reason == ENOENT) error.code = ErrorCode::kNotFound;
    return error;
  }
  if (S_ISDIR(info.st_mode)) return FindInFolder(path, request);
  if (S_ISREG(info.st_mode)) return FindFile(path, request);
  return Error{ErrorCode::kInvalid, path + " is neither a folder nor a file"};
}

}  // namespace slc
