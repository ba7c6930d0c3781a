#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>

#include "common/base/unique_fd.h"
#include "tests/system/harness/ports.h"
#include "tests/system/harness/world.h"

namespace slc::test {
namespace {

namespace fs = std::filesystem;

// `npm ci` where the modules of an app are missing, once for all copies of the tests.
void NeedModules(const std::string& folder) {
  if (!Exists(folder + "/package-lock.json")) return;
  const UniqueFd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) FAIL("cannot lock ", folder);
  if (Exists(folder + "/node_modules/.package-lock.json")) return;
  const std::string command = "cd '" + folder + "' && npm ci --no-audit --no-fund --silent >&2";
  if (std::system(command.c_str()) != 0) {
    FAIL("the modules of ", folder, " are missing and `npm ci` in it failed");
  }
}

}  // namespace

std::string App::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port) + path;
}

App World::StartApp(const std::string& app, const Words& options, const Options& how) {
  const std::string path = SourcePath("tests/apps/" + app);
  NeedModules(path);
  return StartPath(path, options, how);
}

App World::StartPath(const std::string& path, const Words& options, const Options& how) {
  Words arguments{"start", path};
  arguments.insert(arguments.end(), options.begin(), options.end());
  App app;
  // What stands behind "--" belongs to the app.
  const auto mark = std::find(arguments.begin(), arguments.end(), "--");
  const auto option = std::find(arguments.begin(), mark, "--port");
  if (option == mark) {
    app.port = FreePort();
    arguments.insert(mark, {"--port", std::to_string(app.port)});
  } else {
    app.port = static_cast<std::uint16_t>(std::atoi((option + 1)->c_str()));
  }
  app.started = Must(arguments, how);
  // "my-app: server.js (reason)"
  const std::string first = LinesOf(app.started.out).empty() ? "" : LinesOf(app.started.out)[0];
  app.name = first.substr(0, first.find(": "));
  app.folder = fs::is_directory(path) ? path : fs::path(path).parent_path().string();
  return app;
}

std::string World::CopyApp(const std::string& app, const std::string& as) {
  const std::string from = SourcePath("tests/apps/" + app);
  NeedModules(from);
  const std::string name = as.empty() ? fs::path(app).filename().string() : as;
  std::string to = folder_ + "/apps/" + name;
  if (!fs::is_directory(from)) {
    fs::create_directories(fs::path(to).parent_path());
    fs::copy_file(from, to);
    return to;
  }
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string file = entry.path().filename().string();
    if (file == "node_modules") {
      fs::create_directory_symlink(entry.path(), to + "/node_modules");
    } else {
      fs::copy(entry.path(), to + "/" + file, fs::copy_options::recursive);
    }
  }
  return to;
}

std::string World::MakeFolder(const std::string& name,
                              const std::map<std::string, std::string>& files) {
  std::string path = folder_ + "/apps/" + name;
  fs::create_directories(path);
  for (const auto& [file, text] : files) WriteText(path + "/" + file, text);
  return path;
}

World::Certificate World::MakeCertificate() {
  Certificate made{folder_ + "/key.pem", folder_ + "/certificate.pem"};
  const Ran ran = BeginProgram({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                                "/CN=localhost", "-keyout", made.key, "-out", made.certificate})
                      .Wait();
  if (ran.code != 0) FAIL("openssl: ", ran.err);
  return made;
}

}  // namespace slc::test
