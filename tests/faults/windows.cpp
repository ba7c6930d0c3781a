#include "tests/faults/windows.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/text.h"

namespace slc::test {

void Windows::Allow(const std::string& service, Millis from, Millis span, std::int64_t kept,
                    std::int64_t closing, const std::string& why) {
  windows_.push_back({service, from, from + span, false, kept, closing, why});
}

void Windows::Open(const std::string& service, Millis from, Millis most, const std::string& why) {
  const Millis counts_from = std::max(from, held_until_);
  windows_.push_back({service, from, counts_from + most, true, kAny, kAny, why});
}

void Windows::Prolong(Millis by) {
  for (Window& window : windows_) {
    if (window.open) window.to += by;
  }
}

void Windows::HoldUp(Millis from, Millis by) {
  Prolong(by);
  held_until_ = std::max(held_until_, from + by);
}

void Windows::Close(const std::string& service, Millis at) {
  for (Window& window : windows_) {
    if (!window.open || window.service != service) continue;
    window.open = false;
    window.to = std::min(window.to, at);
  }
}

Millis Windows::OpenFor(const std::string& service, Millis begin, Millis end) const {
  std::vector<std::pair<Millis, Millis>> spans;
  for (const Window& window : windows_) {
    if (window.service == service && window.kept == kAny) {
      spans.emplace_back(std::max(begin, window.from), std::min(end, window.to));
    }
  }
  std::sort(spans.begin(), spans.end());
  Millis sum = 0;
  Millis seen = begin;
  for (const auto& [from, to] : spans) {
    sum += std::max<Millis>(0, to - std::max(from, seen));
    seen = std::max(seen, to);
  }
  return sum;
}

std::string Windows::Longest() const {
  std::map<std::string, Millis> longest;
  for (const Window& window : windows_) {
    if (window.kept != kAny || window.open) continue;
    longest[window.why] = std::max(longest[window.why], window.to - window.from);
  }
  std::string text;
  for (const auto& [why, span] : longest) {
    text += (text.empty() ? "" : ", ") + why + " " + std::to_string(span) + " ms";
  }
  return text;
}

bool Windows::IsOpen(const std::string& service) const {
  return std::any_of(windows_.begin(), windows_.end(), [&](const Window& window) {
    return window.open && window.service == service;
  });
}

std::string Windows::Judge(const LoadReport& report) const {
  std::vector<Window> left = windows_;
  std::sort(left.begin(), left.end(),
            [](const Window& one, const Window& other) { return one.to < other.to; });
  std::string text;
  for (const LaneReport& lane : report.lanes) {
    const bool kept = EndsWith(lane.name, "-keep");
    const std::string service = lane.name.substr(0, lane.name.rfind('-'));
    for (const LoadFailure& failure : lane.first_failures) {
      const auto window = std::find_if(left.begin(), left.end(), [&](const Window& each) {
        return each.service == service && each.from <= failure.at && failure.at <= each.to &&
               (kept ? each.kept : each.closing) > 0;
      });
      if (window != left.end()) {
        --(kept ? window->kept : window->closing);
        continue;
      }
      text += lane.name + " at " + std::to_string(failure.at) + ": " + failure.kind + ", " +
              failure.text + "\n";
    }
    const auto listed = static_cast<std::int64_t>(lane.first_failures.size());
    if (lane.failed > listed) {
      text += lane.name + ": " + std::to_string(lane.failed - listed) + " more than are listed\n";
    }
  }
  return text;
}

}  // namespace slc::test
