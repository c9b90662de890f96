// From a dtype number to the type of its format: visit(dtype, [](auto format) { using F = decltype(format);
// ... }).
#pragma once

#include "plugins/cpu_kernels/quant/q4.hpp"
#include "plugins/cpu_kernels/quant/q45_k.hpp"
#include "plugins/cpu_kernels/quant/q5.hpp"
#include "plugins/cpu_kernels/quant/q6_k.hpp"
#include "plugins/cpu_kernels/quant/q8_0.hpp"

namespace belay::BELAY_ISA {

// Calls the body for a quantised format; false when the dtype is none.
template <class Body>
bool visit(int32_t dtype, Body&& body) {
  const auto one = [&](auto format) {
    if (format.kDtype != dtype) return false;
    body(format);
    return true;
  };
  return one(Q8_0{}) || one(Q4_0{}) || one(Q4_1{}) || one(Q5_0{}) || one(Q5_1{}) || one(Q4_K{}) ||
         one(Q5_K{}) || one(Q6_K{});
}

}  // namespace belay::BELAY_ISA
