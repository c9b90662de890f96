#include "core/tokenizer/token_table.hpp"

#include "core/base/checked.hpp"
#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/tokenizer/probing.hpp"

#include <cstring>

namespace belay::tokenizer {
namespace {

constexpr std::size_t kMaxTokens = std::size_t{1} << 24U;
constexpr std::uint64_t kMaxTextBytes = std::uint64_t{1} << 30U;

std::uint64_t load(const char* bytes, std::size_t count) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, count);
  return word;
}

// Eight bytes at a time; the tail is read as two overlapping halves, because most tokens are shorter than a
// word.
std::uint64_t hash_text(std::string_view text) {
  std::uint64_t hash = text.size();
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left > 8; left -= 8, at += 8) hash = mix(hash ^ load(at, 8));
  if (left >= 4) {
    hash ^= (load(at, 4) << 32U) | load(at + left - 4, 4);
  } else if (left > 0) {
    hash ^= (load(at, 1) << 16U) | (load(at + left / 2, 1) << 8U) | load(at + left - 1, 1);
  }
  return mix(hash);
}

}  // namespace

Result<TokenTable> TokenTable::create(std::span<const std::string_view> texts) {
  if (texts.size() > kMaxTokens) {
    return fail(ErrorCode::kBadInput, "the vocabulary has {} tokens; the limit is {}", texts.size(),
                kMaxTokens);
  }
  CheckedU64 bytes = 0;
  for (const std::string_view text : texts) bytes += text.size();
  if (!bytes.fits(kMaxTextBytes)) {
    return fail(ErrorCode::kBadInput, "the vocabulary's texts are larger than {} bytes", kMaxTextBytes);
  }
  TokenTable table;
  table.texts_.reserve(*bytes.value());
  table.starts_.reserve(texts.size() + 1);
  table.starts_.push_back(0);
  table.slots_.resize(slot_count(texts.size()));
  for (const std::string_view text : texts) {
    const auto id = static_cast<std::int32_t>(table.starts_.size() - 1);
    table.texts_ += text;
    table.starts_.push_back(static_cast<std::uint32_t>(table.texts_.size()));
    if (text.empty()) continue;
    const std::uint64_t hash = hash_text(text);
    const Slot* slot = table.probe(text, hash);
    if (slot == nullptr)
      return fail(ErrorCode::kBadInput, "the vocabulary's texts are made to collide (at token {})", id);
    if (slot->id >= 0) {
      return fail(ErrorCode::kBadInput, "tokens {} and {} have the same text \"{}\"", slot->id, id,
                  printable(text));
    }
    table.slots_[static_cast<std::size_t>(slot - table.slots_.data())] = {static_cast<std::uint32_t>(hash),
                                                                          id};
  }
  return table;
}

const TokenTable::Slot* TokenTable::probe(std::string_view wanted, std::uint64_t hash) const {
  const auto tag = static_cast<std::uint32_t>(hash);
  return probe_slots(slots_, hash, [&](const Slot& slot) {
    return slot.id < 0 || (slot.hash == tag && text(slot.id) == wanted);
  });
}

std::optional<std::int32_t> TokenTable::find(std::string_view wanted) const {
  const Slot* slot = probe(wanted, hash_text(wanted));
  return slot != nullptr && slot->id >= 0 ? std::optional(slot->id) : std::nullopt;
}

}  // namespace belay::tokenizer
