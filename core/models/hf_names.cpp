#include "core/models/hf_names.hpp"

#include "core/base/format.hpp"

#include <array>
#include <charconv>

namespace belay::models {
namespace {

struct Pair {
  std::string_view hf;
  std::string_view gguf;
};

constexpr std::array kText = {
    Pair{"embed_tokens", "token_embd"},
    Pair{"norm", "output_norm"},
};
constexpr std::array kTextLayer = {
    Pair{"input_layernorm", "attn_norm"},    Pair{"self_attn.q_proj", "attn_q"},
    Pair{"self_attn.k_proj", "attn_k"},      Pair{"self_attn.v_proj", "attn_v"},
    Pair{"self_attn.o_proj", "attn_output"}, Pair{"self_attn.q_norm", "attn_q_norm"},
    Pair{"self_attn.k_norm", "attn_k_norm"}, Pair{"post_attention_layernorm", "ffn_norm"},
    Pair{"mlp.gate_proj", "ffn_gate"},       Pair{"mlp.up_proj", "ffn_up"},
    Pair{"mlp.down_proj", "ffn_down"},
};
constexpr std::array kVision = {
    Pair{"patch_embed.proj", "v.patch_embd"}, Pair{"pos_embed", "v.position_embd"},
    Pair{"merger.norm", "v.post_ln"},         Pair{"merger.linear_fc1", "mm.0"},
    Pair{"merger.linear_fc2", "mm.2"},
};
constexpr std::array kVisionBlock = {
    Pair{"norm1", "ln1"},
    Pair{"norm2", "ln2"},
    Pair{"attn.qkv", "attn_qkv"},
    Pair{"attn.proj", "attn_out"},
    Pair{"mlp.linear_fc1", "ffn_up"},
    Pair{"mlp.linear_fc2", "ffn_down"},
};
constexpr std::array kDeepstack = {
    Pair{"norm", "norm"},
    Pair{"linear_fc1", "fc1"},
    Pair{"linear_fc2", "fc2"},
};

std::string_view look_up(std::span<const Pair> table, std::string_view hf) {
  for (const Pair& pair : table) {
    if (pair.hf == hf) return pair.gguf;
  }
  return {};
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// "12.rest": the number, and `text` left at "rest".
std::optional<std::uint32_t> take_number(std::string_view& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || digits >= text.size() || text[digits] != '.') return std::nullopt;
  text.remove_prefix(digits + 1);
  return number;
}

// The name of a module, without ".weight" or ".bias".
std::string text_module(std::string_view name) {
  if (!take_prefix(name, "layers.")) return std::string(look_up(kText, name));
  const auto layer = take_number(name);
  const std::string_view found = look_up(kTextLayer, name);
  return layer && !found.empty() ? format("blk.{}.{}", *layer, found) : std::string();
}

std::string vision_module(std::string_view name, std::span<const std::uint32_t> deepstack_layers) {
  if (take_prefix(name, "blocks.")) {
    const auto block = take_number(name);
    const std::string_view found = look_up(kVisionBlock, name);
    return block && !found.empty() ? format("v.blk.{}.{}", *block, found) : std::string();
  }
  if (take_prefix(name, "deepstack_merger_list.")) {
    const auto level = take_number(name);
    const std::string_view found = look_up(kDeepstack, name);
    if (!level || *level >= deepstack_layers.size() || found.empty()) return {};
    return format("v.deepstack.{}.{}", deepstack_layers[*level], found);
  }
  return std::string(look_up(kVision, name));
}

}  // namespace

std::optional<std::string> gguf_name(std::string_view hf_name,
                                     std::span<const std::uint32_t> deepstack_layers) {
  const std::size_t dot = hf_name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view kind = hf_name.substr(dot);
  if (kind != ".weight" && kind != ".bias") return std::nullopt;
  std::string_view module = hf_name.substr(0, dot);
  std::string found;
  if (module == "lm_head") {
    found = "output";
  } else if (take_prefix(module, "model.visual.")) {
    found = vision_module(module, deepstack_layers);
  } else if (take_prefix(module, "model.language_model.") || take_prefix(module, "model.")) {
    found = text_module(module);
  }
  if (found.empty()) return std::nullopt;
  return found + std::string(kind);
}

}  // namespace belay::models
