// ModelFile from a Hugging Face folder.
#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/models/decoder.hpp"
#include "core/models/hf_config.hpp"
#include "core/models/hf_names.hpp"
#include "core/models/model_file.hpp"
#include "core/models/patch_weight.hpp"
#include "core/models/quantize_weights.hpp"
#include "core/models/vision.hpp"
#include "core/tokenizer/chat_template_file.hpp"

namespace belay::models {
namespace {

// Adds tensors one by one, to be quantised where that is asked for.
class FolderReader {
 public:
  FolderReader(const ModelOptions& options, Tensors& tensors, MadeWeights& made, std::string_view name)
      : quantize_(options.quantize), tensors_(tensors), made_(made), name_(name) {}

  Status add(std::string name, const formats::TensorView& tensor) {
    if (name == kPatchWeight) return add_patch_weight(tensors_, tensor, name_);
    if (tensor.shape.size() == 1 || name == kPositionTable) return tensors_.add_f32(std::move(name), tensor);
    if (tensor.dtype != DType::kF32 && tensor.dtype != DType::kF16 && tensor.dtype != DType::kBF16) {
      return fail(ErrorCode::kBadInput, "{}: tensor \"{}\" has type {}; expected f32, f16 or bf16", name_,
                  tensor.name, to_string(tensor.dtype));
    }
    const graph::Shape shape(tensor.shape.begin(), tensor.shape.end());
    const DType to = quantize_ ? quantized_type(name, shape, tensor.dtype, *quantize_) : tensor.dtype;
    if (to == tensor.dtype) return tensors_.add(std::move(name), tensor);
    return made_.declare(tensors_, std::move(name), tensor, to);
  }

 private:
  std::optional<DType> quantize_;
  Tensors& tensors_;
  MadeWeights& made_;
  std::string_view name_;
};

}  // namespace

Result<ModelFile> ModelFile::from_folder(const std::filesystem::path& folder, const ModelOptions& options) {
  ModelFile model;
  model.name_ = printable(folder.string(), 400);
  model.folder_path_ = folder;
  if (options.mmproj) {
    return fail(ErrorCode::kUsage,
                "--mmproj is for GGUF models; {} is a folder, and has its vision part in it", model.name_);
  }
  BELAY_TRY_ASSIGN(HfConfig config, read_hf_config(folder));
  model.config_ = std::move(config.decoder);
  model.config_.name =
      printable(std::filesystem::absolute(folder).lexically_normal().filename().string(), 200);
  model.vision_ = std::move(config.vision);
  BELAY_TRY_ASSIGN(model.generation_, tokenizer::read_generation_defaults(folder));
  BELAY_TRY_ASSIGN(model.chat_template_, tokenizer::read_chat_template(folder));
  BELAY_TRY_ASSIGN(model.folder_, formats::SafetensorsFolder::open(folder));
  BELAY_TRY(model.read_folder(options, config.tied));
  return model;
}

Status ModelFile::read_folder(const ModelOptions& options, bool tied) {
  FolderReader reader(options, tensors_, made_, name_);
  const std::span<const std::uint32_t> levels =
      vision_ ? std::span<const std::uint32_t>(vision_->deepstack_layers) : std::span<const std::uint32_t>();
  for (const formats::TensorView& tensor : folder_->tensors()) {
    std::optional<std::string> name = gguf_name(tensor.name, levels);
    if (!name || (tied && *name == "output.weight")) continue;
    BELAY_TRY(reader.add(*std::move(name), tensor));
  }
  if (!tied && tensors_.find("output.weight") == nullptr) {
    return fail(ErrorCode::kBadInput,
                "{}: tensor \"lm_head.weight\" is missing, and config.json does not tie it to the embedding",
                name_);
  }
  BELAY_TRY_ASSIGN(config_.vocab_size, vocabulary_size(tensors_, config_.width, name_));
  return {};
}

}  // namespace belay::models
