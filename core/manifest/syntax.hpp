// The grammar of the names in a manifest. Pure predicates on text.
#pragma once

#include <string>
#include <string_view>

namespace belay::manifest {

// A plugin: "cpu_avx2", "acme.npu"; [a-z][a-z0-9_-]* and more parts behind dots, at most 128 bytes.
[[nodiscard]] bool is_plugin_id(std::string_view text);
// An optimization's own name: [a-z][a-z0-9_-]*, at most 64 bytes.
[[nodiscard]] bool is_optimization_name(std::string_view text);
// A plugin id, an optimization's name, or "plugin/name".
[[nodiscard]] bool is_reference(std::string_view text);
// A slot: letters, digits and "_.-", at most 64 bytes. (No colon: "id:" slots are implicit.)
[[nodiscard]] bool is_slot_name(std::string_view text);
// What a conflict may name: a reference, "slot:name" or "provides:op".
[[nodiscard]] bool is_conflict_target(std::string_view text);
// An operator: "belay.linear/1"; at least two lower-case parts and a version from 1.
[[nodiscard]] bool is_op_id(std::string_view text);
// "f32", or "weights*activations" as in "q8_0*f32", of known element types.
[[nodiscard]] bool is_dtype_claim(std::string_view text);
// A path that stays in the manifest's folder: relative, no "..", no control characters, at most 1 KiB.
[[nodiscard]] bool is_inner_path(std::string_view text);
// 64 lower-case hexadecimal digits.
[[nodiscard]] bool is_sha256(std::string_view text);
// A file name without a folder: "libopenblas.so.0".
[[nodiscard]] bool is_file_name(std::string_view text);
// The name of an environment variable.
[[nodiscard]] bool is_variable_name(std::string_view text);

// Text for people: without control characters, cut to `limit` bytes between characters.
[[nodiscard]] std::string display_text(std::string_view text, std::size_t limit);

}  // namespace belay::manifest
