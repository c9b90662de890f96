#include "core/models/model_file.hpp"

#include "core/base/format.hpp"
#include "core/models/decoder.hpp"
#include "core/models/patch_weight.hpp"
#include "core/models/vision.hpp"
#include "core/tokenizer/gguf_tokenizer.hpp"

namespace belay::models {
namespace {

constexpr std::string_view kPatchWeight = "v.patch_embd.weight";
constexpr std::string_view kSecondTap = "v.patch_embd.weight.1";

}  // namespace

Result<ModelFile> ModelFile::open(const std::filesystem::path& path,
                                  const std::optional<std::filesystem::path>& mmproj) {
  BELAY_TRY_ASSIGN(formats::GgufFile text, formats::GgufFile::open(path));
  if (!mmproj) return from_gguf(std::move(text));
  BELAY_TRY_ASSIGN(formats::GgufFile vision, formats::GgufFile::open(*mmproj));
  return from_gguf(std::move(text), std::move(vision));
}

Result<ModelFile> ModelFile::from_gguf(formats::GgufFile text, std::optional<formats::GgufFile> mmproj) {
  ModelFile model;
  model.gguf_ = std::move(text);
  BELAY_TRY(model.read_text(*model.gguf_));
  if (mmproj) {
    model.mmproj_ = std::move(mmproj);
    BELAY_TRY(model.read_vision(*model.mmproj_));
  }
  return model;
}

Status ModelFile::read_text(const formats::GgufFile& file) {
  name_ = file.name();
  BELAY_TRY_ASSIGN(config_, read_config(file));
  for (const formats::TensorView& tensor : file.tensors()) {
    if (tensor.shape.size() == 1) {
      BELAY_TRY(tensors_.add_f32(std::string(tensor.name), tensor));
    } else {
      tensors_.add(std::string(tensor.name), tensor);
    }
  }
  BELAY_TRY_ASSIGN(config_.vocab_size, vocabulary(tensors_, config_.width, name_));
  if (file.has("tokenizer.chat_template")) {
    BELAY_TRY_ASSIGN(chat_template_, file.get_string("tokenizer.chat_template"));
  }
  return {};
}

Status ModelFile::read_vision(const formats::GgufFile& file) {
  BELAY_TRY_ASSIGN(vision_, read_vision_config(file));
  BELAY_TRY(check_fit(*vision_, config_, file.name()));
  const formats::TensorView* first = file.find(kPatchWeight);
  const formats::TensorView* second = file.find(kSecondTap);
  if (first == nullptr || second == nullptr) {
    return fail(ErrorCode::kBadInput, "{}: tensor \"{}\" is missing", file.name(),
                first == nullptr ? kPatchWeight : kSecondTap);
  }
  BELAY_TRY(add_patch_weight(tensors_, *first, *second, file.name()));
  for (const formats::TensorView& tensor : file.tensors()) {
    if (tensor.name == kPatchWeight || tensor.name == kSecondTap) continue;
    if (tensor.shape.size() == 1 || tensor.name == kPositionTable) {
      BELAY_TRY(tensors_.add_f32(std::string(tensor.name), tensor));
    } else {
      tensors_.add(std::string(tensor.name), tensor);
    }
  }
  return {};
}

Result<tokenizer::Tokenizer> ModelFile::make_tokenizer() const {
  BELAY_TRY_ASSIGN(const tokenizer::TokenizerData data, tokenizer::tokenizer_data(*gguf_));
  return tokenizer::Tokenizer::create(data);
}

}  // namespace belay::models
