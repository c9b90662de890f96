// A model as its files describe it, whichever format they have: hyperparameters, tensors under GGUF's names,
// vocabulary and chat template. Owns the mappings and what was made of them. Immutable once opened; any
// thread.
#pragma once

#include "core/base/mapped_file.hpp"
#include "core/base/status.hpp"
#include "core/formats/gguf.hpp"
#include "core/formats/safetensors_folder.hpp"
#include "core/models/config.hpp"
#include "core/models/made_weights.hpp"
#include "core/models/tensors.hpp"
#include "core/models/vision_config.hpp"
#include "core/tokenizer/generation_config.hpp"
#include "core/tokenizer/hf_tokenizer.hpp"
#include "core/tokenizer/tokenizer.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace belay::models {

struct ModelOptions {
  std::optional<std::filesystem::path> mmproj = {};  // the vision part of a GGUF model
  // The matrices of the decoder are to become blocks of this type (see quantize_weights.hpp); make_weights()
  // makes them.
  std::optional<DType> quantize = {};
};

class ModelFile {
 public:
  // A GGUF file or a Hugging Face folder. kBadInput, naming file and reason, for what is broken, unknown or
  // does not fit together; kUsage for options that do not go with it.
  [[nodiscard]] static Result<ModelFile> open(const std::filesystem::path& path,
                                              const ModelOptions& options = {});
  [[nodiscard]] static Result<ModelFile> from_gguf(formats::GgufFile text,
                                                   std::optional<formats::GgufFile> mmproj = {});

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const DecoderConfig& config() const { return config_; }
  [[nodiscard]] const std::optional<VisionConfig>& vision() const { return vision_; }
  [[nodiscard]] const Tensors& tensors() const { return tensors_; }
  [[nodiscard]] Tensors& tensors() { return tensors_; }  // to replace some before graphs are built
  // What --quantize asks for, if anything does.
  [[nodiscard]] const MadeWeights& made() const { return made_; }
  [[nodiscard]] MadeWeights& made() { return made_; }
  // As MadeWeights::make.
  [[nodiscard]] Result<std::string> make_weights(const MadeWeights::Options& options);
  // Where a tensor's bytes lie on the disk; nothing for what was made in memory.
  [[nodiscard]] std::optional<FilePlace> place_of(std::span<const std::byte> bytes) const;
  // How its makers want it sampled; nothing known of it means greedy.
  [[nodiscard]] const tokenizer::GenerationDefaults& generation() const { return generation_; }
  // The Jinja text of the model's chat template, if it has one.
  [[nodiscard]] const std::optional<std::string>& chat_template() const { return chat_template_; }

  // The vocabulary, its texts shared with it.
  [[nodiscard]] Result<tokenizer::HfTokenizer> vocabulary() const;
  [[nodiscard]] Result<tokenizer::Tokenizer> make_tokenizer() const;

 private:
  ModelFile() = default;
  static Result<ModelFile> from_folder(const std::filesystem::path& folder, const ModelOptions& options);
  Status read_text(const formats::GgufFile& file);
  Status read_vision(const formats::GgufFile& file);
  Status read_folder(const ModelOptions& options, bool tied);

  std::string name_;
  DecoderConfig config_;
  std::optional<VisionConfig> vision_;
  std::optional<std::string> chat_template_;
  tokenizer::GenerationDefaults generation_;
  // Where the tensors' bytes lie: one or the other.
  std::optional<formats::GgufFile> gguf_;
  std::optional<formats::GgufFile> mmproj_;
  std::optional<formats::SafetensorsFolder> folder_;
  std::filesystem::path folder_path_;
  Tensors tensors_;
  MadeWeights made_;  // of tensors_
};

}  // namespace belay::models
