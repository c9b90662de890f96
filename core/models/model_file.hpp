// A model as its files describe it, whichever format they have: hyperparameters, tensors under GGUF's names,
// vocabulary and chat template. Owns the mappings and what was made of them. Immutable once opened; any
// thread.
#pragma once

#include "core/base/status.hpp"
#include "core/formats/gguf.hpp"
#include "core/models/config.hpp"
#include "core/models/tensors.hpp"
#include "core/models/vision_config.hpp"
#include "core/tokenizer/tokenizer.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace belay::models {

class ModelFile {
 public:
  // A GGUF file, and the file of its vision part where there is one (`mmproj`). kBadInput, naming file and
  // reason, for what is broken, unknown or does not fit together.
  [[nodiscard]] static Result<ModelFile> open(const std::filesystem::path& path,
                                              const std::optional<std::filesystem::path>& mmproj = {});
  [[nodiscard]] static Result<ModelFile> from_gguf(formats::GgufFile text,
                                                   std::optional<formats::GgufFile> mmproj = {});

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const DecoderConfig& config() const { return config_; }
  [[nodiscard]] const std::optional<VisionConfig>& vision() const { return vision_; }
  [[nodiscard]] const Tensors& tensors() const { return tensors_; }
  // The Jinja text of the model's chat template, if it has one.
  [[nodiscard]] const std::optional<std::string>& chat_template() const { return chat_template_; }

  [[nodiscard]] Result<tokenizer::Tokenizer> make_tokenizer() const;

 private:
  ModelFile() = default;
  Status read_text(const formats::GgufFile& file);
  Status read_vision(const formats::GgufFile& file);

  std::string name_;
  DecoderConfig config_;
  std::optional<VisionConfig> vision_;
  std::optional<std::string> chat_template_;
  std::optional<formats::GgufFile> gguf_;
  std::optional<formats::GgufFile> mmproj_;
  Tensors tensors_;
};

}  // namespace belay::models
