#include "common/http/response_parser.h"

#include <algorithm>
#include <utility>

#include <llhttp.h>

#include "common/base/letters.h"
#include "common/base/text.h"
#include "common/http/chunk_reader.h"
#include "common/http/head_lines.h"

namespace slc::http {
namespace {

using Fault = std::optional<std::string>;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// "HTTP/1.1 200 OK"; the phrase and the blank before it may be missing.
Fault FaultOfStatusLine(std::string_view line) {
  if (!StartsWith(line, "HTTP/1.1 ") && !StartsWith(line, "HTTP/1.0 ")) {
    return StartsWith(line, "HTTP/") ? "it speaks another version than HTTP/1.1"
                                     : "it does not speak HTTP";
  }
  const std::string_view status = line.substr(9, 3);
  const bool digits = status.size() == 3 && std::all_of(status.begin(), status.end(), IsDigit);
  if (!digits || status[0] < '1' || status[0] > '5' || (line.size() > 12 && line[12] != ' ')) {
    return "the status is not three digits from 100 to 599";
  }
  for (const char c : line.substr(12)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
      return "the status line holds a control byte";
  }
  return std::nullopt;
}

// A whole head, its empty line included.
Fault FaultOfLines(std::string_view head) {
  std::size_t count = 0;
  for (std::size_t at = 0; at + kLineEnd.size() < head.size();) {
    const std::size_t end = head.find(kLineEnd, at);
    const std::string_view line = head.substr(at, end - at);
    if (line.find_first_of("\r\n") != std::string_view::npos) {
      return "a line of the head does not end with CR LF";
    }
    if (at == 0) {
      if (auto fault = FaultOfStatusLine(line)) return fault;
    } else if (const auto fault = FaultOfHeader(line)) {
      return std::string(*fault);
    }
    if (at > 0 && ++count > ResponseParser::kMostHeaderCount) {
      return "more than " + std::to_string(ResponseParser::kMostHeaderCount) + " headers";
    }
    at = end + kLineEnd.size();
  }
  return std::nullopt;
}

// Where the body ends. `bare`: there is none, whatever the headers say.
Fault ReadFraming(AnswerHead& head, bool bare) {
  std::size_t lengths = 0;
  std::size_t encodings = 0;
  for (const Header& header : head.headers) {
    if (header.name == "content-length") {
      ++lengths;
      head.length = ParseLength(header.value);
      if (!head.length) return "Content-Length is not a number of bytes";
    } else if (header.name == "transfer-encoding") {
      ++encodings;
      if (Lower(header.value) != "chunked") {
        return "a Transfer-Encoding that was not asked for: " + header.value.substr(0, 64);
      }
      head.chunked = true;
    }
  }
  if (lengths > 1) return "two Content-Length headers";
  if (encodings > 1) return "two Transfer-Encoding headers";
  if (lengths > 0 && encodings > 0) return "both Content-Length and Transfer-Encoding";
  if (encodings > 0 && head.http10) return "HTTP/1.0 knows no Transfer-Encoding";
  if (bare) {
    head.chunked = false;
    head.length = 0;
  }
  head.until_close = !head.chunked && !head.length;
  return std::nullopt;
}

}  // namespace

const std::string* AnswerHead::Find(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [&](const Header& header) { return header.name == name; });
  return found == headers.end() ? nullptr : &found->value;
}

std::string AnswerHead::media_type() const {
  const std::string* type = Find("content-type");
  if (type == nullptr) return {};
  return Lower(Trim(std::string_view(*type).substr(0, type->find(';'))));
}

struct ResponseParser::Impl {
  enum class State { kHead, kLength, kChunks, kUntilClose, kEnd, kOver, kRefused };

  Impl() {
    llhttp_settings_init(&settings);
    settings.on_status = [](llhttp_t* reader, const char* at, std::size_t length) {
      Of(reader).head.phrase.append(at, length);
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
      Of(reader).whole_head = true;
      reader->upgrade = 0;
      return static_cast<int>(HPE_PAUSED);
    };
    Begin();
  }

  static Impl& Of(llhttp_t* reader) { return *static_cast<Impl*>(reader->data); }

  void Begin() {
    llhttp_init(&parser, HTTP_RESPONSE, &settings);
    parser.data = this;
    state = State::kHead;
    text.clear();
    within_value = false;
    whole_head = false;
    left = 0;
    chunks = ChunkReader();
  }

  Event Refused(std::string why) {
    state = State::kRefused;
    reason = std::move(why);
    return Event::kRefused;
  }
  Event End() {
    state = State::kOver;
    return Event::kEnd;
  }

  Event TakeHead(std::string_view& bytes);
  Event ReadHead();
  Event TakeData(std::string_view& bytes, std::uint64_t most);
  Event TakeChunks(std::string_view& bytes);

  llhttp_t parser;
  llhttp_settings_t settings;
  State state = State::kHead;
  std::string text;  // of a head that is not complete
  AnswerHead head;
  std::string_view data;
  std::string reason;
  bool head_only = false;  // asked for by HEAD
  int interim = 0;
  bool touched = false;  // a byte of the answer has come
  bool within_value = false;
  bool whole_head = false;
  std::uint64_t left = 0;  // of the body
  ChunkReader chunks;
};

ResponseParser::Event ResponseParser::Impl::TakeHead(std::string_view& bytes) {
  touched = true;
  const std::size_t known = text.size();
  const std::string_view taken = bytes.substr(0, kMostStatusLine + kMostHeaders + 1 - known);
  text.append(taken);
  const std::size_t from = known < kHeadEnd.size() ? 0 : known - (kHeadEnd.size() - 1);
  const std::size_t end = text.find(kHeadEnd, from);
  const std::size_t line = text.find('\n');
  if (std::min(line, text.size()) > kMostStatusLine) {
    return Refused("the status line is longer than 8 KiB");
  }
  const std::size_t whole = end == std::string::npos ? text.size() : end + kHeadEnd.size();
  if (line != std::string::npos && whole - line > kMostHeaders + kHeadEnd.size()) {
    return Refused("the headers are longer than 16 KiB");
  }
  if (end == std::string::npos) {
    // What is no HTTP is seen at once, and not waited for to end.
    const std::string_view begin = std::string_view("HTTP/").substr(0, text.size());
    if (!StartsWith(text, begin)) return Refused("it does not speak HTTP");
    if (line != std::string::npos && (line == 0 || text[line - 1] != '\r')) {
      return Refused("a line of the head does not end with CR LF");
    }
    bytes.remove_prefix(taken.size());
    return Event::kMore;
  }
  bytes.remove_prefix(taken.size() - (text.size() - whole));
  text.resize(whole);
  return ReadHead();
}

ResponseParser::Event ResponseParser::Impl::ReadHead() {
  if (auto fault = FaultOfLines(text)) return Refused(std::move(*fault));
  head = AnswerHead{};
  const llhttp_errno_t error = llhttp_execute(&parser, text.data(), text.size());
  if (error != HPE_PAUSED || !whole_head) {
    const char* why = llhttp_get_error_reason(&parser);
    return Refused(std::string("the head is not HTTP: ") + (why != nullptr ? why : "incomplete"));
  }
  head.status = parser.status_code;
  head.http10 = parser.http_minor == 0;
  for (Header& header : head.headers) {
    header.name = Lower(header.name);
    header.value = std::string(Trim(header.value));
  }
  const bool is_interim = head.status < 200;
  const bool bare = is_interim || head.status == 204 || head.status == 304 || head_only;
  if (auto fault = ReadFraming(head, bare)) return Refused(std::move(*fault));
  if (head.status == 101) return Refused("it changes the protocol, which nobody asked for");
  if (is_interim) {
    if (++interim > kMostInterim) return Refused("interim answers without end");
    Begin();
    return Event::kMore;
  }
  // llhttp would count an answer to HEAD as one whose end is that of the connection.
  const std::string* connection = head.Find("connection");
  const std::string wish = connection != nullptr ? Lower(*connection) : std::string();
  const bool close = wish.find("close") != std::string::npos;
  const bool keep = !head.http10 || wish.find("keep-alive") != std::string::npos;
  head.keep_alive = keep && !close && !head.until_close;
  text.clear();
  left = head.length.value_or(0);
  if (head.chunked) {
    state = State::kChunks;
  } else if (head.until_close) {
    state = State::kUntilClose;
  } else {
    state = left > 0 ? State::kLength : State::kEnd;
  }
  return Event::kHead;
}

ResponseParser::Event ResponseParser::Impl::TakeData(std::string_view& bytes, std::uint64_t most) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(most, bytes.size()));
  data = bytes.substr(0, count);
  bytes.remove_prefix(count);
  return Event::kData;
}

ResponseParser::Event ResponseParser::Impl::TakeChunks(std::string_view& bytes) {
  switch (chunks.Next(bytes)) {
    case ChunkReader::Event::kMore:
      break;
    case ChunkReader::Event::kData:
      data = chunks.data();
      return Event::kData;
    case ChunkReader::Event::kEnd:
      return End();
    case ChunkReader::Event::kRefused:
      return Refused(std::string(chunks.reason()));
  }
  return Event::kMore;
}

ResponseParser::ResponseParser() : impl_(std::make_unique<Impl>()) {}
ResponseParser::~ResponseParser() = default;

void ResponseParser::Expect(std::string_view method) {
  if (impl_->state == Impl::State::kRefused) return;
  impl_->Begin();
  impl_->head_only = method == "HEAD";
  impl_->interim = 0;
  impl_->touched = false;
}

ResponseParser::Event ResponseParser::Next(std::string_view& bytes) {
  Impl& self = *impl_;
  // An interim answer ends without an event of its own.
  while (self.state == Impl::State::kHead && !bytes.empty()) {
    const Event event = self.TakeHead(bytes);
    if (event != Event::kMore) return event;
  }
  switch (self.state) {
    case Impl::State::kHead:
      return Event::kMore;
    case Impl::State::kLength:
      if (self.left == 0) return self.End();
      if (bytes.empty()) return Event::kMore;
      self.TakeData(bytes, self.left);
      self.left -= self.data.size();
      return Event::kData;
    case Impl::State::kChunks:
      return self.TakeChunks(bytes);
    case Impl::State::kUntilClose:
      return bytes.empty() ? Event::kMore : self.TakeData(bytes, bytes.size());
    case Impl::State::kEnd:
      return self.End();
    case Impl::State::kOver:
      return bytes.empty() ? Event::kMore : self.Refused("it answers what was not asked");
    case Impl::State::kRefused:
      break;
  }
  return Event::kRefused;
}

ResponseParser::Event ResponseParser::Close() {
  Impl& self = *impl_;
  switch (self.state) {
    case Impl::State::kUntilClose:
    case Impl::State::kEnd:
      return self.End();
    case Impl::State::kLength:
      if (self.left == 0) return self.End();
      break;
    case Impl::State::kHead:
      return self.Refused(self.text.empty() ? "it closed the connection without an answer"
                                            : "it closed the connection in the midst of a head");
    case Impl::State::kChunks:
      break;
    case Impl::State::kOver:
      return Event::kEnd;
    case Impl::State::kRefused:
      return Event::kRefused;
  }
  return self.Refused("it closed the connection in the midst of its answer");
}

const AnswerHead& ResponseParser::head() const { return impl_->head; }
std::string_view ResponseParser::data() const { return impl_->data; }
const std::string& ResponseParser::reason() const { return impl_->reason; }
bool ResponseParser::untouched() const { return !impl_->touched; }

}  // namespace slc::http
