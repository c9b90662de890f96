// Weights that no file of the model has in the type that is asked for. They are declared at once, so that a
// plan counts them, and made when the plan says where they will lie: in memory, or, when some are to be
// streamed, in a file of the user's cache folder. What cannot be kept there is made of its source every time
// it is needed. Owns that file, not the sources. One thread at a time.
#pragma once

#include "core/base/mapped_file.hpp"
#include "core/base/status.hpp"
#include "core/formats/tensor_file.hpp"
#include "core/graph/graph.hpp"
#include "core/memory/tile_file.hpp"
#include "core/models/tensors.hpp"
#include "core/threading/pool.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace belay::models {

struct MadeWeight {
  graph::Weight source;  // as the model's files have it
  DType dtype = DType::kF32;
  std::span<std::byte> room;  // where it lies when it is made in memory
  std::size_t part = 0;       // of the cache file
};

class MadeWeights {
 public:
  using SourceFile = std::function<std::optional<FilePlace>(std::span<const std::byte>)>;

  struct Options {
    threading::Pool& pool;
    // Called before each weight, and while another process writes the same file; may be empty.
    std::function<Status(std::size_t done, std::size_t total)> on_weight = {};
    // With these two some weights are streamed, and all go to a file in that folder.
    std::function<bool(std::string_view name)> is_streamed = {};
    std::filesystem::path cache_folder = {};
    memory::TileFile::Options cache = {};
  };

  // Adds `tensor` to `tensors` as a weight of type `to` that is to be made.
  [[nodiscard]] Status declare(Tensors& tensors, std::string name, const formats::TensorView& tensor,
                               DType to);

  [[nodiscard]] bool empty() const { return by_name_.empty(); }
  // Null for a weight that is the file's own.
  [[nodiscard]] const MadeWeight* find(std::string_view name) const;

  // Makes them, once; `tensors` then says where each lies, and a streamed one without a place in the cache
  // file stays unmade. What comes back is why the file is not used, or not for all; empty when it is.
  // `model` names the file; `source_file` says where a source lies. kBadInput for values that cannot be made
  // into blocks, and what `on_weight` returns.
  [[nodiscard]] Result<std::string> make(Tensors& tensors, std::string_view model,
                                         const SourceFile& source_file, const Options& options);

  // One of them once more, of its source; for one in the cache file that was damaged, that is mended, too.
  [[nodiscard]] Status make_again(const MadeWeight& weight, std::span<std::byte> out, threading::Pool& pool);

  // Of bytes of the cache file; nothing for others.
  [[nodiscard]] std::optional<FilePlace> place_of(std::span<const std::byte> bytes) const;

 private:
  [[nodiscard]] Result<std::string> make_in_cache(std::string_view model, const SourceFile& source_file,
                                                  const Options& options);
  [[nodiscard]] Status make_in_memory(Tensors& tensors, const Options& options);
  [[nodiscard]] Status open_cache(std::string_view model, const SourceFile& source_file,
                                  const Options& options);
  [[nodiscard]] Status fill_cache(const Options& options, std::string& trouble);
  [[nodiscard]] Status to_cache(const MadeWeight& weight, threading::Pool& pool, std::string& trouble);

  std::map<std::string, MadeWeight, std::less<>> by_name_;
  std::optional<memory::TileFile> cache_;
};

}  // namespace belay::models
