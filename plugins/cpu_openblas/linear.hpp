// belay.linear/1 with f32 weights on OpenBLAS.
#pragma once

#include "plugins/cpu_openblas/openblas.hpp"

#include <belay/cpp/compute.hpp>

namespace belay::openblas {

// Whether the op is one that `bind_linear` takes. Pure.
void supports_linear(const belay_op_t& op, sdk::Support& answer);

// A kernel for an op that was accepted.
sdk::KernelPtr bind_linear(sdk::Host host, const OpenBlas& blas, const belay_op_t& op);

}  // namespace belay::openblas
