// Supervisor: what slcd tells whoever watches over it (common/base/notify.h): that it serves, how
// many services run, that it lives, and that it leaves. Without one nothing is sent and no timer
// runs.
//
// The sign of life comes from a timer of the loop and from nowhere else, so it says that the loop
// turns, and with it everything slcd is needed for. Disks are not asked: the loop never waits for
// one (uv::DiskThread), services and orders go on while one hangs, and the next slcd would get no
// further with it. A disk that hangs must not have slcd killed over and over.
#pragma once

#include <string>

#include "common/base/notify.h"
#include "common/uv/loop.h"
#include "common/uv/timer.h"

namespace slc {

class Supervisor {
 public:
  Supervisor(uv::Loop& loop, const Supervision& supervision);

  // Clients are answered from now on.
  void Ready(const std::string& status);
  // The line of `systemctl status`; sent if it is a new one, and only after Ready().
  void Show(const std::string& status);
  void Leave(const std::string& status);

 private:
  void Beat();
  // False if it was not taken; said in the log once in a row.
  bool Tell(const std::string& text);

  uv::Loop& loop_;
  Millis every_;  // between two signs of life; 0: none is wanted
  bool ready_ = false;
  bool refused_ = false;  // the last one was not taken
  std::string status_;
  uv::Timer beat_;
};

}  // namespace slc
