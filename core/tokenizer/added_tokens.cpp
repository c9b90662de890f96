#include "core/tokenizer/added_tokens.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#include <algorithm>

namespace belay::tokenizer {
namespace {

constexpr std::size_t kMaxLength = 256;

}  // namespace

Result<AddedTokens> AddedTokens::create(std::vector<AddedToken> tokens) {
  AddedTokens added;
  std::erase_if(tokens, [](const AddedToken& token) { return token.text.empty(); });
  for (const AddedToken& token : tokens) {
    if (token.text.size() > kMaxLength) {
      return fail(ErrorCode::kBadInput, "added token {} is longer than {} bytes", token.id, kMaxLength);
    }
    if (find_invalid_utf8(token.text) != std::string_view::npos) {
      return fail(ErrorCode::kBadInput, "added token {} (\"{}\") is not UTF-8", token.id,
                  printable(token.text));
    }
    if (added.first_bytes_.find(token.text[0]) == std::string::npos) added.first_bytes_ += token.text[0];
  }
  added.tokens_ = std::move(tokens);
  std::sort(added.tokens_.begin(), added.tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.text < b.text; });
  return added;
}

std::optional<AddedTokens::Match> AddedTokens::next(std::string_view text, std::size_t from) const {
  for (std::size_t at = text.find_first_of(first_bytes_, from); at != std::string_view::npos;
       at = text.find_first_of(first_bytes_, at + 1)) {
    if (const auto match = longest_at(text, at)) return match;
  }
  return std::nullopt;
}

// Narrows the sorted tokens byte by byte to those that begin with the text at `at`. Of these, a token as long
// as the part compared so far is the first.
std::optional<AddedTokens::Match> AddedTokens::longest_at(std::string_view text, std::size_t at) const {
  std::optional<Match> best;
  auto first = tokens_.begin();
  auto last = tokens_.end();
  for (std::size_t length = 0; at + length < text.size(); ++length) {
    const auto byte_at = [length](const AddedToken& token) {  // -1 behind the end
      return token.text.size() > length ? static_cast<std::uint8_t>(token.text[length]) : -1;
    };
    const int wanted = static_cast<std::uint8_t>(text[at + length]);
    first =
        std::partition_point(first, last, [&](const AddedToken& token) { return byte_at(token) < wanted; });
    last =
        std::partition_point(first, last, [&](const AddedToken& token) { return byte_at(token) == wanted; });
    if (first == last) break;
    if (first->text.size() == length + 1) best = Match{at, length + 1, first->id};
  }
  return best;
}

}  // namespace belay::tokenizer
