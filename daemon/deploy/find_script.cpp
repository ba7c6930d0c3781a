#include "daemon/deploy/find_script.h"

#include "common/model/app_folder.h"

namespace slc::deploy {

Status FindScriptIn(const std::string& directory, ServiceSpec& spec) {
  spec.directory = directory;
  if (!spec.interpreter.empty()) return Ok();
  auto app = FindApp(AppRequest{directory, "/", {}});
  if (!app) return app.error();
  spec.script = app->script;
  spec.script_reason = app->reason;
  spec.script_environment = app->script_environment;
  spec.script_node_arguments = app->node_arguments;
  if (!spec.own_arguments) spec.arguments = app->arguments;
  if (!app->node.empty()) spec.node = app->node;
  return Ok();
}

}  // namespace slc::deploy
