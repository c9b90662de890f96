#include "core/models/model.hpp"

namespace belay::models {

Result<Model> build_model(const ModelFile& file, DType cache) {
  Model model;
  BELAY_TRY_ASSIGN(model.decoder, build_decoder(file.config(), file.tensors(), cache, file.name()));
  if (file.vision()) {
    BELAY_TRY_ASSIGN(model.vision, build_vision(*file.vision(), file.tensors(), file.name()));
  }
  return model;
}

}  // namespace belay::models
