// The file that is written piece by piece, and what happens when it cannot be. That what the writer makes can
// be read is in gguf_test.cpp and tiny_model_test.cpp.
#include "core/formats/gguf_writer.hpp"

#include "core/base/mapped_file.hpp"
#include "core/formats/gguf.hpp"
#include "tests/core/formats/allocations.hpp"
#include "tests/core/formats/small_disk.hpp"
#include "tests/core/formats/temporary_folder.hpp"
#include "tests/support/doctest.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace belay::formats {
using test::TemporaryFolder;

namespace {

namespace fs = std::filesystem;
using Shape = std::vector<std::uint64_t>;

// "a" has 5 floats, "b" two rows of one Q8_0 block, so that both need padding.
const std::vector<std::byte> kBytesOfA(20, std::byte{0xA});
const std::vector<std::byte> kBytesOfB(68, std::byte{0xB});

void describe(GgufWriter& writer) {
  writer.add_string("general.architecture", "test");
  writer.add_bools("flags", {true, false, true});
  REQUIRE(writer.declare_tensor("a", DType::kF32, Shape{5}).ok());
  REQUIRE(writer.declare_tensor("b", DType::kQ8_0, Shape{2, 32}).ok());
}

GgufFileWriter begun(const fs::path& path) {
  GgufWriter writer;
  describe(writer);
  auto file = GgufFileWriter::begin(path, writer);
  REQUIRE_MESSAGE(file.ok(), (file.ok() ? "" : file.error().message));
  return *std::move(file);
}

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

std::string text_of(const fs::path& path) {
  const auto text = read_file(path, 1U << 20U);
  return text.ok() ? *text : text.error().message;
}

std::string message(const Status& status) { return status.ok() ? "(ok)" : status.error().message; }

}  // namespace

TEST_CASE("a file written tensor by tensor has the bytes of the one made in memory") {
  for (const std::uint32_t alignment : {8U, 32U, 65536U}) {
    const TemporaryFolder folder;
    GgufWriter declared(alignment);
    GgufWriter whole(alignment);
    for (GgufWriter* writer : {&declared, &whole}) writer->add_u32("n", 7);
    REQUIRE(declared.declare_tensor("a", DType::kF32, Shape{5}).ok());
    REQUIRE(declared.declare_tensor("b", DType::kQ8_0, Shape{2, 32}).ok());
    REQUIRE(whole.add_tensor("a", DType::kF32, Shape{5}, kBytesOfA).ok());
    REQUIRE(whole.add_tensor("b", DType::kQ8_0, Shape{2, 32}, kBytesOfB).ok());
    auto file = GgufFileWriter::begin(folder.path() / "m.gguf", declared);
    REQUIRE(file.ok());
    REQUIRE(file->append("a", kBytesOfA).ok());
    REQUIRE(file->append("b", std::span(kBytesOfB).first(33)).ok());  // in parts
    REQUIRE(file->append("b", std::span(kBytesOfB).subspan(33)).ok());
    REQUIRE(file->finish().ok());
    const auto written = MappedFile::open(folder.path() / "m.gguf");
    REQUIRE(written.ok());
    CHECK(std::ranges::equal(written->bytes(), whole.to_bytes()));
  }
}

TEST_CASE("a finished file is read back, and is the only one in its folder") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "m.gguf";
  std::ofstream(path) << "what was there before";
  GgufFileWriter file = begun(path);
  REQUIRE(file.append("a", kBytesOfA).ok());
  CHECK(text_of(path) == "what was there before");
  REQUIRE(file.append("b", kBytesOfB).ok());
  REQUIRE(file.finish().ok());
  const auto read = GgufFile::open(path);
  REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : read.error().message));
  CHECK(*read->get_bools("flags") == std::vector<bool>{true, false, true});
  CHECK(std::ranges::equal(read->find("a")->data, kBytesOfA));
  CHECK(std::ranges::equal(read->find("b")->data, kBytesOfB));
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a file that is not finished leaves nothing behind and what was there untouched") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "m.gguf";
  {
    GgufFileWriter file = begun(path);
    REQUIRE(file.append("a", kBytesOfA).ok());
    CHECK(files_in(folder.path()) == 1);  // the temporary one
  }
  CHECK(files_in(folder.path()) == 0);
  std::ofstream(path) << "old";
  {
    GgufFileWriter first = begun(path);
    GgufFileWriter moved = std::move(first);
    REQUIRE(moved.append("a", kBytesOfA).ok());
  }
  CHECK(files_in(folder.path()) == 1);
  CHECK(text_of(path) == "old");
}

TEST_CASE("tensors out of order, too long, unknown or missing are refused by name") {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "m.gguf").string();
  GgufFileWriter file = begun(path);
  CHECK(message(file.append("b", kBytesOfB)) ==
        path + ": 68 bytes of tensor 'b' where 20 bytes of tensor 'a' belong");
  CHECK(message(file.append("a", kBytesOfB)) ==
        path + ": 68 bytes of tensor 'a' where 20 bytes of tensor 'a' belong");
  REQUIRE(file.append("a", std::span(kBytesOfA).first(19)).ok());
  CHECK(message(file.append("b", kBytesOfB)) ==
        path + ": 68 bytes of tensor 'b' where 1 bytes of tensor 'a' belong");
  CHECK(message(file.finish()) == path + ": ends where 1 bytes of tensor 'a' belong");
  REQUIRE(file.append("a", std::span(kBytesOfA).first(1)).ok());
  CHECK(message(file.append("a", std::span(kBytesOfA).first(1)))
            .ends_with("where 68 bytes of tensor 'b' belong"));
  CHECK(message(file.finish()).ends_with("ends where 68 bytes of tensor 'b' belong"));
  REQUIRE(file.append("b", kBytesOfB).ok());
  CHECK(message(file.append("b", kBytesOfB)).ends_with("where no more bytes belong"));
  CHECK(file.finish().ok());
}

TEST_CASE("shapes that no GGUF tensor has are refused when they are declared") {
  GgufWriter writer;
  CHECK_FALSE(writer.declare_tensor("t", DType::kI64, Shape{4}).ok());
  CHECK_FALSE(writer.declare_tensor("t", DType::kQ4_0, Shape{4, 31}).ok());
  CHECK_FALSE(writer.declare_tensor("t", DType::kF32, Shape{}).ok());
  CHECK_FALSE(writer.declare_tensor("t", DType::kF32, Shape{1, 1, 1, 1, 1}).ok());
  CHECK_FALSE(writer.declare_tensor("t", DType::kF32, Shape{0, 4}).ok());
  CHECK_FALSE(writer.declare_tensor("t", DType::kF32, Shape{1ULL << 62U, 1ULL << 62U}).ok());
  CHECK_FALSE(writer.add_tensor("t", DType::kF32, Shape{4}, kBytesOfA).ok());
  const auto file = GgufFile::parse(writer.to_bytes(), "x");
  REQUIRE(file.ok());
  CHECK(file->tensors().empty());  // the refused ones left nothing
}

TEST_CASE("writing a large file takes memory for its description only") {
  const TemporaryFolder folder;
  GgufWriter writer;
  const std::vector<std::byte> row(1U << 20U);
  for (int i = 0; i < 64; ++i)
    REQUIRE(writer.declare_tensor(std::to_string(i), DType::kF32, Shape{row.size() / 4}).ok());
  test::reset_allocated_bytes();
  auto file = GgufFileWriter::begin(folder.path() / "m.gguf", writer);
  REQUIRE(file.ok());
  for (int i = 0; i < 64; ++i) REQUIRE(file->append(std::to_string(i), row).ok());
  REQUIRE(file->finish().ok());
  CHECK(test::allocated_bytes() < 65'536);
  CHECK(fs::file_size(folder.path() / "m.gguf") > 64 * row.size());
}

TEST_CASE("a folder that is not there, or a target that is one, is an error that names the path") {
  const TemporaryFolder folder;
  GgufWriter writer;
  const auto nowhere = GgufFileWriter::begin(folder.path() / "none" / "m.gguf", writer);
  REQUIRE_FALSE(nowhere.ok());
  CHECK(nowhere.error().code == ErrorCode::kUsage);
  CHECK(nowhere.error().message.find("none/m.gguf: cannot create a file beside it: ") != std::string::npos);
  fs::create_directory(folder.path() / "m.gguf");
  {
    GgufFileWriter file = begun(folder.path() / "m.gguf");
    REQUIRE(file.append("a", kBytesOfA).ok());
    REQUIRE(file.append("b", kBytesOfB).ok());
    CHECK(message(file.finish()).find("m.gguf: cannot rename the finished file: ") != std::string::npos);
  }
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a disk without room for the file is an error before its first tensor") {
  const auto said = test::on_small_disk(262'144, [](const fs::path& disk) {
    GgufWriter writer;
    if (!writer.declare_tensor("t", DType::kF32, Shape{1U << 18U}).ok()) return std::string("not declared");
    const auto file = GgufFileWriter::begin(disk / "m.gguf", writer);
    if (file.ok()) return std::string("(accepted)");
    return std::string(to_string(file.error().code)) + " " + file.error().message + " " +
           std::to_string(files_in(disk));
  });
  if (!said) {
    MESSAGE("skipped: no small disk can be mounted here");
    return;
  }
  CHECK_MESSAGE(said->starts_with("OUT_OF_MEMORY "), *said);
  CHECK_MESSAGE(
      said->find("m.gguf: no room for its 1048640 bytes: No space left on device 0") != std::string::npos,
      *said);
}

TEST_CASE("a disk that fills up while a file is written is an error and leaves nothing") {
  const auto said = test::on_small_disk(262'144, [](const fs::path& disk) {
    const std::vector<std::byte> block(100'000);
    const std::vector<std::span<const std::byte>> pieces(5, block);
    const Status status = replace_file(disk / "f", pieces);
    return message(status) + " " + (status.ok() ? "" : to_string(status.error().code)) + " " +
           std::to_string(files_in(disk));
  });
  if (!said) {
    MESSAGE("skipped: no small disk can be mounted here");
    return;
  }
  CHECK_MESSAGE(said->find("f: cannot write: No space left on device OUT_OF_MEMORY 0") != std::string::npos,
                *said);
}

TEST_CASE("a write that the system cuts short is continued, and its failure reported") {
  const TemporaryFolder folder;
  rlimit before = {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit limit = {100'000, before.rlim_max};
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  const std::vector<std::byte> block(70'000);
  const std::vector<std::span<const std::byte>> pieces(2, block);
  const Status status = replace_file(folder.path() / "f", pieces);  // the second write stops at 100 000
  const bool restored = ::setrlimit(RLIMIT_FSIZE, &before) == 0;
  std::signal(SIGXFSZ, old_handler);
  CHECK(restored);
  CHECK(message(status).find("f: cannot write: File too large") != std::string::npos);
  CHECK(files_in(folder.path()) == 0);
}

}  // namespace belay::formats
