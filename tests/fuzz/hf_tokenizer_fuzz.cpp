// Any bytes as a tokenizer.json: refused with an error, or a tokenizer that takes texts apart and puts ids
// together.
#include "core/base/text.hpp"
#include "core/tokenizer/hf_tokenizer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace belay::tokenizer;

void require(bool holds) {
  if (!holds) std::abort();
}

// Every id that a text gives is one of the vocabulary, and ids give UTF-8.
void use(const Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.encode(text, Specials::kParse);
  require(ids.ok());
  for (const std::int32_t id : *ids)
    require(id >= 0 && static_cast<std::size_t>(id) < tokenizer.vocab_size());
  require(belay::find_invalid_utf8(tokenizer.decode(*ids, true)) == std::string::npos);
  std::vector<std::int32_t> any(std::min<std::size_t>(tokenizer.vocab_size() + 2, 300));
  for (std::size_t i = 0; i < any.size(); ++i) any[i] = static_cast<std::int32_t>(i) - 1;
  require(belay::find_invalid_utf8(tokenizer.decode(any, false)) == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto hf = parse_hf_tokenizer(text, "tokenizer.json");
  require(hf.ok() || hf.error().code == belay::ErrorCode::kBadInput);
  if (!hf) return 0;
  const auto tokenizer = Tokenizer::create(hf->data);
  require(tokenizer.ok() || tokenizer.error().code == belay::ErrorCode::kBadInput);
  if (!tokenizer) return 0;
  use(*tokenizer, "abb ab<|im_end|> 1e\xCC\x81<think>\n ab");
  use(*tokenizer, text.substr(0, 256).substr(0, belay::find_invalid_utf8(text.substr(0, 256))));
  return 0;
}
