#include "plugins/nvme_offload/ladder.hpp"

#include "plugins/nvme_offload/failure.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

namespace belay::nvme {
namespace {

constexpr std::size_t kMostPiece = std::size_t{1} << 30U;  // of registered memory, a limit of the kernel's

}  // namespace

Ladder::Ladder(sdk::Host host, System& system, Rung best)
    : host_(host), system_(system), best_(best), pool_(system) {}

belay_status_t Ladder::open(std::string_view path, std::unique_ptr<File>& opened, belay_error_t* error) {
  make_ring();
  const belay_status_t status = open_file(system_, path, best_, opened, error);
  if (status != BELAY_OK) return status;
  if (on_ring(opened->rung)) put_into_table(*opened);
  host_.log(BELAY_LOG_DEBUG, "nvme_offload: %s: %s", shown(path).c_str(), method_of(rung_of(*opened)).data());
  return BELAY_OK;
}

void Ladder::forget(const File& file) {
  if (file.slot < 0) return;
  ring_->register_file(file.slot, -1);
  slots_[static_cast<std::size_t>(file.slot)] = false;
}

Rung Ladder::rung_of(const File& file) const {
  const Rung reachable = on_ring(best_) && registered_.empty() ? Rung::kRing : best_;
  return std::max(file.rung, reachable);
}

belay_status_t Ladder::prepare(std::span<std::byte> memory, belay_error_t* error) {
  if (!memory.empty()) make_ring();
  if (!ring_ || !on_ring(best_)) return BELAY_OK;  // nothing to prepare for
  registered_ = {};
  std::vector<std::span<std::byte>> pieces;
  for (std::size_t at = 0; at < memory.size(); at += kMostPiece) {
    pieces.push_back(memory.subspan(at, std::min(kMostPiece, memory.size() - at)));
  }
  const int status = ring_->register_buffers(pieces);
  if (status == 0) {
    registered_ = memory;
    return BELAY_OK;
  }
  const belay_status_t code = status == -ENOMEM ? BELAY_OOM_HOST : BELAY_UNSUPPORTED;
  sdk::fail(error, code,
            "%zu bytes cannot be registered: %s (ulimit -l is the usual limit); going on with: %s",
            memory.size(), words_of(-status).c_str(), method_of(Rung::kRing).data());
  if (error != nullptr && error->struct_size >= sizeof(belay_error_t)) error->native_code = -status;
  return code;
}

int Ladder::buffer_of(std::span<const std::byte> memory) const {
  if (registered_.empty() || memory.data() < registered_.data()) return -1;
  const auto first = static_cast<std::size_t>(memory.data() - registered_.data());
  const std::size_t end = first + memory.size();
  if (end > registered_.size() || first / kMostPiece != (end - 1) / kMostPiece) return -1;
  return static_cast<int>(first / kMostPiece);
}

bool Ladder::refused(File& file, Rung rung, int error_number) {
  if (rung == Rung::kBuffered) return false;
  if (rung_of(file) > rung) return true;  // another read of it was refused before
  file.rung = below(rung);
  if (file.rung == Rung::kBuffered) read_buffered(file);
  host_.log(BELAY_LOG_WARN, "nvme_offload: %s cannot be read by %s (%s); going on with: %s",
            shown(file.path).c_str(), method_of(rung).data(), words_of(error_number).c_str(),
            method_of(file.rung).data());
  return true;
}

void Ladder::ring_failed(int error_number) {
  if (!on_ring(best_)) return;
  best_ = Rung::kPool;
  host_.log(BELAY_LOG_WARN, "nvme_offload: io_uring failed (%s); going on with: %s",
            words_of(error_number).c_str(), method_of(best_).data());
}

void Ladder::make_ring() {
  if (ring_tried_ || !on_ring(best_)) return;
  ring_tried_ = true;
  int error = 0;
  ring_ = system_.make_ring(kMostInFlight, true, &error);
  if (!ring_ && error == -EINVAL) ring_ = system_.make_ring(kMostInFlight, false, &error);
  if (ring_) return;
  best_ = Rung::kPool;
  host_.log(BELAY_LOG_INFO, "nvme_offload: no io_uring here (%s); reads by: %s", words_of(-error).c_str(),
            method_of(best_).data());
}

void Ladder::put_into_table(File& file) {
  const auto found = std::find(slots_.begin(), slots_.end(), false);
  if (found == slots_.end()) return;
  const int slot = static_cast<int>(found - slots_.begin());
  if (ring_->register_file(slot, file.fd) != 0) return;
  *found = true;
  file.slot = slot;
}

}  // namespace belay::nvme
