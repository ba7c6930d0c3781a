#include "common/uv/disk_thread.h"

#include <csignal>
#include <utility>

namespace slc::uv {

DiskThread::DiskThread(Loop& loop) : wake_(loop, [this] { Collect(); }) {
  // Signals belong to the loop's thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Work(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

DiskThread::~DiskThread() {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void DiskThread::Run(std::function<void()> job, std::function<void()> then) {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    waiting_.push_back(Task{std::move(job), std::move(then)});
  }
  changed_.notify_one();
}

bool DiskThread::idle() {
  const std::lock_guard<std::mutex> hold(mutex_);
  return !working_ && waiting_.empty() && finished_.empty();
}

void DiskThread::Work() {
  std::unique_lock<std::mutex> hold(mutex_);
  while (true) {
    changed_.wait(hold, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    working_ = true;
    hold.unlock();
    task.job();
    hold.lock();
    working_ = false;
    finished_.push_back(std::move(task));
    wake_.Wake();
  }
}

void DiskThread::Collect() {
  std::deque<Task> done;
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    done.swap(finished_);
  }
  for (Task& task : done) {
    if (task.then) task.then();
  }
}

}  // namespace slc::uv
