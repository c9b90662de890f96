#include "plugins/cuda_sm61/instance.hpp"

#include <belay/cpp/plugin.hpp>

BELAY_PLUGIN(belay::cuda::Instance, BELAY_CUDA_PLUGIN_ID, BELAY_CUDA_PLUGIN_VERSION)
