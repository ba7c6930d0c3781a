#include "common/model/journal.h"

#include <array>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "common/base/crc32c.h"
#include "common/base/text.h"
#include "common/model/json_fields.h"

namespace slc {
namespace {

using nlohmann::json;

constexpr std::string_view kCrcKey = ",\"crc\":\"";
constexpr std::size_t kCrcDigits = 8;
constexpr std::string_view kEnd = "\"}";
constexpr std::size_t kTail = kCrcKey.size() + kCrcDigits + kEnd.size();
constexpr std::size_t kLongestText = 2000;

std::string HexOf(std::uint32_t value) {
  std::array<char, kCrcDigits + 1> text{};
  std::snprintf(text.data(), text.size(), "%08x", value);
  return text.data();
}

// At a character's boundary, if there is one.
std::string Cut(const std::string& text) {
  if (text.size() <= kLongestText) return text;
  std::size_t end = kLongestText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return text.substr(0, end > 0 ? end : kLongestText) + "...";
}

void AppendText(std::string& out, const char* key, const std::string& value) {
  if (value.empty()) return;
  out += std::string(",\"") + key + "\":";
  AppendJsonString(out, Cut(value));
}

template <typename Number>
void AppendNumber(std::string& out, const char* key, Number value) {
  out += std::string(",\"") + key + "\":" + std::to_string(value);
}

template <typename Number>
void AppendIfSet(std::string& out, const char* key, Number value) {
  if (value != 0) AppendNumber(out, key, value);
}

// What stands between the braces.
std::string Members(const JournalRecord& record) {
  std::string out = "\"time\":\"" + FormatIso(record.time) + "\"";
  AppendText(out, "kind", record.kind);
  AppendIfSet(out, "id", record.id);
  AppendText(out, "service", record.service);
  AppendText(out, "verb", record.verb);
  AppendText(out, "result", record.result);
  AppendText(out, "boot", record.boot);
  AppendText(out, "text", record.text);
  AppendIfSet(out, "worker", record.worker);
  AppendIfSet(out, "slot", record.slot);
  AppendIfSet(out, "generation", record.generation);
  AppendIfSet(out, "pid", record.pid);
  if (record.status) AppendNumber(out, "status", *record.status);
  if (record.took) AppendNumber(out, "took_ms", *record.took);
  if (record.times != 1) AppendNumber(out, "times", record.times);
  if (record.code) {
    out += ",\"code\":{\"script_changed\":" + std::to_string(record.code->script_changed);
    AppendText(out, "version", record.code->version);
    AppendText(out, "commit", record.code->commit);
    out += "}";
  }
  if (record.who) {
    out += ",\"who\":{\"uid\":" + std::to_string(record.who->uid);
    AppendNumber(out, "pid", record.who->pid);
    AppendText(out, "user", record.who->user);
    AppendText(out, "cause", record.who->cause);
    AppendText(out, "principal", record.who->principal);
    out += "}";
  }
  return out;
}

Status ReadActor(const json& value, std::optional<JournalActor>& who) {
  JsonFields fields(value, "who");
  JournalActor actor;
  fields.Require("uid");
  fields.Read("uid", actor.uid);
  fields.Read("pid", actor.pid);
  fields.Read("user", actor.user);
  fields.Read("cause", actor.cause);
  fields.Read("principal", actor.principal);
  who = actor;
  return fields.status();
}

Status ReadCode(const json& value, std::optional<CodeFacts>& code) {
  JsonFields fields(value, "code");
  CodeFacts facts;
  fields.Read("version", facts.version);
  fields.Read("commit", facts.commit);
  fields.Read("script_changed", facts.script_changed);
  code = facts;
  return fields.status();
}

// A number of milliseconds, if it is there.
void ReadSpan(JsonFields& fields, const char* key, std::optional<Millis>& target) {
  constexpr Millis kAbsent = INT64_MIN;
  Millis span = kAbsent;
  fields.Read(key, span);
  if (span != kAbsent) target = span;
}

}  // namespace

std::string EncodeJournalRecord(const JournalRecord& record) { return "{" + Members(record) + "}"; }

std::string EncodeJournalLine(const JournalRecord& record) {
  return SealJournalLine("{" + Members(record)) + "\n";
}

std::string SealJournalLine(std::string object) {
  const std::string crc = HexOf(Crc32c(object));
  object += kCrcKey;
  object += crc;
  object += kEnd;
  return object;
}

bool IsSoundJournalLine(std::string_view line) {
  if (line.size() <= kTail || !EndsWith(line, kEnd)) return false;
  const std::string_view body = line.substr(0, line.size() - kTail);
  const std::string_view tail = line.substr(body.size());
  if (!StartsWith(tail, kCrcKey)) return false;
  return tail.substr(kCrcKey.size(), kCrcDigits) == HexOf(Crc32c(body));
}

Result<JournalRecord> DecodeJournalLine(std::string_view line) {
  if (!IsSoundJournalLine(line)) {
    return Error{ErrorCode::kInvalid, "this line of the journal is damaged"};
  }
  auto parsed = ParseJson(std::string(line));
  if (!parsed) return parsed.error().During("journal");
  JournalRecord record;
  JsonFields fields(*parsed, "record");
  fields.Require("time");
  fields.ReadName("time", [&](const std::string& text) {
    record.time = ParseIso(text);
    return record.time >= 0;
  });
  fields.Require("kind");
  fields.ReadName("kind", [&](const std::string& text) {
    record.kind = text;
    return !text.empty();
  });
  fields.Read("id", record.id);
  fields.Read("service", record.service);
  fields.Read("verb", record.verb);
  fields.Read("result", record.result);
  fields.Read("boot", record.boot);
  fields.Read("text", record.text);
  fields.Read("worker", record.worker);
  fields.Read("slot", record.slot);
  fields.Read("generation", record.generation);
  fields.Read("pid", record.pid);
  fields.Read("status", record.status);
  ReadSpan(fields, "took_ms", record.took);
  fields.Read("times", record.times);
  fields.ReadObject("who", [&](const json& who) { return ReadActor(who, record.who); });
  fields.ReadObject("code", [&](const json& code) { return ReadCode(code, record.code); });
  if (Status good = fields.status(); !good) return good.error();
  return record;
}

JournalScan ScanJournal(std::string_view text,
                        const std::function<void(std::string_view line)>& on_sound) {
  JournalScan scan;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) break;
    if (IsSoundJournalLine(text.substr(at, end - at))) {
      ++scan.sound;
      if (on_sound) on_sound(text.substr(at, end + 1 - at));
    } else {
      ++scan.damaged;
    }
    at = end + 1;
  }
  scan.torn = text.size() - at;
  return scan;
}

}  // namespace slc
