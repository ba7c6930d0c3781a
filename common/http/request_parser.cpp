#include "common/http/request_parser.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <llhttp.h>

#include "common/base/letters.h"
#include "common/base/text.h"
#include "common/http/chunk_reader.h"
#include "common/http/head_lines.h"

namespace slc::http {
namespace {

std::optional<Refusal> Refuse(int status, std::string reason) {
  return Refusal{status, std::move(reason)};
}

// "GET /path HTTP/1.1". Statuses are those a client can act on; llhttp knows but one.
std::optional<Refusal> CheckRequestLine(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return Refuse(400, "the request line is not METHOD TARGET VERSION");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!IsToken(method)) return Refuse(400, "the method is not a word");
  if (!StartsWith(version, "HTTP/")) return Refuse(400, "the request line has no HTTP version");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return Refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  }
  const bool visible = std::all_of(target.begin(), target.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
  });
  if (target.empty() || !visible)
    return Refuse(400, "the target holds a byte that must be encoded");
  static constexpr std::array<std::string_view, 7> kMethods{"GET",    "HEAD",  "POST",   "PUT",
                                                            "DELETE", "PATCH", "OPTIONS"};
  if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) {
    return Refuse(501, "the method " + std::string(method.substr(0, 32)) + " is not known here");
  }
  return std::nullopt;
}

std::optional<Refusal> CheckHeaderLine(std::string_view line) {
  const auto fault = FaultOfHeader(line);
  return fault ? Refuse(400, std::string(*fault)) : std::nullopt;
}

// A whole head, its empty line included.
std::optional<Refusal> CheckLines(std::string_view head) {
  std::size_t count = 0;
  for (std::size_t at = 0; at + kLineEnd.size() < head.size();) {
    const std::size_t end = head.find(kLineEnd, at);
    const std::string_view line = head.substr(at, end - at);
    if (line.find_first_of("\r\n") != std::string_view::npos) {
      return Refuse(400, "a line of the head does not end with CR LF");
    }
    if (auto refusal = at == 0 ? CheckRequestLine(line) : CheckHeaderLine(line)) return refusal;
    if (at > 0 && ++count > RequestParser::kMostHeaderCount) {
      return Refuse(431,
                    "more than " + std::to_string(RequestParser::kMostHeaderCount) + " headers");
    }
    at = end + kLineEnd.size();
  }
  return std::nullopt;
}

// Takes scheme and authority off an absolute target.
std::optional<Refusal> TakeAuthority(RequestHead& head) {
  static constexpr std::array<std::string_view, 2> kSchemes{"http://", "https://"};
  for (const std::string_view scheme : kSchemes) {
    if (Lower(std::string_view(head.target).substr(0, scheme.size())) != scheme) continue;
    const std::size_t path = head.target.find_first_of("/?", scheme.size());
    head.host = head.target.substr(scheme.size(), path - scheme.size());
    head.target = path == std::string::npos ? "/" : head.target.substr(path);
    if (head.target.front() == '?') head.target.insert(0, "/");
    if (head.host.empty()) return Refuse(400, "the target has no host");
    return std::nullopt;
  }
  const bool whole_server = head.target == "*" && head.method == "OPTIONS";
  if (head.target.front() != '/' && !whole_server) return Refuse(400, "the target is not a path");
  return std::nullopt;
}

// Where the body ends, and whom the request is for.
std::optional<Refusal> ReadFraming(RequestHead& head) {
  std::size_t hosts = 0;
  std::size_t lengths = 0;
  std::size_t encodings = 0;
  std::string host;
  for (const Header& header : head.headers) {
    if (header.name == "host") {
      ++hosts;
      host = header.value;
    } else if (header.name == "content-length") {
      ++lengths;
      head.length = ParseLength(header.value);
      if (!head.length) return Refuse(400, "Content-Length is not a number of bytes");
    } else if (header.name == "transfer-encoding") {
      ++encodings;
      if (Lower(header.value) != "chunked") {
        return Refuse(501, "the only Transfer-Encoding known here is chunked");
      }
      head.chunked = true;
    } else if (header.name == "expect") {
      if (Lower(header.value) != "100-continue") {
        return Refuse(417, "the only Expect known here is 100-continue");
      }
      head.expects_continue = !head.http10;
    }
  }
  if (lengths > 1) return Refuse(400, "two Content-Length headers");
  if (encodings > 1) return Refuse(400, "two Transfer-Encoding headers");
  if (lengths > 0 && encodings > 0) {
    return Refuse(400, "both Content-Length and Transfer-Encoding");
  }
  if (encodings > 0 && head.http10) return Refuse(400, "HTTP/1.0 knows no Transfer-Encoding");
  if (hosts > 1) return Refuse(400, "two Host headers");
  if (hosts == 0 && !head.http10) return Refuse(400, "no Host header");
  // Node's clients name a unix socket by its path; over TCP nobody is called that.
  const bool path = !host.empty() && host.front() == '/';
  if (host.find_first_of(path ? " \t,@" : " \t,/@") != std::string::npos) {
    return Refuse(400, "the Host header is not HOST or HOST:PORT");
  }
  if (head.host.empty()) head.host = std::move(host);
  return std::nullopt;
}

}  // namespace

struct RequestParser::Impl {
  enum class State { kHead, kLength, kChunks, kEnd, kRefused };

  Impl() {
    llhttp_settings_init(&settings);
    settings.on_url = [](llhttp_t* reader, const char* at, std::size_t length) {
      Of(reader).head.target.append(at, length);
      return 0;
    };
    settings.on_header_field = [](llhttp_t* reader, const char* at, std::size_t length) {
      Impl& self = Of(reader);
      if (self.within_value || self.head.headers.empty()) self.head.headers.emplace_back();
      self.within_value = false;
      self.head.headers.back().name.append(at, length);
      return 0;
    };
    settings.on_header_value = [](llhttp_t* reader, const char* at, std::size_t length) {
      Impl& self = Of(reader);
      self.within_value = true;
      self.head.headers.back().value.append(at, length);
      return 0;
    };
    settings.on_headers_complete = [](llhttp_t* reader) {
      Impl& self = Of(reader);
      self.whole_head = true;
      // Nobody here changes the protocol.
      reader->upgrade = 0;
      return static_cast<int>(HPE_PAUSED);
    };
    Begin();
  }

  static Impl& Of(llhttp_t* reader) { return *static_cast<Impl*>(reader->data); }

  void Begin() {
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = this;
    state = State::kHead;
    text.clear();
    within_value = false;
    whole_head = false;
    before = 0;
    left = 0;
    chunks = ChunkReader();
  }

  Event Refused(Refusal why) {
    state = State::kRefused;
    refusal = std::move(why);
    return Event::kRefused;
  }

  Event TakeHead(std::string_view& bytes);
  Event ReadHead();
  Event TakeChunks(std::string_view& bytes);
  Event TakeData(std::string_view& bytes);

  llhttp_t parser;
  llhttp_settings_t settings;
  State state = State::kHead;
  std::string text;  // of a head that is not complete
  RequestHead head;
  std::string_view data;
  Refusal refusal;
  bool within_value = false;
  bool whole_head = false;
  std::size_t before = 0;  // bytes of empty lines before the request
  std::uint64_t left = 0;  // of the body
  ChunkReader chunks;
};

RequestParser::Event RequestParser::Impl::TakeHead(std::string_view& bytes) {
  const std::size_t known = text.size();
  const std::string_view taken = bytes.substr(0, kMostRequestLine + kMostHeaders + 1 - known);
  text.append(taken);
  std::size_t from = known < kHeadEnd.size() ? 0 : known - (kHeadEnd.size() - 1);
  // An empty line or two before a request are passed over, as some clients send one after a body.
  while (StartsWith(text, kLineEnd) && before < 2 * kLineEnd.size()) {
    text.erase(0, kLineEnd.size());
    before += kLineEnd.size();
    from = 0;
  }
  const std::size_t end = text.find(kHeadEnd, from);
  const std::size_t line = text.find('\n');
  if (std::min(line, text.size()) > kMostRequestLine) {
    return Refused({414, "the request line is longer than 8 KiB"});
  }
  if (end == std::string::npos) {
    // Whoever ends its lines differently would wait for an answer for ever.
    if (line != std::string::npos && (line == 0 || text[line - 1] != '\r')) {
      return Refused({400, "a line of the head does not end with CR LF"});
    }
    if (text.size() > kMostRequestLine + kMostHeaders ||
        (line != std::string::npos && text.size() - line > kMostHeaders)) {
      return Refused({431, "the headers are longer than 16 KiB"});
    }
    bytes.remove_prefix(taken.size());
    return Event::kMore;
  }
  bytes.remove_prefix(taken.size() - (text.size() - end - kHeadEnd.size()));
  text.resize(end + kHeadEnd.size());
  if (text.size() - line > kMostHeaders + kHeadEnd.size()) {
    return Refused({431, "the headers are longer than 16 KiB"});
  }
  return ReadHead();
}

RequestParser::Event RequestParser::Impl::ReadHead() {
  if (auto wrong = CheckLines(text)) return Refused(std::move(*wrong));
  head = RequestHead{};
  const llhttp_errno_t error = llhttp_execute(&parser, text.data(), text.size());
  if (error != HPE_PAUSED || !whole_head) {
    const char* reason = llhttp_get_error_reason(&parser);
    return Refused({400, std::string("the head is not HTTP: ") + (reason ? reason : "incomplete")});
  }
  head.method = llhttp_method_name(static_cast<llhttp_method_t>(parser.method));
  head.http10 = parser.http_minor == 0;
  for (Header& header : head.headers) {
    header.name = Lower(header.name);
    header.value = std::string(Trim(header.value));
  }
  if (auto wrong = TakeAuthority(head)) return Refused(std::move(*wrong));
  if (auto wrong = ReadFraming(head)) return Refused(std::move(*wrong));
  head.keep_alive = llhttp_should_keep_alive(&parser) != 0;
  text.clear();
  if (head.chunked) {
    state = State::kChunks;
  } else if (head.length && *head.length > 0) {
    left = *head.length;
    state = State::kLength;
  } else {
    state = State::kEnd;
  }
  return Event::kHead;
}

RequestParser::Event RequestParser::Impl::TakeChunks(std::string_view& bytes) {
  switch (chunks.Next(bytes)) {
    case ChunkReader::Event::kMore:
      break;
    case ChunkReader::Event::kData:
      data = chunks.data();
      return Event::kData;
    case ChunkReader::Event::kEnd:
      Begin();
      return Event::kEnd;
    case ChunkReader::Event::kRefused:
      return Refused({400, std::string(chunks.reason())});
  }
  return Event::kMore;
}

RequestParser::Event RequestParser::Impl::TakeData(std::string_view& bytes) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size()));
  data = bytes.substr(0, count);
  bytes.remove_prefix(count);
  left -= count;
  return Event::kData;
}

RequestParser::RequestParser() : impl_(std::make_unique<Impl>()) {}
RequestParser::~RequestParser() = default;

RequestParser::Event RequestParser::Next(std::string_view& bytes) {
  Impl& self = *impl_;
  switch (self.state) {
    case Impl::State::kHead:
      return bytes.empty() ? Event::kMore : self.TakeHead(bytes);
    case Impl::State::kLength:
      if (self.left == 0) break;
      return bytes.empty() ? Event::kMore : self.TakeData(bytes);
    case Impl::State::kChunks:
      return self.TakeChunks(bytes);
    case Impl::State::kEnd:
      break;
    case Impl::State::kRefused:
      return Event::kRefused;
  }
  self.Begin();
  return Event::kEnd;
}

RequestHead& RequestParser::head() { return impl_->head; }
std::string_view RequestParser::data() const { return impl_->data; }
const Refusal& RequestParser::refusal() const { return impl_->refusal; }
bool RequestParser::within_head() const {
  return impl_->state == Impl::State::kHead && !impl_->text.empty();
}

}  // namespace slc::http
