#include "core/models/model_file.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/models/decoder.hpp"
#include "core/models/patch_weight.hpp"
#include "core/models/vision.hpp"
#include "core/tokenizer/gguf_tokenizer.hpp"

namespace belay::models {
namespace {

// Vectors and the table of positions as floats, the rest as it is; not the patch embedding.
Status add_tensors(const formats::GgufFile& file, Tensors& tensors) {
  for (const formats::TensorView& tensor : file.tensors()) {
    if (tensor.name == kPatchWeight || tensor.name == kSecondTap) continue;
    const bool as_floats = tensor.shape.size() == 1 || tensor.name == kPositionTable;
    std::string name(tensor.name);
    BELAY_TRY(as_floats ? tensors.add_f32(std::move(name), tensor) : tensors.add(std::move(name), tensor));
  }
  return {};
}

Status add_patch_taps(const formats::GgufFile& file, Tensors& tensors) {
  const formats::TensorView* first = file.find(kPatchWeight);
  const formats::TensorView* second = file.find(kSecondTap);
  if (first != nullptr && second != nullptr) return add_patch_weight(tensors, *first, *second, file.name());
  return fail(ErrorCode::kBadInput, "{}: tensor \"{}\" is missing", file.name(),
              first == nullptr ? kPatchWeight : kSecondTap);
}

}  // namespace

Result<ModelFile> ModelFile::open(const std::filesystem::path& path, const ModelOptions& options) {
  std::error_code failed;
  if (std::filesystem::is_directory(path, failed)) return from_folder(path, options);
  if (options.quantize) {
    return fail(ErrorCode::kUsage,
                "--quantize is for Hugging Face folders, and {} is a file; a GGUF file has its types already",
                printable(path.string(), 400));
  }
  BELAY_TRY_ASSIGN(formats::GgufFile text, formats::GgufFile::open(path));
  if (!options.mmproj) return from_gguf(std::move(text));
  BELAY_TRY_ASSIGN(formats::GgufFile vision, formats::GgufFile::open(*options.mmproj));
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
  BELAY_TRY(add_tensors(file, tensors_));
  BELAY_TRY_ASSIGN(config_.vocab_size, vocabulary_size(tensors_, config_.width, name_));
  if (!file.has("tokenizer.chat_template")) return {};
  BELAY_TRY_ASSIGN(chat_template_, file.get_string("tokenizer.chat_template"));
  return {};
}

Status ModelFile::read_vision(const formats::GgufFile& file) {
  BELAY_TRY_ASSIGN(vision_, read_vision_config(file));
  BELAY_TRY(check_fit(*vision_, config_, file.name()));
  BELAY_TRY(add_patch_taps(file, tensors_));
  return add_tensors(file, tensors_);
}

std::optional<FilePlace> ModelFile::place_of(std::span<const std::byte> bytes) const {
  std::optional<FilePlace> place;
  if (gguf_) place = gguf_->place_of(bytes);
  if (!place && mmproj_) place = mmproj_->place_of(bytes);
  if (!place && folder_) place = folder_->place_of(bytes);
  return place ? place : made_.place_of(bytes);
}

Result<std::string> ModelFile::make_weights(const MadeWeights::Options& options) {
  const auto source_file = [this](std::span<const std::byte> bytes) { return place_of(bytes); };
  return made_.make(tensors_, config_.name, source_file, options);
}

Result<tokenizer::HfTokenizer> ModelFile::vocabulary() const {
  if (!gguf_) return tokenizer::read_hf_tokenizer(folder_path_);
  tokenizer::HfTokenizer vocabulary;
  BELAY_TRY_ASSIGN(vocabulary.data, tokenizer::tokenizer_data(*gguf_));
  return vocabulary;
}

Result<tokenizer::Tokenizer> ModelFile::make_tokenizer() const {
  BELAY_TRY_ASSIGN(const tokenizer::HfTokenizer made, vocabulary());
  return tokenizer::Tokenizer::create(made.data);
}

}  // namespace belay::models
