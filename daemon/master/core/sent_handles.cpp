#include "daemon/master/core/sent_handles.h"

#include <sstream>

namespace slc {

std::string SentHandles::Text() const {
  std::ostringstream text;
  text << inherited_ << ' ' << last_of_predecessor_ << ' ' << sent_ << ' ' << answered_ << ' '
       << last_other_;
  return text.str();
}

bool SentHandles::GoOn(const std::string& text) {
  std::istringstream in(text);
  SentHandles read;
  in >> read.inherited_ >> read.last_of_predecessor_ >> read.sent_ >> read.answered_ >>
      read.last_other_;
  if (!in) return false;
  *this = read;
  return true;
}

}  // namespace slc
