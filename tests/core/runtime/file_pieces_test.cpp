// What is read of a model's file by the piece: the same bytes, from memory that is none of the mapping's.
#include "core/runtime/file_pieces.hpp"

#include "core/models/model.hpp"
#include "tests/support/doctest.hpp"
#include "tests/support/tiny_model_file.hpp"

#include <algorithm>
#include <numeric>

using namespace belay;           // NOLINT(google-build-using-namespace)
using namespace belay::runtime;  // NOLINT(google-build-using-namespace)

namespace {

class Fixture {
 public:
  Fixture() {
    auto opened = models::ModelFile::open(model_file_.path());
    REQUIRE(opened.ok());
    file.emplace(*std::move(opened));
    auto built = models::build_model(*file, DType::kF32);
    REQUIRE(built.ok());
    model.emplace(*std::move(built));
    for (const graph::Weight& weight : body().weights) original.push_back(weight.data);
    const auto found = std::ranges::find(body().nodes, graph::Op::kEmbed, &graph::Node::op);
    embed = static_cast<std::size_t>(found - body().nodes.begin());
  }
  [[nodiscard]] graph::Graph& body() { return model->decoder.body; }
  [[nodiscard]] graph::Weight& table() { return body().weights[body().nodes[embed].weights[0]]; }
  [[nodiscard]] std::span<const std::byte> row(std::span<const std::byte> table_bytes, std::size_t index) {
    const std::size_t bytes = table_bytes.size() / static_cast<std::size_t>(table().shape[0]);
    return table_bytes.subspan(index * bytes, bytes);
  }
  [[nodiscard]] Status acquire(FilePieces& pieces, std::vector<std::int32_t> ids) {
    belay_tensor_t tensor = {};
    tensor.data = ids.data();
    tensor.nbytes = ids.size() * sizeof(std::int32_t);
    return pieces.acquire(embed, tensor);
  }
  void cut_file() { std::filesystem::resize_file(model_file_.path(), 4096); }

 private:
  test::TinyModelFile model_file_{"file_pieces_test.gguf", {.layers = 2, .types = {DType::kQ8_0}, .seed = 4}};

 public:
  std::optional<models::ModelFile> file;
  std::optional<models::Model> model;
  std::vector<std::span<const std::byte>> original;  // of each weight, in the mapped file
  std::size_t embed = 0;
};

bool is_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

TEST_CASE("norms are copied, matrices stay where they are") {
  Fixture f;
  FilePieces pieces;
  REQUIRE(pieces.copy_small(f.body(), *f.file).ok());
  std::size_t copied = 0;
  for (std::size_t i = 0; i < f.original.size(); ++i) {
    const graph::Weight& weight = f.body().weights[i];
    CHECK(std::ranges::equal(weight.data, f.original[i]));
    const bool in_file = f.file->place_of(weight.data).has_value();
    CHECK(in_file == (weight.shape.size() > 1));
    CHECK(in_file == (weight.home == graph::Home::kFile));
    CHECK(reinterpret_cast<std::uintptr_t>(weight.data.data()) % sizeof(float) == 0);
    copied += in_file ? 0 : 1;
  }
  CHECK(copied >= 2 * 2);
}

TEST_CASE("the rows that a step asks for are there until it is over, and no others") {
  Fixture f;
  const std::span<const std::byte> in_file = f.table().data;
  FilePieces pieces;
  REQUIRE(pieces.embed_by_rows(f.body(), *f.file).ok());
  const std::span<const std::byte> table = f.table().data;
  CHECK_FALSE(f.file->place_of(table));
  REQUIRE(table.size() == in_file.size());
  const auto last = static_cast<std::int32_t>(f.table().shape[0] - 1);

  REQUIRE(f.acquire(pieces, {3, last, 3, -1, last + 1}).ok());
  for (const std::int32_t id : {3, last}) {
    const auto index = static_cast<std::size_t>(id);
    CHECK(std::ranges::equal(f.row(table, index), f.row(in_file, index)));
    CHECK_FALSE(is_zero(f.row(table, index)));
  }
  CHECK(is_zero(f.row(table, 4)));
  pieces.release(f.embed);
  REQUIRE(f.acquire(pieces, {4}).ok());
  CHECK(std::ranges::equal(f.row(table, 4), f.row(in_file, 4)));
}

TEST_CASE("memory of a step: its rows in whole pages, at most the table") {
  Fixture f;
  const std::uint64_t whole = f.table().data.size() + 4096;
  CHECK(FilePieces::bytes_of_step(f.body(), 1) <= 2 * 4096);
  CHECK(FilePieces::bytes_of_step(f.body(), 1) >= f.row(f.table().data, 0).size());
  CHECK(FilePieces::bytes_of_step(f.body(), 1'000'000) == whole);
}

TEST_CASE("other nodes ask for nothing, and so does a table that is in memory already") {
  Fixture f;
  f.table().home = graph::Home::kMemory;
  FilePieces pieces;
  REQUIRE(pieces.embed_by_rows(f.body(), *f.file).ok());
  CHECK(f.table().home == graph::Home::kMemory);
  CHECK(FilePieces::bytes_of_step(f.body(), 8) == 0);
  f.cut_file();
  CHECK(f.acquire(pieces, {1}).ok());
  CHECK(pieces.acquire(f.embed + 1, belay_tensor_t{}).ok());
}

TEST_CASE("a file that got shorter is an error with its place, not a fault of the process") {
  Fixture f;
  FilePieces pieces;
  REQUIRE(pieces.embed_by_rows(f.body(), *f.file).ok());
  f.cut_file();
  const Status cut = f.acquire(pieces, {static_cast<std::int32_t>(f.table().shape[0] - 1)});
  REQUIRE_FALSE(cut.ok());
  CHECK(cut.error().message.find("file_pieces_test.gguf") != std::string::npos);
  CHECK(cut.error().message.find("the file ends before") != std::string::npos);
}
