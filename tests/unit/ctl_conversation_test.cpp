// Ask() against a slcd that is scripted: a real control socket, served by a thread of the test.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <thread>

#include <doctest/doctest.h>

#include "common/wire/control_server.h"
#include "common/wire/frame.h"
#include "ctl/conversation.h"
#include "tests/unit/ctl_scratch.h"

namespace slc::ctl {
namespace {

// One accepted connection, read and written blocking.
class Peer {
 public:
  explicit Peer(UniqueFd socket) : socket_(std::move(socket)) {
    const int flags = ::fcntl(socket_.get(), F_GETFL);
    ::fcntl(socket_.get(), F_SETFL, flags & ~O_NONBLOCK);
  }
  Request Read() {
    char buffer[4096];
    while (true) {
      auto frame = reader_.Next();
      if (frame && *frame) return *DecodeRequest(**frame);
      const ssize_t got = ::recv(socket_.get(), buffer, sizeof(buffer), 0);
      if (got <= 0) return Request{};
      reader_.Append({buffer, static_cast<std::size_t>(got)});
    }
  }
  void Send(const std::string& id, std::variant<Progress, Reply> body) {
    const auto* progress = std::get_if<Progress>(&body);
    const std::string frame =
        EncodeFrame(progress != nullptr ? EncodeProgress(id, *progress)
                                        : EncodeReply(id, std::get<Reply>(body)));
    static_cast<void>(::send(socket_.get(), frame.data(), frame.size(), MSG_NOSIGNAL));
  }

 private:
  UniqueFd socket_;
  FrameReader reader_;
};

class ScriptedDaemon {
 public:
  // `serve` is called once per connection, with its number from 0.
  ScriptedDaemon(const Scratch& scratch, int connections, std::function<void(Peer&, int)> serve)
      : path_(scratch / "s") {
    const UniqueFd folder(::open(scratch.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    listener_ = std::move(*ListenOnUnixSocket(folder.get(), "s", SOCK_STREAM, 8));
    thread_ = std::thread([this, connections, serve = std::move(serve)] {
      for (int i = 0; i < connections; ++i) {
        pollfd entry{listener_.get(), POLLIN, 0};
        constexpr int kPatienceMs = 10000;
        if (::poll(&entry, 1, kPatienceMs) != 1) return;
        Peer peer(UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
        serve(peer, i);
      }
    });
  }
  ~ScriptedDaemon() { thread_.join(); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  UniqueFd listener_;
  std::thread thread_;
};

Question Restart(const std::string& socket) {
  Question question;
  question.control.at = socket;
  question.body = RestartService{"my-app", RollMode::kRolling, 1};
  question.doing = "soft-restarting my-app";
  question.service = "my-app";
  return question;
}

}  // namespace

TEST_CASE("An answer comes with the progress on the way") {
  const Scratch scratch;
  const ScriptedDaemon daemon(scratch, 1, [](Peer& peer, int) {
    const Request request = peer.Read();
    Progress progress;
    progress.kind = "worker_ready";
    progress.worker = 7;
    peer.Send(request.id, progress);
    peer.Send("somebody-else", Reply{Error{}, {}, {}, {}});
    peer.Send(request.id, Reply{{}, {}, {"a note"}, {}});
  });
  Question question = Restart(daemon.path());
  WorkerId seen = 0;
  question.on_progress = [&](const Progress& progress) { seen = progress.worker; };
  const Answer answer = Ask(question);
  CHECK(answer.kind == Answer::Kind::kReply);
  CHECK(seen == 7);
  CHECK(answer.reply.notes == std::vector<std::string>{"a note"});
  CHECK(ExitCodeOf(answer) == 0);
}

TEST_CASE("When slcd dies on a request the same one is sent again, with the same id") {
  const Scratch scratch;
  std::vector<std::string> ids;
  const ScriptedDaemon daemon(scratch, 3, [&](Peer& peer, int connection) {
    const Request request = peer.Read();
    ids.push_back(request.id);
    if (connection == 2) peer.Send(request.id, Reply{});
  });
  const Answer answer = Ask(Restart(daemon.path()));
  CHECK(answer.kind == Answer::Kind::kReply);
  REQUIRE(ids.size() == 3);
  CHECK(ids[0] == ids[1]);
  CHECK(ids[1] == ids[2]);
  CHECK(ids[0].size() == 32);
}

TEST_CASE("A slcd that dies each time is given up after three repetitions") {
  const Scratch scratch;
  const ScriptedDaemon daemon(scratch, 4, [&](Peer& peer, int) { peer.Read(); });
  const Answer answer = Ask(Restart(daemon.path()));
  CHECK(answer.kind == Answer::Kind::kNoDaemon);
  CHECK(ExitCodeOf(answer) == 3);
  CHECK(answer.error.message.find("tried 4 times") != std::string::npos);
}

TEST_CASE("A slcd that is gone after shutdown has done what it was told") {
  const Scratch scratch;
  Question question;
  {
    const ScriptedDaemon daemon(scratch, 1, [&](Peer& peer, int) {
      peer.Read();
      // No later connection is welcome.
      ::unlink((scratch / "s").c_str());
    });
    question.control.at = daemon.path();
    question.body = Shutdown{};
    question.doing = "shutting down";
    CHECK(ExitCodeOf(Ask(question)) == 0);
  }
}

TEST_CASE("Ctrl-C while waiting detaches") {
  const Scratch scratch;
  const ScriptedDaemon daemon(scratch, 1, [&](Peer& peer, int) {
    peer.Read();
    ::kill(::getpid(), SIGINT);
    peer.Read();  // until the client hangs up
  });
  // Whoever runs the tests may ignore it, and then slc does so too.
  ::signal(SIGINT, SIG_DFL);
  const Answer answer = Ask(Restart(daemon.path()));
  CHECK(answer.kind == Answer::Kind::kDetached);
  CHECK(ExitCodeOf(answer) == 130);
}

TEST_CASE("Errors of slcd become exit codes 1 and 2") {
  Answer answer;
  CHECK(ExitCodeOf(answer) == 0);
  answer.reply.error = Error{ErrorCode::kNotFound, "x"};
  CHECK(ExitCodeOf(answer) == 1);
  answer.reply.error = Error{ErrorCode::kUnreachable, "the master does not answer"};
  CHECK(ExitCodeOf(answer) == 1);
  answer.reply.error = Error{ErrorCode::kUsage, "x"};
  CHECK(ExitCodeOf(answer) == 2);
  answer.kind = Answer::Kind::kNoServices;
  CHECK(ExitCodeOf(answer) == 1);
}

TEST_CASE("With -C no slcd is ever started") {
  const Scratch scratch;
  Question question = Restart(scratch / "s");
  question.when_absent = WhenAbsent::kStart;
  const Answer answer = Ask(question);
  CHECK(answer.kind == Answer::Kind::kNoDaemon);
  CHECK(answer.error.message.find("no slcd can be reached: connect to " + (scratch / "s")) !=
        std::string::npos);
}

TEST_CASE("The tail of a log is its last 20 lines, safe for a terminal") {
  std::vector<std::string> lines;
  for (int i = 0; i < 25; ++i) lines.push_back("line " + std::to_string(i));
  lines.emplace_back("\x1b[31m");
  const std::string text = LogTailText(lines);
  CHECK(text.find("line 5\n") == std::string::npos);
  CHECK(text.find("  | line 6\n") != std::string::npos);
  CHECK(text.find("  | \\x1b[31m\n") != std::string::npos);
}

}  // namespace slc::ctl
