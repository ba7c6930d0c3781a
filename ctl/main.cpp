// slc: the command line of the process manager.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <type_traits>

#include "ctl/command_line.h"
#include "ctl/commands/commands.h"
#include "ctl/connect.h"
#include "ctl/conversation.h"
#include "ctl/json_output.h"
#include "ctl/output.h"
#include "ctl/remote/remote_server.h"

namespace slc::ctl {
namespace {

// A socket must not become descriptor 1 because whoever started us had closed that.
void HoldStandardDescriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) ::open("/dev/null", O_RDWR);
  }
}

// About our own slcd alone, whatever the environment says.
template <typename T>
constexpr bool kIsOurs = std::is_same_v<T, GatewayOptions> || std::is_same_v<T, TokenOptions> ||
                         std::is_same_v<T, UpgradeOptions>;

template <typename T>
int RunThere(T& options) {
  if constexpr (!kIsOurs<T> && requires { options.control; }) {
    auto from = TakeFromEnvironment(options.control);
    if (!from) return ReportError(from.error(), options.control.json);
    // Who has forgotten it is not to stop the wrong service.
    if (!from->empty() && IsTerminal(STDERR_FILENO)) Remark("slc: at " + *from + "\n");
  }
  return Run(options);
}

int Main(const std::vector<std::string>& arguments) {
  RememberArguments(arguments);
  auto parsed = ParseCommandLine(arguments);
  if (const auto* printout = std::get_if<Printout>(&parsed)) {
    if (!printout->is_error) {
      Print(printout->text);
      return kDone;
    }
    if (printout->json) {
      Print(ErrorJson(Error{ErrorCode::kUsage, printout->text}, {}, {}));
    } else {
      Remark(printout->text + "\n");
    }
    return kWrongUsage;
  }
  return std::visit([](auto& options) { return RunThere(options); }, std::get<Command>(parsed));
}

}  // namespace
}  // namespace slc::ctl

int main(int argc, char** argv) {
  slc::ctl::HoldStandardDescriptors();
  return slc::ctl::Main({argv + (argc > 0 ? 1 : 0), argv + argc});
}
