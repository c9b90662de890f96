// Numbers that no sound kernel makes of sound inputs: NaN and infinity. Pure; any thread.
#pragma once

#include <belay/tensor.h>

#include <cstdint>
#include <span>

namespace belay::dispatch {

[[nodiscard]] bool all_finite(std::span<const float> values);

// Of the tensors in f32, the only ones that activations come in; others count as finite.
[[nodiscard]] bool all_finite(const belay_tensor_t* const* tensors, std::uint64_t count);

}  // namespace belay::dispatch
