// Bytes that a storage plugin reads ahead of need: in flight, there, or the reason why they will not come.
#pragma once

#include "core/dispatch/storage.hpp"
#include "core/runtime/stop.hpp"

#include <optional>
#include <span>

namespace belay::runtime {

class AheadRead {
 public:
  // Starts reading. A plugin that cannot is heard in arrive(): the bytes are not needed yet.
  void start(dispatch::Storage& storage, dispatch::StorageFile& file,
             std::span<const belay_extent_t> extents);

  // Until the bytes are there, or will not come, which `trouble` then says; in short steps, so that a slow
  // disk does not hold up the user. Fails with what `stop` says; the read then goes on.
  [[nodiscard]] Status arrive(dispatch::Storage& storage, const Stop& stop, dispatch::Trouble& trouble);

  // Nothing writes to their memory any more.
  void end() { read_.reset(); }

 private:
  std::optional<dispatch::StorageRead> read_;
  dispatch::Trouble trouble_;  // why it could not be started
};

}  // namespace belay::runtime
