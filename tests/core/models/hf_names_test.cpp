#include "core/models/hf_names.hpp"

#include "tests/support/doctest.hpp"

#include <vector>

using belay::models::gguf_name;

namespace {

const std::vector<std::uint32_t> kLevels = {5, 11, 17};

std::string name_of(std::string_view hf) { return gguf_name(hf, kLevels).value_or("(none)"); }

}  // namespace

TEST_CASE("the decoder's tensors, of a text model and of a vision model") {
  CHECK(name_of("model.embed_tokens.weight") == "token_embd.weight");
  CHECK(name_of("model.language_model.norm.weight") == "output_norm.weight");
  CHECK(name_of("lm_head.weight") == "output.weight");
  CHECK(name_of("model.layers.12.self_attn.q_proj.bias") == "blk.12.attn_q.bias");
  CHECK(name_of("model.language_model.layers.0.self_attn.k_norm.weight") == "blk.0.attn_k_norm.weight");
  CHECK(name_of("model.layers.3.post_attention_layernorm.weight") == "blk.3.ffn_norm.weight");
  CHECK(name_of("model.layers.3.mlp.down_proj.weight") == "blk.3.ffn_down.weight");
}

TEST_CASE("the vision encoder's tensors; levels are called by their layers") {
  CHECK(name_of("model.visual.patch_embed.proj.weight") == "v.patch_embd.weight");
  CHECK(name_of("model.visual.pos_embed.weight") == "v.position_embd.weight");
  CHECK(name_of("model.visual.blocks.23.attn.qkv.bias") == "v.blk.23.attn_qkv.bias");
  CHECK(name_of("model.visual.blocks.0.mlp.linear_fc2.weight") == "v.blk.0.ffn_down.weight");
  CHECK(name_of("model.visual.merger.linear_fc2.weight") == "mm.2.weight");
  CHECK(name_of("model.visual.deepstack_merger_list.1.linear_fc1.bias") == "v.deepstack.11.fc1.bias");
}

TEST_CASE("what no graph uses has no name") {
  for (const char* hf :
       {"", ".weight", "model.", "model.layers.0.self_attn.rotary_emb.inv_freq",
        "model.layers.x.mlp.up_proj.weight", "model.layers.99999999999.mlp.up_proj.weight", "model.layers.0",
        "model.layers.0.weight", "model.visual.deepstack_merger_list.3.norm.weight", "model.norm.scale",
        "visual.pos_embed.weight"}) {
    CAPTURE(hf);
    CHECK_FALSE(gguf_name(hf, kLevels).has_value());
  }
}
