#include "common/uv/disk_thread.h"

#include <system_error>
#include <utility>

#include "common/base/no_signals.h"

namespace slc::uv {

DiskThread::DiskThread(Loop& loop) : wake_(loop, [this] { Collect(); }) {
  const NoSignals while_it_is_made;
  thread_ = std::thread([this] { Work(); });
}

Result<std::unique_ptr<DiskThread>> DiskThread::Make(Loop& loop) {
  try {
    return std::make_unique<DiskThread>(loop);
  } catch (const std::system_error& error) {
    return SystemError("start a thread", error.code().value());
  }
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
