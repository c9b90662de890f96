// The files of make_model open, and hold what their shape says.
#include "core/formats/gguf.hpp"
#include "core/tokenizer/chat_template.hpp"
#include "core/tokenizer/gguf_tokenizer.hpp"
#include "core/tokenizer/tokenizer.hpp"
#include "tests/core/formats/temporary_folder.hpp"
#include "tests/support/doctest.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace belay {

namespace {

using formats::GgufFile;
using formats::TensorView;

// The exit code.
int make_model(const std::string& options) {
  const int status = std::system((std::string(BELAY_MAKE_MODEL) + " " + options + " 2>/dev/null").c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

GgufFile made(const std::filesystem::path& folder, const std::string& type, const std::string& more = "") {
  const std::string path = (folder / (type + ".gguf")).string();
  REQUIRE(make_model("--shape tiny --type " + type + " --out " + path + more) == 0);
  auto file = GgufFile::open(path);
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
  return *std::move(file);
}

std::string_view bytes_of(const TensorView& tensor) {
  return {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()};
}

// All rows of all matrices; how many times one occurs again.
std::size_t repeated_rows(const GgufFile& file) {
  std::set<std::string_view> rows;
  std::size_t repeated = 0;
  for (const TensorView& tensor : file.tensors()) {
    const std::size_t row = *row_bytes(tensor.dtype, tensor.shape.back());
    for (std::size_t at = 0; at < tensor.data.size(); at += row)
      repeated += rows.insert(bytes_of(tensor).substr(at, row)).second ? 0 : 1;
  }
  return repeated;
}

}  // namespace

TEST_CASE("the text model has its keys, a vocabulary that any text goes through, and a known chat template") {
  const test::TemporaryFolder folder;
  const GgufFile file = made(folder.path(), "f16");
  CHECK(*file.get_string("general.architecture") == "qwen3vl");
  CHECK(*file.get_i32s("qwen3vl.rope.dimension_sections") == std::vector<std::int32_t>{12, 10, 10, 0});
  CHECK(*file.get_u32("qwen3vl.n_deepstack_layers") == 3);
  CHECK(file.find("blk.3.attn_k_norm.weight")->shape == std::vector<std::uint64_t>{64});
  CHECK(file.find("output.weight") == nullptr);
  CHECK(file.tensors().size() == 4 * 11 + 2);

  const auto data = tokenizer::tokenizer_data(file);
  REQUIRE(data.ok());
  CHECK(data->tokens.size() == *file.get_u32("qwen3vl.vocab_size"));
  const auto tokenizer = tokenizer::Tokenizer::create(*data);
  REQUIRE_MESSAGE(tokenizer.ok(), (tokenizer.ok() ? "" : tokenizer.error().message));
  const std::string text = "the world, naïve \xF0\x9F\xA6\x80\x01<|im_end|>";
  const auto ids = tokenizer->encode(text, tokenizer::Specials::kParse);
  REQUIRE(ids.ok());
  CHECK(ids->back() == data->eos);
  CHECK(tokenizer->decode(*ids, true) == text.substr(0, text.find("<|im_end|>")));
  CHECK(tokenizer->encode(" the world", tokenizer::Specials::kParse)->size() == 2);  // by its merges
  CHECK(tokenizer::recognise_chat_template(*file.get_string("tokenizer.chat_template")).ok());
}

TEST_CASE("each type has its matrices' types, and the same command makes the same file") {
  const test::TemporaryFolder folder;
  CHECK(made(folder.path(), "q8_0").find("blk.1.ffn_up.weight")->dtype == DType::kQ8_0);
  CHECK(made(folder.path(), "q4_0").find("token_embd.weight")->dtype == DType::kQ4_0);
  const GgufFile mixed = made(folder.path(), "q4_k_m");
  CHECK(mixed.find("token_embd.weight")->dtype == DType::kQ6_K);
  CHECK(mixed.find("blk.0.ffn_down.weight")->dtype == DType::kQ4_K);
  CHECK(mixed.find("blk.3.ffn_down.weight")->dtype == DType::kQ6_K);
  CHECK(mixed.find("blk.3.attn_v.weight")->dtype == DType::kQ6_K);
  CHECK(mixed.find("blk.3.attn_k.weight")->dtype == DType::kQ4_K);
  CHECK(repeated_rows(mixed) == 0);
  const test::TemporaryFolder other;
  const GgufFile again = made(other.path(), "q4_k_m");
  REQUIRE(again.file_bytes() == mixed.file_bytes());
  for (std::size_t i = 0; i < mixed.tensors().size(); ++i)
    CHECK(bytes_of(mixed.tensors()[i]) == bytes_of(again.tensors()[i]));
}

TEST_CASE("the vision part has its keys and tensors") {
  const test::TemporaryFolder folder;
  const std::string path = (folder.path() / "mmproj.gguf").string();
  made(folder.path(), "q4_0", " --mmproj " + path);
  const auto file = GgufFile::open(path);
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
  CHECK(*file->get_string("general.architecture") == "clip");
  CHECK(*file->get_bools("clip.vision.is_deepstack_layers") == std::vector<bool>{true, true, true, false});
  CHECK(file->find("v.patch_embd.weight.1")->shape == std::vector<std::uint64_t>{64, 3, 16, 16});
  CHECK(file->find("v.position_embd.weight")->shape == std::vector<std::uint64_t>{64, 64});
  CHECK(file->find("v.deepstack.2.fc2.weight")->shape == std::vector<std::uint64_t>{256, 256});
  CHECK(file->find("v.deepstack.2.norm.bias")->dtype == DType::kF32);
  CHECK(file->find("mm.2.weight")->dtype == DType::kF16);
}

TEST_CASE("wrong options are refused and nothing is written") {
  const test::TemporaryFolder folder;
  const std::string out = " --out " + (folder.path() / "m.gguf").string();
  for (const std::string options :
       {"", "--shape tiny", "--shape huge --type f16", "--shape tiny --type q2_k",
        "--shape tiny --type f16 --seed 3", "--shape qwen3-1.7b --type f16 --mmproj x",
        "--shape tiny --type f16 --out"}) {
    CHECK_MESSAGE(make_model(options.ends_with("--out") ? options : options + out) == 2, options);
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}

}  // namespace belay
