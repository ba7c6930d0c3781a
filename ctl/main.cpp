// slc: the command line of the process manager.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "ctl/command_line.h"
#include "ctl/commands/commands.h"
#include "ctl/connect.h"
#include "ctl/json_output.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

// A socket must not become descriptor 1 because whoever started us had closed that.
void HoldStandardDescriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) ::open("/dev/null", O_RDWR);
  }
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
  return std::visit([](const auto& options) { return Run(options); }, std::get<Command>(parsed));
}

}  // namespace
}  // namespace slc::ctl

int main(int argc, char** argv) {
  slc::ctl::HoldStandardDescriptors();
  return slc::ctl::Main({argv + (argc > 0 ? 1 : 0), argv + argc});
}
