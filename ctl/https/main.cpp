// slc-https: carries one connection of slc over TLS, so that slc itself needs no OpenSSL.
//
//     slc-https HOST CA-FILE CERTIFICATE-FILE KEY-FILE
//
// Descriptor 0 is slc's socket, 3 one that leads to the server. Files are PEM; an empty name is
// none (of the authorities: the system's). What goes wrong is said on standard error, exit code 1.
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

#include "common/base/files.h"
#include "ctl/https/tunnel.h"

namespace slc::ctl {
namespace {

constexpr int kServer = 3;
constexpr std::size_t kMostPem = 4U << 20;

int Fail(const std::string& message) {
  const std::string line = message + "\n";
  // Nobody is left to be told when this fails.
  static_cast<void>(WriteAll(STDERR_FILENO, line).ok());
  return 1;
}

int Main(const std::array<std::string, 4>& words) {
  http::TlsContext::ClientOptions options;
  const std::array<std::pair<const std::string*, std::string*>, 3> files{
      {{&words[1], &options.ca}, {&words[2], &options.certificate}, {&words[3], &options.key}}};
  for (const auto& [path, text] : files) {
    if (path->empty()) continue;
    auto read = ReadFile(*path, kMostPem);
    if (!read) return Fail(read.error().message);
    *text = std::move(*read);
  }
  const auto context = http::TlsContext::Client(options);
  if (!context) return Fail(context.error().message);
  Tunnel tunnel(UniqueFd(STDIN_FILENO), UniqueFd(kServer), *context, words[0]);
  const Status done = tunnel.Run();
  return done ? 0 : Fail(done.error().message);
}

}  // namespace
}  // namespace slc::ctl

int main(int argc, char** argv) {
  if (argc != 5) return slc::ctl::Fail("slc-https is started by slc, for https:// URLs");
  return slc::ctl::Main({argv[1], argv[2], argv[3], argv[4]});
}
