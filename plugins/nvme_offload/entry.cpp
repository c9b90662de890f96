#include "plugins/nvme_offload/instance.hpp"

#include <belay/cpp/plugin.hpp>

BELAY_PLUGIN(belay::nvme::Instance, "nvme_offload", BELAY_NVME_PLUGIN_VERSION)
