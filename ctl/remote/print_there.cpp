#include "ctl/remote/print_there.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/text.h"
#include "ctl/conversation.h"
#include "ctl/logs/output.h"
#include "ctl/output.h"

namespace slc::ctl {
namespace {

constexpr Millis kTurn = 250;
// The order of the pipes of PrintLook.
constexpr std::size_t kOutput = 0;
constexpr std::size_t kComplaints = 1;
constexpr std::size_t kExitCode = 2;
constexpr std::size_t kPipes = 3;
// A pager takes a page and then nothing for hours, and the gateway lets go who does not read: so
// much is taken from it meanwhile.
constexpr std::size_t kMostUnprinted = 64U << 20;
// What a pipe takes without blocking once it is writable at all.
constexpr std::size_t kPortion = 4096;

// What was printed there, on its way to one of our descriptors.
class Outlet {
 public:
  explicit Outlet(int fd) : fd_(fd), terminal_(::isatty(fd) == 1) {}

  void Take(std::string_view bytes) {
    if (!terminal_) {
      text_ += bytes;
      return;
    }
    // Only whole lines: a character may be cut anywhere.
    line_ += bytes;
    const std::size_t end = line_.rfind('\n');
    if (end != std::string::npos) Show(end + 1);
  }
  void End() {
    if (terminal_) Show(line_.size());
  }
  std::size_t unprinted() const { return text_.size() - printed_; }

  // Prints what is taken within `limit`. False: it takes nothing any more, errno says why.
  bool Print(Millis limit) {
    while (unprinted() > 0) {
      pollfd entry{fd_, POLLOUT, 0};
      if (::poll(&entry, 1, static_cast<int>(limit)) <= 0) return true;
      const std::string_view part = std::string_view(text_).substr(printed_, kPortion);
      const ssize_t put = ::write(fd_, part.data(), part.size());
      if (put < 0 && errno != EAGAIN && errno != EINTR) return false;
      if (put > 0) printed_ += static_cast<std::size_t>(put);
    }
    text_.clear();
    printed_ = 0;
    return true;
  }
  // Nobody reads it any more.
  bool hung_up() const {
    pollfd entry{fd_, 0, 0};
    return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
  }

 private:
  // What comes from another machine must not move the cursor of this one.
  void Show(std::size_t size) {
    std::string_view whole = std::string_view(line_).substr(0, size);
    while (!whole.empty()) {
      const std::size_t end = std::min(whole.find('\n'), whole.size());
      text_ += Printable(whole.substr(0, end));
      if (end < whole.size()) text_ += '\n';
      whole.remove_prefix(std::min(end + 1, whole.size()));
    }
    line_.erase(0, size);
  }

  const int fd_;
  const bool terminal_;
  std::string line_;
  std::string text_;
  std::size_t printed_ = 0;  // of it
};

// Prints until all pipes have ended. Gives the exit code.
int Relay(Channel& channel, bool json, const std::optional<Interruptible>& interruptible) {
  Outlet output(STDOUT_FILENO);
  Outlet complaints(STDERR_FILENO);
  std::string exit_code;
  std::size_t ended = 0;
  while (ended < kPipes || output.unprinted() > 0) {
    if (interruptible && interruptible->interrupted()) return kDone;
    if (output.hung_up()) return kDone;
    const bool wants = ended < kPipes && output.unprinted() < kMostUnprinted;
    bool came = false;
    if (wants) {
      auto piece = channel.ReadPiece(output.unprinted() > 0 ? 0 : kTurn);
      if (!piece) {
        static_cast<void>(output.Print(kTurn));
        return ReportError(piece.error(), json);
      }
      came = piece->has_value();
      if (came && (*piece)->data.empty()) {
        ++ended;
      } else if (came) {
        const auto& [stream, data] = **piece;
        if (stream == kOutput) output.Take(data);
        if (stream == kComplaints) complaints.Take(data);
        if (stream == kExitCode) exit_code += data;
      }
    }
    if (ended == kPipes) {
      output.End();
      complaints.End();
    }
    // Nobody is left to be told when this fails.
    static_cast<void>(complaints.Print(kTurn));
    if (!output.Print(came ? 0 : kTurn)) return WriteFailure(std::cerr);
  }
  const auto code = ParseInteger(exit_code, 0, 255);
  if (code) return static_cast<int>(*code);
  return ReportError(Error{ErrorCode::kUnreachable,
                           "what prints this there has ended before it "
                           "was done; this may not be all"},
                     json);
}

}  // namespace

int PrintThere(const Control& control, PrintLook look, const std::string& what) {
  const NoBrokenPipe guard;
  std::optional<Interruptible> interruptible;
  if (look.follow) interruptible.emplace();
  Question question;
  question.control = control;
  const std::string service = look.service;
  question.body = std::move(look);
  const Answer answer = Ask(question);
  if (answer.kind != Answer::Kind::kReply || answer.reply.error) {
    return ReportFailure(answer, what, service, control.json);
  }
  if (!answer.channel || answer.channel->streams() != kPipes) {
    return ReportError(
        Error{ErrorCode::kProtocol, "slcd has not sent what this is to be read from"},
        control.json);
  }
  return Relay(*answer.channel, control.json, interruptible);
}

}  // namespace slc::ctl
