// Waiting for a plugin's reads without holding up the user.
#pragma once

#include "core/dispatch/storage.hpp"
#include "core/runtime/stop.hpp"

namespace belay::runtime {

// Until the bytes are there or will not come, which `trouble` then says; in short steps, so that a slow disk
// does not hold up the user. Fails with what `stop` says.
[[nodiscard]] Status wait_for(dispatch::StorageRead& read, const Stop& stop, dispatch::Trouble& trouble);

}  // namespace belay::runtime
