// slc-clock.so: a wall clock that can be set. Loaded by LD_PRELOAD, which slcd and masters get from
// SLC_TEST_PRELOAD; it adds the seconds that stand in the file SLC_TEST_CLOCK (eight bytes, mapped)
// to what the real clock says, and takes them from the time at which a timer of that clock is to
// ring. Clocks that count from boot are left alone.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

std::int64_t Offset() {
  static const volatile std::int64_t* const offset = [] {
    static const std::int64_t kNone = 0;
    const char* path = std::getenv("SLC_TEST_CLOCK");
    const int fd = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return &kNone;
    void* page = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    return page == MAP_FAILED ? &kNone : static_cast<const std::int64_t*>(page);
  }();
  return *offset;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) {
  const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    now->tv_sec += Offset();
  }
  return result;
}

int gettimeofday(timeval* now, void*) {
  timespec exact{};
  if (::clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

// Who waits for a time of day wants to know when the clock is set.
int timerfd_settime(int fd, int flags, const itimerspec* when, itimerspec* before) noexcept {
  itimerspec real = *when;
  if ((flags & TFD_TIMER_CANCEL_ON_SET) != 0) {
    real.it_value.tv_sec -= Offset();
    if (real.it_value.tv_sec < 0) real.it_value = {0, 1};
  }
  return static_cast<int>(::syscall(SYS_timerfd_settime, fd, flags, &real, before));
}

time_t time(time_t* out) {
  timespec exact{};
  ::clock_gettime(CLOCK_REALTIME, &exact);
  if (out != nullptr) *out = exact.tv_sec;
  return exact.tv_sec;
}
}
