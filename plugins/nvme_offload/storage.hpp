// belay.storage/1 over an Instance's reader: checks arguments and lets no exception out.
#pragma once

#include <belay/ext/storage.h>

namespace belay::nvme {

// The functions; their instance is an Instance.
[[nodiscard]] const belay_storage_t* storage_table() noexcept;

}  // namespace belay::nvme
