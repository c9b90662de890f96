// Bytes of a mapped file that somebody else is reading from end to end: while this object lives, their memory
// is given back every other millisecond, so that only what is being read has a place. For readers that cannot
// say how far they are.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <span>
#include <thread>

namespace belay {

class PassingPages {
 public:
  // A range that is not worth a thread is given back once, at the end.
  explicit PassingPages(std::span<const std::byte> mapped);
  PassingPages(const PassingPages&) = delete;
  PassingPages& operator=(const PassingPages&) = delete;
  ~PassingPages();

 private:
  void run();

  std::span<const std::byte> mapped_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::thread thread_;
};

}  // namespace belay
