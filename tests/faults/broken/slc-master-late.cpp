// A slc-master that works like any other, and dies when it has been in charge for a moment.
#include <unistd.h>

#include <chrono>
#include <thread>

// That of daemon/master/main.cpp.
int RealMain(int argc, char** argv);

int main(int argc, char** argv) {
  constexpr int kDied = 70;
  // It is in charge some 20 ms after its start, or 200 on a machine that has much to do.
  static constexpr std::chrono::milliseconds kLives{400};
  std::thread([] {
    std::this_thread::sleep_for(kLives);
    ::_exit(kDied);
  }).detach();
  return RealMain(argc, argv);
}
