#include "daemon/deploy/unpack_start.h"

#include <unistd.h>

#include "common/base/process.h"

namespace slc::deploy {
namespace {

constexpr int kReport = 3;
constexpr int kFolder = 4;

}  // namespace

Result<Spawned> LaunchUnpacker(const UnpackOrder& order) {
  SpawnOptions options;
  options.program = order.program;
  options.arguments = {
      order.program,           "--into",    std::to_string(kFolder),      "--report",
      std::to_string(kReport), "--seconds", std::to_string(order.seconds)};
  // It drops its rights itself: the program may lie where `user` cannot go.
  if (order.user) {
    const auto add = [&options](const char* option, unsigned number) {
      options.arguments.emplace_back(option);
      options.arguments.push_back(std::to_string(number));
    };
    add("--uid", order.user->uid);
    add("--gid", order.user->gid);
    for (const gid_t group : order.user->groups) add("--group", group);
  }
  options.environment = {std::string(kCookieVariable) + "=" + order.cookie};
  options.descriptors = {
      {order.archive, STDIN_FILENO}, {order.report, kReport}, {order.folder, kFolder}};
  // Whoever is served must not wait for it.
  constexpr int kNice = 5;
  options.nice = kNice;
  return Spawn(options);
}

}  // namespace slc::deploy
