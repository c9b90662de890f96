// The optimizations that Belay itself offers, as the manifest of the built-in id `core`: candidates of the
// resolver like any plugin's.
#pragma once

#include "core/manifest/manifest.hpp"
#include "core/resolver/policy.hpp"

#include <string_view>

namespace belay::runtime {

inline constexpr std::string_view kKvF16 = "core/kv_f16";        // keys and values in half precision
inline constexpr std::string_view kKvQ8 = "core/kv_q8";          // in 8 bits per block of 32
inline constexpr std::string_view kVisionQ8 = "core/vision_q8";  // the vision encoder's matrices in 8 bits
inline constexpr std::string_view kThreadAffinity = "core/thread_affinity";  // each thread keeps its CPU

// Layers without a place in memory are read from the disk while the model runs.
inline constexpr std::string_view kWeightOffload = "core/weight_offload";
// These from a compressed copy, where that is measured to be faster.
inline constexpr std::string_view kWeightCompression = "core/weight_compression";

// `balance` says whether kv_q8 is among them.
[[nodiscard]] manifest::Manifest core_manifest(resolver::Balance balance);

}  // namespace belay::runtime
