// Files and the reads in flight on them: cuts extents into chunks, keeps a transport busy with them, and
// reads again what failed. What one instance of the plugin does; one thread at a time.
#pragma once

#include "plugins/nvme_offload/chunk.hpp"
#include "plugins/nvme_offload/file.hpp"
#include "plugins/nvme_offload/ladder.hpp"
#include "plugins/nvme_offload/system.hpp"

#include <belay/cpp/host.hpp>
#include <belay/ext/storage.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace belay::nvme {

class Reader {
 public:
  Reader(sdk::Host host, System& system, Rung best) : host_(host), ladder_(host, system, best) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader();  // waits for what is in flight

  // The functions of belay_storage_t, with their arguments checked.
  belay_status_t open(std::string_view path, File** file, belay_error_t* error);
  void close(File& file);
  [[nodiscard]] belay_storage_info_t info(const File& file) const;
  belay_status_t start(File& file, std::span<const belay_extent_t> extents, Read** read,
                       belay_error_t* error);
  belay_status_t wait(Read& read, std::uint64_t deadline_ns, belay_error_t* error);
  void end(Read& read);
  belay_status_t prepare(std::span<std::byte> memory, belay_error_t* error);
  belay_status_t drain(std::uint64_t deadline_ns, belay_error_t* error);

 private:
  // One of the two transports and the chunks for it. The ring comes first.
  struct Lane {
    ChunkList pending;
    std::uint32_t in_flight = 0;
  };
  static constexpr std::array<std::size_t, 2> kLanes = {0, 1};
  [[nodiscard]] Transport& transport(std::size_t lane);

  [[nodiscard]] Read& take_read();
  void enqueue(Chunk& chunk);
  void feed(std::size_t lane);
  [[nodiscard]] Request request_for(Chunk& chunk, std::size_t lane);
  void leave_ring(int error_number);
  // Sends what can be sent, then waits for completions and books all that are there; false when none came.
  bool work(std::size_t lane, std::uint64_t timeout_ns);
  void book(std::size_t lane, const Completion& completion);
  // Ends the work on a chunk, done or not.
  static void settle(Chunk& chunk);
  void drop_pending(const Read& read);
  // Up to a deadline, in naps short enough to notice that the user wants to stop.
  [[nodiscard]] std::uint64_t nap(std::uint64_t deadline_ns) const;

  sdk::Host host_;
  Ladder ladder_;
  std::array<Lane, 2> lanes_;
  std::uint32_t stalls_ = 0;  // submissions in a row that an idle ring did not take
  std::vector<std::unique_ptr<File>> files_;
  std::vector<std::unique_ptr<Read>> reads_;
  std::vector<std::unique_ptr<Read>> spare_;  // that ended, for the next
};

}  // namespace belay::nvme
