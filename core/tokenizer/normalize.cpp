#include "core/tokenizer/normalize.hpp"

#include "core/base/format.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace belay::tokenizer {
namespace {

constexpr std::uint8_t kFirstCombiningLead =
    0xCC;                                   // U+0300 is CC 80 in UTF-8; everything below is its own form C
constexpr std::size_t kMaxDecomposed = 32;  // code points from one; Unicode's longest is 18 (compatibility)

int combining_class(utf8proc_int32_t code) { return utf8proc_get_property(code)->combining_class; }

// Canonical decomposition, not yet in canonical order.
Result<std::vector<utf8proc_int32_t>> decompose(std::string_view text) {
  std::vector<utf8proc_int32_t> codes;
  codes.reserve(text.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (std::size_t at = 0; at < text.size();) {
    utf8proc_int32_t code = 0;
    const auto left = static_cast<utf8proc_ssize_t>(text.size() - at);
    const utf8proc_ssize_t length = utf8proc_iterate(bytes + at, left, &code);
    if (length <= 0) return fail(ErrorCode::kBadInput, "the text is not UTF-8 at byte {}", at);
    std::array<utf8proc_int32_t, kMaxDecomposed> parts{};
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(code, parts.data(), parts.size(), UTF8PROC_DECOMPOSE, &boundary);
    if (count < 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) {
      return fail(ErrorCode::kGeneral, "U+{:04X} cannot be decomposed: {}", code, utf8proc_errmsg(count));
    }
    codes.insert(codes.end(), parts.begin(), parts.begin() + count);
    at += static_cast<std::size_t>(length);
  }
  return codes;
}

// Sorts each run of combining marks by class. Done here, because utf8proc's own sort is quadratic in the run.
void order_marks(std::vector<utf8proc_int32_t>& codes) {
  const auto is_mark = [](utf8proc_int32_t code) { return combining_class(code) != 0; };
  for (auto begin = std::find_if(codes.begin(), codes.end(), is_mark); begin != codes.end();) {
    const auto end = std::find_if_not(begin, codes.end(), is_mark);
    std::stable_sort(begin, end, [](auto a, auto b) { return combining_class(a) < combining_class(b); });
    begin = std::find_if(end, codes.end(), is_mark);
  }
}

}  // namespace

Result<std::string> normalize_nfc(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<std::uint8_t>(c) < kFirstCombiningLead; });
  if (plain) return std::string(text);
  BELAY_TRY_ASSIGN(std::vector<utf8proc_int32_t> codes, decompose(text));
  order_marks(codes);
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const utf8proc_ssize_t count =
      utf8proc_normalize_utf32(codes.data(), static_cast<utf8proc_ssize_t>(codes.size()), options);
  if (count < 0) return fail(ErrorCode::kGeneral, "the text cannot be composed: {}", utf8proc_errmsg(count));
  std::string composed;
  composed.reserve(text.size());
  for (auto code = codes.begin(); code != codes.begin() + count; ++code) {
    std::array<utf8proc_uint8_t, 4> bytes{};
    const utf8proc_ssize_t length = utf8proc_encode_char(*code, bytes.data());
    composed.append(bytes.begin(), bytes.begin() + length);
  }
  return composed;
}

}  // namespace belay::tokenizer
