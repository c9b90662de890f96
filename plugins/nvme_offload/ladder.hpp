// Which way each file is read: tries the best first, keeps what worked, and goes down when one is refused.
// One thread at a time.
#pragma once

#include "plugins/nvme_offload/file.hpp"
#include "plugins/nvme_offload/pool.hpp"
#include "plugins/nvme_offload/ring.hpp"
#include "plugins/nvme_offload/rung.hpp"
#include "plugins/nvme_offload/system.hpp"

#include <belay/cpp/host.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

namespace belay::nvme {

class Ladder {
 public:
  // Starts and asks for nothing. `best`: where to begin.
  Ladder(sdk::Host host, System& system, Rung best);

  // As open_file; a ring is made for the first file.
  belay_status_t open(std::string_view path, std::unique_ptr<File>& opened, belay_error_t* error);
  // Before the file is closed.
  void forget(const File& file);

  [[nodiscard]] Rung rung_of(const File& file) const;
  // Null when there never was one. One that failed takes no more requests and gives back what it has.
  [[nodiscard]] Ring* ring() { return ring_.get(); }
  [[nodiscard]] Pool& pool() { return pool_; }

  // Registers memory in the place of what was registered before. A refusal is a status, and costs speed only.
  belay_status_t prepare(std::span<std::byte> memory, belay_error_t* error);
  // The number of the registered memory in which all of it lies, or -1.
  [[nodiscard]] int buffer_of(std::span<const std::byte> memory) const;

  // A read of the file on this rung was refused: the file goes to the rung below and the user is told. False
  // when there is none below.
  bool refused(File& file, Rung rung, int error_number);
  // The ring as a whole failed: every file goes on without.
  void ring_failed(int error_number);

 private:
  void make_ring();
  void put_into_table(File& file);

  sdk::Host host_;
  System& system_;
  Rung best_;
  std::unique_ptr<Ring> ring_;
  bool ring_tried_ = false;
  std::array<bool, Ring::kSlots> slots_{};  // taken
  std::span<std::byte> registered_;
  Pool pool_;
};

}  // namespace belay::nvme
