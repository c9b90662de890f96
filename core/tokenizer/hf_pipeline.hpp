// Which of the steps that a tokenizer.json may ask for are those that Belay takes. Pure; any thread.
#pragma once

#include "core/base/json_fields.hpp"
#include "core/base/status.hpp"
#include "core/tokenizer/pretokenize.hpp"

namespace belay::tokenizer {

// The kind whose pieces the file's "pre_tokenizer" gives. kBadInput with what was found and the kinds that
// are known.
[[nodiscard]] Result<PreTokenizerKind> read_pre_tokenizer(const JsonFields& file);

// Whether the file's "normalizer" is Unicode's form C; false for none. kBadInput for any other.
[[nodiscard]] Result<bool> read_normalizer(const JsonFields& file);

// kBadInput when "post_processor", "decoder" or "model" ask for more than byte-level byte-pair encoding.
[[nodiscard]] Status check_pipeline(const JsonFields& file, const JsonFields& model);

}  // namespace belay::tokenizer
