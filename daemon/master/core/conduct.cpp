#include "daemon/master/core/conduct.h"

#include <algorithm>

namespace slc {

std::size_t Conduct::Count::Add(Millis now) {
  if (so_far == 0 || now - since >= kWindow) {
    since = now;
    so_far = 0;
  }
  return ++so_far;
}

void Conduct::On(const ConductFact& fact, Millis now) {
  if (told_) return;
  std::visit([&](const auto& each) { Record(each, now); }, fact);
}

// The first one counts: what follows may be its consequence.
void Conduct::Broke(std::string what) {
  if (breach_.empty()) breach_ = std::move(what);
}

void Conduct::Record(const LineGrows& fact, Millis now) {
  const bool begins = fact.piece == fact.total;
  if (begins) {
    line_since_ = now;
    crumbs_ = 0;
  }
  if (fact.piece < kCrumb) ++crumbs_;
  if (fact.total > kMostOfLine) Broke("a message of more than 16 MiB");
  if (crumbs_ >= kMostCrumbs && now - line_since_ >= kSlowLine) {
    Broke("a message in crumbs of some bytes");
  }
}

void Conduct::Record(const LineUnreadable&, Millis now) {
  if (unreadable_.Add(now) > kMostUnreadable) Broke("messages that are not JSON");
}

void Conduct::Record(const LineNested& fact, Millis) {
  if (fact.depth > kMostDepth) Broke("a message nested deeper than 1000");
}

void Conduct::Record(const DescriptorsCame& fact, Millis) {
  if (!fact.announced && fact.count > 0) Broke("descriptors that no message announces");
  if (fact.count > 1) Broke("more than one descriptor with a message");
}

void Conduct::Record(const LeftUnread&, Millis) { Broke("it does not read what it is answered"); }

void Conduct::Record(const Deafened&, Millis now) {
  // It may be on its way to an end, which closes both sides.
  if (!closed_ && !deaf_at_) deaf_at_ = now + kDeafFor;
}

void Conduct::Record(const ChannelClosed&, Millis) {
  // What follows is up to the Fleet.
  closed_ = true;
  deaf_at_.reset();
  leaves_at_.reset();
}

void Conduct::Record(const Requested&, Millis now) {
  if (requests_.Add(now) > kMostRequests) Broke("more than 2000 requests to listen within 10 s");
}

void Conduct::Record(const AnsweredUnasked&, Millis now) {
  if (false_answers_.Add(now) > kMostFalseAnswers) Broke("answers to what it was not asked");
}

void Conduct::Record(const AnnouncedLeave&, Millis now) {
  if (!closed_ && !leaves_at_) leaves_at_ = now + kLeavesWithin;
}

std::optional<std::string> Conduct::TakeBreach(Millis now) {
  if (told_) return std::nullopt;
  if (deaf_at_ && now >= *deaf_at_) Broke("it has closed the side on which it reads");
  if (leaves_at_ && now >= *leaves_at_) Broke("it said that it disconnects, and did not");
  if (breach_.empty()) return std::nullopt;
  told_ = true;
  return "broke the protocol of its channel: " + breach_;
}

std::optional<Millis> Conduct::deadline() const {
  if (told_) return std::nullopt;
  if (!breach_.empty()) return 0;
  if (deaf_at_ && leaves_at_) return std::min(*deaf_at_, *leaves_at_);
  return deaf_at_ ? deaf_at_ : leaves_at_;
}

}  // namespace slc
