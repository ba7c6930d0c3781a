#include <doctest/doctest.h>

#include "ctl/json_output.h"
#include "ctl/progress.h"

namespace slc::ctl {
namespace {

Progress Of(const char* kind) {
  Progress progress;
  progress.kind = kind;
  return progress;
}

}  // namespace

TEST_CASE("Progress counts workers towards the number that is wanted") {
  ProgressText text("soft-restarting my-app");
  CHECK(text.Line(1000) == "soft-restarting my-app ... (1 s)");
  text.On(Of("worker_ready"));
  CHECK(text.Line(2000) == "soft-restarting my-app: 1 worker ready ... (2 s)");
  text.SetTotal(4);
  CHECK(text.Line(2000) == "soft-restarting my-app: worker 2 of 4 ... (2 s)");
  text.On(Of("worker_draining"));
  CHECK(text.Line(2000) == "soft-restarting my-app: worker 1 of 4, the old one drains ... (2 s)");
  text.On(Of("worker_exited"));
  for (int i = 0; i < 9; ++i) text.On(Of("worker_ready"));
  CHECK(text.Line(3500) == "soft-restarting my-app: worker 4 of 4 ... (3 s)");
}

TEST_CASE("Progress tells what is waited for until something happens") {
  ProgressText text("stopping my-app");
  Progress note = Of("note");
  note.text = "waiting for its master";
  text.On(note);
  CHECK(text.Line(2000) == "stopping my-app: waiting for its master ... (2 s)");
  text.On(Of("worker_draining"));
  CHECK(text.Line(3000) == "stopping my-app ... (3 s)");
}

TEST_CASE("JSON output is one line, safe for a terminal") {
  const std::string text =
      ErrorJson(Error{ErrorCode::kNotReady, "a\x1b\x7f\xc2\x9b\xff\nb"}, {"line"}, {});
  CHECK(
      text ==
      "{\"error\":{\"code\":\"not_ready\",\"message\":\"a\\u001b\\u007f\\u009b\xef\xbf\xbd\\nb\"},"
      "\"log_tail\":[\"line\"],\"notes\":[],\"ok\":false}\n");
}

TEST_CASE("JSON of a change holds the service if there is one") {
  Reply reply;
  CHECK(DoneJson(reply, 12) == "{\"notes\":[],\"ok\":true,\"took_ms\":12}\n");
  ServiceView view;
  view.name = "x";
  reply.data = std::vector<ServiceView>{view};
  CHECK(DoneJson(reply, 12).find("\"service\":{") != std::string::npos);
  CHECK(ServicesJson({}, std::nullopt) == "[]\n");
}

TEST_CASE("JSON of the status holds what each process uses, as far as it is known") {
  ServiceView view;
  view.processes.resize(2);
  view.processes[0].pid = 10;
  view.processes[1].pid = 11;
  const std::string text = ServicesJson({view}, UsageByPid{{10, Usage{12.345, 45600000}}});
  CHECK(text.find("\"cpu_percent\":12.3,") != std::string::npos);
  CHECK(text.find("\"memory_bytes\":45600000,") != std::string::npos);
  CHECK(text.find("\"cpu_percent\":null,") != std::string::npos);
  CHECK(text.find("\"memory_bytes\":null,") != std::string::npos);
  CHECK(ServicesJson({view}, std::nullopt).find("cpu_percent") == std::string::npos);
}

}  // namespace slc::ctl
