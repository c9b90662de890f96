#include "core/hardware/driver_symbol.hpp"
#include "core/hardware/gpu_copying.hpp"

#include <algorithm>

namespace belay::hardware {
namespace {

constexpr int kSuccess = 0;
constexpr int kSeries = 5;
constexpr int kCopies = 4;  // of a series

}  // namespace

Copying::Copying(void* library)
    : complete_(load(library, "cuMemAlloc_v2", allocate_) && load(library, "cuMemFree_v2", free_) &&
                load(library, "cuMemcpyDtoDAsync_v2", copy_) &&
                load(library, "cuEventCreate", create_event_) &&
                load(library, "cuEventDestroy_v2", destroy_event_) &&
                load(library, "cuEventRecord", record_event_) &&
                load(library, "cuEventSynchronize", finish_event_) &&
                load(library, "cuEventElapsedTime", event_time_)) {}

bool Copying::make(Things& things, std::size_t bytes) const {
  return allocate_(&things.from, bytes) == kSuccess && allocate_(&things.to, bytes) == kSuccess &&
         create_event_(&things.begin, 0) == kSuccess && create_event_(&things.end, 0) == kSuccess;
}

void Copying::give_back(const Things& things) const {
  if (things.end != nullptr) destroy_event_(things.end);
  if (things.begin != nullptr) destroy_event_(things.begin);
  if (things.to != 0) free_(things.to);
  if (things.from != 0) free_(things.from);
}

// Of one series by the device's own clock; 0 when that is not known.
double Copying::seconds(const Things& things, std::size_t bytes) const {
  bool went_well = record_event_(things.begin, nullptr) == kSuccess;
  for (int i = 0; i < kCopies; ++i)
    went_well = went_well && copy_(things.to, things.from, bytes, nullptr) == kSuccess;
  float milliseconds = 0;
  went_well = went_well && record_event_(things.end, nullptr) == kSuccess &&
              finish_event_(things.end) == kSuccess &&
              event_time_(&milliseconds, things.begin, things.end) == kSuccess;
  return went_well ? double{milliseconds} / 1000 : 0;
}

// The best of some series: the first ones find a device that sleeps.
Known<std::uint64_t> Copying::bandwidth(std::uint64_t free_bytes) const {
  constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20U;   // more than any cache of a device holds
  constexpr std::uint64_t kLeastBytes = std::uint64_t{16} << 20U;  // more than those of small devices
  const std::size_t bytes = std::min(kMostBytes, free_bytes / 16);
  if (!complete_ || bytes < kLeastBytes) return std::nullopt;
  Things things;
  double least = make(things, bytes) ? seconds(things, bytes) : 0;
  for (int i = 1; i < kSeries && least > 0; ++i) least = std::min(least, seconds(things, bytes));
  give_back(things);
  if (!(least > 0)) return std::nullopt;
  return static_cast<std::uint64_t>(2.0 * kCopies * static_cast<double>(bytes) / least);
}

}  // namespace belay::hardware
