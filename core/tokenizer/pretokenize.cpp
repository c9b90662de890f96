#include "core/tokenizer/pretokenize.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>

namespace belay::tokenizer {
namespace {

// The members of \s for a character class: Unicode's White_Space. PCRE2's own \s has U+180E as well, which
// the reference's expressions do not match.
constexpr std::string_view kSpace =
    R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

// The reference cuts out each number first and applies GPT-2's expression to the parts between them. In one
// expression that is: \p{N} alone, and a look-ahead for which a number is the end of the part.
std::string smollm_pattern() {
  const std::string space(kSpace);
  return R"('(?:s|t|re|ve|m|ll|d)| ?\p{L}+|\p{N}| ?[^)" + space + R"(\p{L}\p{N}]+|[)" + space + R"(]+(?![^)" +
         space + R"(\p{N}])|[)" + space + "]+";
}

std::string qwen2_pattern() {
  const std::string space(kSpace);
  return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^)" + space +
         R"(\p{L}\p{N}]+[\r\n]*|[)" + space + R"(]*[\r\n]+|[)" + space + R"(]+(?![^)" + space + "])|[" +
         space + "]+";
}

std::string gpt2_pattern() {
  const std::string space(kSpace);
  return R"('(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^)" + space + R"(\p{L}\p{N}]+|[)" + space + "]+(?![^" +
         space + "])|[" + space + "]+";
}

std::string pattern_of(PreTokenizerKind kind) {
  switch (kind) {
    case PreTokenizerKind::kSmollm:
      return smollm_pattern();
    case PreTokenizerKind::kQwen2:
      return qwen2_pattern();
    case PreTokenizerKind::kGpt2:
      return gpt2_pattern();
  }
  return {};
}

struct Named {
  std::string_view name;
  PreTokenizerKind kind;
};
constexpr std::array kNames = {Named{"smollm", PreTokenizerKind::kSmollm},
                               Named{"qwen2", PreTokenizerKind::kQwen2},
                               Named{"gpt-2", PreTokenizerKind::kGpt2}};

std::string pcre2_message(int error) {
  std::array<PCRE2_UCHAR, 256> text{};
  const int length = pcre2_get_error_message(error, text.data(), text.size());
  return {text.begin(), text.begin() + std::max(length, 0)};
}

using MatchData = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;
using MatchContext = std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)>;

// Backtracking is linear in the text for these expressions: a run of spaces is given back once, byte by byte.
MatchContext limits_for(std::size_t text_bytes) {
  constexpr std::uint64_t kBase = 1'000'000;
  constexpr std::uint64_t kPerByte = 8;
  MatchContext context(pcre2_match_context_create(nullptr), &pcre2_match_context_free);
  if (context == nullptr) return context;
  const std::uint64_t steps = kBase + kPerByte * text_bytes;
  pcre2_set_match_limit(context.get(), static_cast<std::uint32_t>(std::min<std::uint64_t>(
                                           steps, std::numeric_limits<std::uint32_t>::max())));
  pcre2_set_depth_limit(context.get(), 1000);
  pcre2_set_heap_limit(context.get(), 65'536);  // KiB
  return context;
}

// The result of pcre2_match. Compiled code that runs out of its stack is run again by the interpreter.
int match_at(const pcre2_code* code, std::string_view text, std::size_t at, pcre2_match_data* data,
             pcre2_match_context* context) {
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  const std::uint32_t options = PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED;
  const int found = pcre2_match(code, subject, text.size(), at, options, data, context);
  if (found != PCRE2_ERROR_JIT_STACKLIMIT) return found;
  return pcre2_match(code, subject, text.size(), at, options | PCRE2_NO_JIT, data, context);
}

}  // namespace

std::string_view pre_tokenizer_name(PreTokenizerKind kind) {
  return std::find_if(kNames.begin(), kNames.end(), [&](const Named& row) { return row.kind == kind; })->name;
}

Result<PreTokenizerKind> pre_tokenizer_named(std::string_view name) {
  std::string known;
  for (const Named& row : kNames) {
    if (row.name == name) return row.kind;
    known += known.empty() ? "" : ", ";
    known += row.name;
  }
  return fail(ErrorCode::kBadInput, "the pre-tokenizer \"{}\" is not known; Belay knows: {}", printable(name),
              known);
}

Result<PreTokenizer> PreTokenizer::create(PreTokenizerKind kind, bool use_jit) {
  const std::string pattern = pattern_of(kind);
  int error = 0;
  std::size_t offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  if (code == nullptr) {
    return fail(ErrorCode::kGeneral, "PCRE2 refuses the pre-tokenizer at {}: {}", offset,
                pcre2_message(error));
  }
  PreTokenizer made;
  made.code_ = std::shared_ptr<const pcre2_code>(code, [](pcre2_code* c) { pcre2_code_free(c); });
  if (use_jit) pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // on failure pcre2_match interprets
  return made;
}

Status PreTokenizer::split(std::string_view text,
                           const std::function<void(std::string_view piece)>& take) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const MatchContext context = limits_for(text.size());
  const MatchData data(pcre2_match_data_create(1, nullptr), &pcre2_match_data_free);
  if (context == nullptr || data == nullptr)
    return fail(ErrorCode::kOutOfMemory, "no memory to cut {} bytes of text", text.size());
  for (std::size_t at = 0; at < text.size();) {
    const int found = match_at(code, text, at, data.get(), context.get());
    const std::size_t end = found < 0 ? at : pcre2_get_ovector_pointer(data.get())[1];
    if (end <= at) {
      return fail(ErrorCode::kBadInput, "the text cannot be cut at byte {}: {}", at, pcre2_message(found));
    }
    take(text.substr(at, end - at));
    at = end;
  }
  return {};
}

}  // namespace belay::tokenizer
