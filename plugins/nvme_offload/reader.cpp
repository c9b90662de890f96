#include "plugins/nvme_offload/reader.hpp"

#include <belay/cpp/guard.hpp>
#include <belay/cpp/struct.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace belay::nvme {
namespace {

constexpr std::size_t kRingLane = 0;
constexpr std::size_t kPoolLane = 1;
constexpr std::uint32_t kQueueDepth = Pool::kThreads;
constexpr std::uint64_t kNapNs = 10'000'000;  // how late a wish to stop is noticed at most
constexpr std::uint32_t kMostStalls = 10;

std::size_t lane_of(Rung rung) { return on_ring(rung) ? kRingLane : kPoolLane; }

bool is_busy(int status) { return status == 0 || status == -EAGAIN || status == -EBUSY || status == -EINTR; }

}  // namespace

Reader::~Reader() {
  while (!reads_.empty()) end(*reads_.back());
}

belay_status_t Reader::open(std::string_view path, File** file, belay_error_t* error) {
  std::unique_ptr<File> opened;
  const belay_status_t status = ladder_.open(path, opened, error);
  if (status != BELAY_OK) return status;
  opened->reader = this;
  files_.push_back(std::move(opened));
  *file = files_.back().get();
  return BELAY_OK;
}

void Reader::close(File& file) {
  ladder_.forget(file);
  std::erase_if(files_, [&](const auto& owner) { return owner.get() == &file; });
}

belay_storage_info_t Reader::info(const File& file) const {
  const Rung rung = ladder_.rung_of(file);
  belay_storage_info_t info{};
  info.direct = rung < Rung::kBuffered ? 1 : 0;
  info.block_bytes = file.block;
  info.queue_depth = kQueueDepth;
  info.chunk_bytes = kChunkBytes;
  info.method = sdk::str(method_of(rung));
  info.file_bytes = file.bytes;
  return info;
}

belay_status_t Reader::start(File& file, std::span<const belay_extent_t> extents, Read** read,
                             belay_error_t* error) {
  const belay_status_t status = check_extents(extents, {file.block, file.bytes}, error);
  if (status != BELAY_OK) return status;
  *read = &take_read();
  cut_into_chunks(**read, file, extents);
  for (Chunk& chunk : (*read)->chunks) enqueue(chunk);
  for (const std::size_t lane : kLanes) feed(lane);
  return BELAY_OK;
}

belay_status_t Reader::wait(Read& read, std::uint64_t deadline_ns, belay_error_t* error) {
  while (!read.failed() && !read.done()) {
    const bool came = work(read.open[kRingLane] > 0 ? kRingLane : kPoolLane, nap(deadline_ns));
    if (read.done() || read.failed()) break;
    if (host_.cancelled()) return sdk::fail(error, BELAY_CANCELLED, "stopped while reading");
    if (came || deadline_ns == 0 || host_.now_ns() < deadline_ns) continue;
    return sdk::fail(error, BELAY_TIMEOUT, "the read was not done in time and goes on");
  }
  if (read.failed() && error != nullptr) sdk::write(error, read.failure);
  return read.failure.code;
}

void Reader::end(Read& read) {
  read.ended = true;
  drop_pending(read);
  for (const std::size_t lane : kLanes) {
    if (read.open[lane] > 0) transport(lane).cancel(&read);
    while (read.open[lane] > 0) static_cast<void>(work(lane, kNapNs));
  }
  const auto own =
      std::find_if(reads_.begin(), reads_.end(), [&](const auto& owner) { return owner.get() == &read; });
  spare_.push_back(std::move(*own));
  reads_.erase(own);
}

// One that ended before, or a new one.
Read& Reader::take_read() {
  if (spare_.empty()) {
    spare_.push_back(std::make_unique<Read>());
    spare_.reserve(reads_.size() + spare_.size());  // all may end at once
  }
  reads_.push_back(std::move(spare_.back()));
  spare_.pop_back();
  return *reads_.back();
}

belay_status_t Reader::prepare(std::span<std::byte> memory, belay_error_t* error) {
  return ladder_.prepare(memory, error);
}

belay_status_t Reader::drain(std::uint64_t deadline_ns, belay_error_t* error) {
  for (const std::size_t lane : kLanes) {
    while (lanes_[lane].in_flight > 0 || lanes_[lane].pending.first() != nullptr) {
      if (work(lane, nap(deadline_ns)) || deadline_ns == 0 || host_.now_ns() < deadline_ns) continue;
      return sdk::fail(error, BELAY_TIMEOUT, "reads are still in flight");
    }
  }
  return BELAY_OK;
}

Transport& Reader::transport(std::size_t lane) {
  if (lane == kRingLane) return *ladder_.ring();
  return ladder_.pool();
}

void Reader::enqueue(Chunk& chunk) {
  chunk.rung = ladder_.rung_of(*chunk.read->file);
  const std::size_t lane = lane_of(chunk.rung);
  ++chunk.read->open[lane];
  lanes_[lane].pending.push(chunk);
}

void Reader::feed(std::size_t lane) {
  constexpr std::size_t kMostAtOnce = 64;
  Lane& to = lanes_[lane];
  while (to.pending.first() != nullptr && to.in_flight < kMostInFlight) {
    std::array<Request, kMostAtOnce> requests;
    const std::size_t room = std::min<std::size_t>(kMostAtOnce, kMostInFlight - to.in_flight);
    std::size_t count = 0;
    for (Chunk* chunk = to.pending.first(); chunk != nullptr && count < room; chunk = chunk->next) {
      requests[count++] = request_for(*chunk, lane);
    }
    const int taken = transport(lane).submit({requests.data(), count});
    for (int i = 0; i < taken; ++i) to.pending.pop();
    to.in_flight += static_cast<std::uint32_t>(std::max(taken, 0));
    if (taken > 0) {
      stalls_ = 0;
    } else if (is_busy(taken) && (to.in_flight > 0 || ++stalls_ < kMostStalls)) {
      return;  // there will be room, or memory, later
    } else {
      leave_ring(-taken);
      return;
    }
  }
}

Request Reader::request_for(Chunk& chunk, std::size_t lane) {
  const File& file = *chunk.read->file;
  const Rung rung = ladder_.rung_of(file);
  Request request;
  request.fd = file.fd;
  request.bytes = chunk.bytes;
  request.offset = chunk.offset;
  request.to = chunk.to;
  request.tag = &chunk;
  request.owner = chunk.read;
  if (lane == kPoolLane) {
    request.drop_behind = rung == Rung::kBuffered;
    return request;
  }
  request.slot = file.slot;
  if (rung == Rung::kRegistered) request.buffer = ladder_.buffer_of({chunk.to, chunk.bytes});
  chunk.rung = request.buffer >= 0 ? Rung::kRegistered : Rung::kRing;
  return request;
}

// What it has not taken goes to the pool; what it has is still waited for.
void Reader::leave_ring(int error_number) {
  ladder_.ring_failed(error_number);
  ChunkList left = std::exchange(lanes_[kRingLane].pending, {});
  while (left.first() != nullptr) {
    Chunk& chunk = *left.pop();
    settle(chunk);
    enqueue(chunk);
  }
  feed(kPoolLane);
}

bool Reader::work(std::size_t lane, std::uint64_t timeout_ns) {
  feed(lane);
  Completion completion;
  int status = transport(lane).wait(lanes_[lane].in_flight > 0 ? timeout_ns : 0, completion);
  bool came = false;
  for (; status > 0; status = transport(lane).wait(0, completion)) {
    came = true;
    book(lane, completion);
  }
  if (status < 0) leave_ring(-status);
  for (const std::size_t each : kLanes) feed(each);
  return came;
}

void Reader::book(std::size_t lane, const Completion& completion) {
  --lanes_[lane].in_flight;
  Chunk& chunk = *static_cast<Chunk*>(completion.tag);
  Read& read = *chunk.read;
  settle(chunk);
  if (read.ended || read.failed()) return;
  Next next = judge(chunk, completion.result);
  if (next == Next::kRefused) {
    const int error_number = static_cast<int>(-completion.result);
    next = ladder_.refused(*read.file, chunk.rung, error_number) ? Next::kAgain
                                                                 : count_failure(chunk, error_number);
  }
  if (next == Next::kAgain) enqueue(chunk);
  if (next == Next::kFailed) drop_pending(read);
}

void Reader::settle(Chunk& chunk) { --chunk.read->open[lane_of(chunk.rung)]; }

void Reader::drop_pending(const Read& read) {
  for (Lane& lane : lanes_) {
    ChunkList all = std::exchange(lane.pending, {});
    while (all.first() != nullptr) {
      Chunk& chunk = *all.pop();
      if (chunk.read == &read) {
        settle(chunk);
      } else {
        lane.pending.push(chunk);
      }
    }
  }
}

std::uint64_t Reader::nap(std::uint64_t deadline_ns) const {
  if (deadline_ns == 0) return kNapNs;
  const std::uint64_t now = host_.now_ns();
  return now >= deadline_ns ? 0 : std::min(kNapNs, deadline_ns - now);
}

}  // namespace belay::nvme
