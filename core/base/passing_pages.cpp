#include "core/base/passing_pages.hpp"

#include "core/base/mapped_file.hpp"

#include <chrono>

namespace belay {
namespace {

// Reading goes at some GB/s: some MiB between two looks.
constexpr std::chrono::milliseconds kBetweenLooks{2};
constexpr std::size_t kWorthAThread = std::size_t{16} << 20U;

}  // namespace

PassingPages::PassingPages(std::span<const std::byte> mapped) : mapped_(mapped) {
  if (mapped.size() >= kWorthAThread) thread_ = std::thread([this] { run(); });
}

PassingPages::~PassingPages() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_one();
  if (thread_.joinable()) thread_.join();
  forget_pages(mapped_);
}

void PassingPages::run() {
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, kBetweenLooks, [this] { return end_; })) forget_pages(mapped_);
}

}  // namespace belay
