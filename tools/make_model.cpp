// Makes GGUF models of real sizes with random weights from a fixed seed, for speed measurements and tests.
// usage: make_model --shape SHAPE --type TYPE --out FILE [--mmproj FILE]
#include "core/base/format.hpp"
#include "core/formats/gguf_writer.hpp"
#include "core/formats/quantize.hpp"
#include "core/threading/pool.hpp"
#include "host/signals.hpp"
#include "tools/model_shapes.hpp"
#include "tools/random_rows.hpp"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace belay::make_model {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{8} << 20U;  // made and written at a time
constexpr std::uint64_t kLongestRow = 8192;

struct Options {
  std::optional<ModelShape> shape;
  std::optional<WeightTypes> types;
  std::string out;
  std::string mmproj;
};

Status set_option(Options& options, std::string_view name, std::string_view value) {
  if (name == "--shape") {
    options.shape = find_shape(value);
    if (!options.shape) return fail(ErrorCode::kUsage, "no shape {}; there are {}", value, shape_names());
  } else if (name == "--type") {
    options.types = find_types(value);
    if (!options.types) return fail(ErrorCode::kUsage, "no type {}; there are {}", value, type_names());
  } else if (name == "--out") {
    options.out = value;
  } else if (name == "--mmproj") {
    options.mmproj = value;
  } else {
    return fail(ErrorCode::kUsage, "no option {}", name);
  }
  return {};
}

Result<Options> read_options(const std::vector<std::string_view>& words) {
  Options options;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    if (i + 1 == words.size()) return fail(ErrorCode::kUsage, "{} needs a value", words[i]);
    BELAY_TRY(set_option(options, words[i], words[i + 1]));
  }
  if (!options.shape || !options.types || options.out.empty()) {
    return fail(
        ErrorCode::kUsage,
        "usage: make_model --shape SHAPE --type TYPE --out FILE [--mmproj FILE]\nshapes: {}\ntypes: {}",
        shape_names(), type_names());
  }
  if (!options.mmproj.empty() && !options.shape->vision)
    return fail(ErrorCode::kUsage, "{} has no vision part; leave --mmproj out", options.shape->name);
  return options;
}

// Fills tensors with random rows on all CPUs.
class Maker {
 public:
  explicit Maker(threading::Pool& pool) : pool_(pool), random_(kLongestRow) {}

  Status write(const std::string& path, const formats::GgufWriter& writer,
               const std::vector<PlannedTensor>& tensors) {
    BELAY_TRY_ASSIGN(formats::GgufFileWriter file, formats::GgufFileWriter::begin(path, writer));
    for (const PlannedTensor& tensor : tensors) BELAY_TRY(write_tensor(file, tensor));
    return file.finish();
  }

 private:
  // Rows of a tensor that are made at a time, and where they go.
  struct Piece {
    Maker* maker;
    const PlannedTensor* tensor;
    std::uint64_t row_elems;
    std::uint64_t row_bytes;
    std::uint64_t first_row;  // of the whole model: no two rows are equal
    std::vector<std::byte> bytes;
    Status status;  // of the first row that failed
    std::mutex mutex;
  };

  Status write_tensor(formats::GgufFileWriter& file, const PlannedTensor& tensor) {
    Piece piece = {this, &tensor, tensor.shape.back(), 0, 0, {}, {}, {}};
    piece.row_bytes = row_bytes(tensor.dtype, piece.row_elems).value_or(1);
    std::uint64_t rows = 1;
    for (std::size_t i = 0; i + 1 < tensor.shape.size(); ++i) rows *= tensor.shape[i];
    while (rows > 0) {
      if (host::interrupted()) return Error{ErrorCode::kInterrupted, "interrupted"};
      const std::uint64_t count = std::min(rows, std::max<std::uint64_t>(kPieceBytes / piece.row_bytes, 1));
      piece.first_row = rows_made_;
      piece.bytes.resize(count * piece.row_bytes);
      pool_.parallel_for(count, 16, &Maker::make_rows, &piece);
      BELAY_TRY(std::move(piece.status));
      BELAY_TRY(file.append(tensor.name, piece.bytes));
      rows_made_ += count;
      rows -= count;
    }
    return {};
  }

  static void make_rows(void* user, std::uint64_t begin, std::uint64_t end, std::uint32_t /*worker*/) {
    Piece& piece = *static_cast<Piece*>(user);
    std::vector<float> values(piece.row_elems);
    for (std::uint64_t row = begin; row < end; ++row) {
      piece.maker->random_.fill(piece.first_row + row, piece.tensor->mean, piece.tensor->spread, values);
      const auto bytes = std::span(piece.bytes).subspan(row * piece.row_bytes, piece.row_bytes);
      Status status = formats::quantize_row(piece.tensor->dtype, values, bytes, row);
      if (status.ok()) continue;
      const std::lock_guard lock(piece.mutex);
      piece.status = std::move(status);
    }
  }

  threading::Pool& pool_;
  RandomRows random_;
  std::uint64_t rows_made_ = 0;
};

Status declare(formats::GgufWriter& writer, const std::vector<PlannedTensor>& tensors) {
  for (const PlannedTensor& tensor : tensors)
    BELAY_TRY(writer.declare_tensor(tensor.name, tensor.dtype, tensor.shape));
  return {};
}

Status make(const Options& options) {
  threading::PoolOptions threads;
  threads.threads = std::max(1U, std::thread::hardware_concurrency());
  threads.pin = false;
  threading::Pool pool(threads);
  Maker maker(pool);
  const std::vector<PlannedTensor> text = text_tensors(options.shape->text, *options.types);
  formats::GgufWriter writer;
  add_text_keys(writer, *options.shape, *options.types);
  BELAY_TRY(declare(writer, text));
  BELAY_TRY(maker.write(options.out, writer, text));
  if (options.mmproj.empty()) return {};
  const std::vector<PlannedTensor> vision = vision_tensors(*options.shape->vision);
  formats::GgufWriter vision_writer;
  add_vision_keys(vision_writer, *options.shape->vision);
  BELAY_TRY(declare(vision_writer, vision));
  return maker.write(options.mmproj, vision_writer, vision);
}

Status run(const std::vector<std::string_view>& words) {
  BELAY_TRY_ASSIGN(const Options options, read_options(words));
  return make(options);
}

}  // namespace
}  // namespace belay::make_model

int main(int count, char** words) {
  belay::host::install_signals();
  const belay::Status status = belay::make_model::run({words + 1, words + count});
  if (status.ok()) return 0;
  std::fprintf(stderr, "make_model: %s\n", status.error().message.c_str());
  return status.error().code == belay::ErrorCode::kUsage ? 2 : 1;
}
