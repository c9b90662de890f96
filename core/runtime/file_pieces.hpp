// What a graph reads of its model's file by the piece while it runs: norms and biases, and the rows of the
// embedding that a step's tokens ask for. Where memory is counted they are not read through the mapping:
// since version 6.18 Linux maps the whole folio that its cache has around a piece, up to 2 MiB, which was 71
// MiB over the plan of the 1.7B shape before its first token. So the small ones are copied, and rows are read
// into a table that has room for all and memory for a step's. One thread at a time.
#pragma once

#include "core/base/mapped_file.hpp"
#include "core/graph/graph.hpp"
#include "core/memory/buffer.hpp"
#include "core/models/model_file.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace belay::runtime {

class FilePieces {
 public:
  // The most memory that a step of so many tokens has here, beside what is copied.
  [[nodiscard]] static std::uint64_t bytes_of_step(const graph::Graph& body, std::uint64_t tokens);

  FilePieces() = default;

  // Copies what `graph` has of the small in the file; before anything is bound to it. May be called for
  // several graphs; all must end before this object. kOutOfMemory.
  [[nodiscard]] Status copy_small(graph::Graph& graph, const models::ModelFile& file);
  // The embedding of `body`, when it lies in the model's own file, is brought by rows from here on. One that
  // was made stays where it is: its mapping holds when somebody deletes or fills up the folder of the cache.
  [[nodiscard]] Status embed_by_rows(graph::Graph& body, const models::ModelFile& file);

  // Before a node runs on `tokens` (its first input): what it reads is there until release(). What is no row
  // of the table is left out. The error of the file when it cannot be read.
  [[nodiscard]] Status acquire(std::size_t node, const belay_tensor_t& tokens) {
    return node == embed_ ? bring({static_cast<const std::int32_t*>(tokens.data), tokens.nbytes / 4})
                          : Status();
  }
  void release(std::size_t node) {
    if (node == embed_) forget_pages({table_.data(), table_.size()});
  }

 private:
  Status bring(std::span<const std::int32_t> rows);

  std::vector<memory::Buffer> copies_;
  std::size_t embed_ = ~std::size_t{0};  // the node; none
  FilePlace place_;                      // of the table
  memory::Buffer table_;
  std::uint64_t row_bytes_ = 0;
};

}  // namespace belay::runtime
