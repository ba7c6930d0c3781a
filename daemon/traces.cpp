#include "daemon/traces.h"

#include <limits>

#include "common/base/leftovers.h"
#include "common/base/text.h"

namespace slc {

void Traces::Clear(ServiceId id) {
  if (!looked_) Look();
  if (noted_.count(id) == 0) return;
  KillByCookie(Cookie(home_key_, id) + ".");
  noted_.erase(id);
}

void Traces::Look() {
  looked_ = true;
  const std::string prefix = home_key_ + "-";
  for (const std::string& cookie : CookiesFrom(prefix)) {
    // HOME-INSTANCE.WORKER
    const std::string rest = cookie.substr(prefix.size());
    const auto id =
        ParseInteger(rest.substr(0, rest.find('.')), 1, std::numeric_limits<ServiceId>::max());
    if (id) noted_.insert(static_cast<ServiceId>(*id));
  }
}

}  // namespace slc
