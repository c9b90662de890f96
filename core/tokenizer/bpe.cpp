#include "core/tokenizer/bpe.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/tokenizer/byte_map.hpp"
#include "core/tokenizer/probing.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <string>

namespace belay::tokenizer {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kMaxMerges = std::size_t{1} << 24U;

struct Merge {
  std::string_view left;
  std::string_view right;
};

std::optional<Merge> split(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const Merge merge{line.substr(0, space), line.substr(space + 1)};
  const bool two =
      !merge.left.empty() && !merge.right.empty() && merge.right.find(' ') == std::string_view::npos;
  return two ? std::optional(merge) : std::nullopt;
}

// Turns merges into ids. Trainers number the new tokens in the order of the merges, so the id behind the last
// one is tried before the table.
class MergeReader {
 public:
  explicit MergeReader(const TokenTable& tokens) : tokens_(tokens) {}

  [[nodiscard]] Result<MergeRule> read(std::string_view line, std::size_t rank) {
    const auto merge = split(line);
    if (!merge) {
      return fail(ErrorCode::kBadInput, "merge {} (\"{}\") is not two texts with a space between", rank,
                  printable(line));
    }
    const auto left = tokens_.find(merge->left);
    const auto right = tokens_.find(merge->right);
    if (left && right && find_merged(*merge)) return MergeRule{*left, *right, merged_};
    const std::string_view unknown = !left ? merge->left : !right ? merge->right : std::string_view(text_);
    return fail(ErrorCode::kBadInput, "merge {} (\"{}\") needs \"{}\", which is no token of the vocabulary",
                rank, printable(line), printable(unknown));
  }

 private:
  bool find_merged(const Merge& merge) {
    if (is_merged(++merged_, merge)) return true;
    text_.assign(merge.left).append(merge.right);
    const auto id = tokens_.find(text_);
    merged_ = id.value_or(0);
    return id.has_value();
  }

  [[nodiscard]] bool is_merged(std::int32_t id, const Merge& merge) const {
    if (static_cast<std::size_t>(id) >= tokens_.size()) return false;
    const std::string_view text = tokens_.text(id);
    return text.size() == merge.left.size() + merge.right.size() && text.starts_with(merge.left) &&
           text.ends_with(merge.right);
  }

  const TokenTable& tokens_;
  std::int32_t merged_ = 0;
  std::string text_;
};

}  // namespace

Result<Bpe> Bpe::create(const TokenTable& tokens, std::span<const std::string_view> merges) {
  if (merges.size() > kMaxMerges) {
    return fail(ErrorCode::kBadInput, "the vocabulary has {} merges; the limit is {}", merges.size(),
                kMaxMerges);
  }
  Bpe bpe;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    bpe.byte_ids_[byte] = tokens.find(mapped_char(static_cast<std::uint8_t>(byte))).value_or(-1);
  }
  bpe.rules_.reserve(merges.size());
  bpe.slots_.resize(slot_count(merges.size()), kEmpty);
  MergeReader reader(tokens);
  for (const std::string_view line : merges) {
    BELAY_TRY_ASSIGN(const MergeRule rule, reader.read(line, bpe.rules_.size()));
    BELAY_TRY(bpe.add(rule));
  }
  return bpe;
}

const std::uint32_t* Bpe::probe(std::int32_t left, std::int32_t right) const {
  const std::uint64_t pair =
      (std::uint64_t{static_cast<std::uint32_t>(left)} << 32U) | static_cast<std::uint32_t>(right);
  return probe_slots(slots_, mix(pair), [&](std::uint32_t rank) {
    return rank == kEmpty || (rules_[rank].left == left && rules_[rank].right == right);
  });
}

Status Bpe::add(const MergeRule& rule) {
  const auto rank = static_cast<std::uint32_t>(rules_.size());
  const std::uint32_t* slot = probe(rule.left, rule.right);
  if (slot == nullptr)
    return fail(ErrorCode::kBadInput, "the merges are made to collide (at merge {})", rank);
  if (*slot != kEmpty) return fail(ErrorCode::kBadInput, "merges {} and {} are the same", *slot, rank);
  slots_[static_cast<std::size_t>(slot - slots_.data())] = rank;
  rules_.push_back(rule);
  return {};
}

std::uint32_t Bpe::rank_of(std::int32_t left, std::int32_t right) const {
  const std::uint32_t* slot = probe(left, right);
  return slot != nullptr ? *slot : kEmpty;
}

// Notes the rank of the merge of `at` with its next symbol and queues it. The queue is a heap of rank and
// position; an entry counts only while the symbol still has that rank.
void Bpe::queue_pair(Scratch& scratch, std::uint32_t at) const {
  Symbol& symbol = scratch.symbols[at];
  symbol.rank = symbol.next == kNone ? kEmpty : rank_of(symbol.id, scratch.symbols[symbol.next].id);
  if (symbol.rank == kEmpty) return;
  scratch.queue.push_back((std::uint64_t{symbol.rank} << 32U) | at);
  std::push_heap(scratch.queue.begin(), scratch.queue.end(), std::greater<>{});
}

void Bpe::merge_with_next(Scratch& scratch, std::uint32_t at) const {
  Symbol& symbol = scratch.symbols[at];
  Symbol& gone = scratch.symbols[symbol.next];
  symbol.id = rules_[symbol.rank].merged;
  symbol.next = gone.next;
  gone.rank = kEmpty;
  if (symbol.next != kNone) scratch.symbols[symbol.next].previous = at;
  queue_pair(scratch, at);
  if (symbol.previous != kNone) queue_pair(scratch, symbol.previous);
}

void Bpe::encode(std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& ids) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.clear();
  scratch.queue.clear();
  for (const char byte : piece) {
    const std::int32_t id = byte_ids_[static_cast<std::uint8_t>(byte)];
    const auto at = static_cast<std::uint32_t>(symbols.size());
    if (id >= 0) symbols.push_back({id, kEmpty, at == 0 ? kNone : at - 1, at + 1});
  }
  if (symbols.empty()) return;
  symbols.back().next = kNone;
  for (std::uint32_t at = 0; at + 1 < symbols.size(); ++at) queue_pair(scratch, at);
  while (!scratch.queue.empty()) {
    const std::uint64_t best = scratch.queue.front();
    std::pop_heap(scratch.queue.begin(), scratch.queue.end(), std::greater<>{});
    scratch.queue.pop_back();
    const auto at = static_cast<std::uint32_t>(best);
    if (symbols[at].rank == best >> 32U) merge_with_next(scratch, at);
  }
  for (std::uint32_t at = 0; at != kNone; at = symbols[at].next) ids.push_back(symbols[at].id);
}

}  // namespace belay::tokenizer
