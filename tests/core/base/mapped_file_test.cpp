#include "core/base/mapped_file.hpp"

#include "core/base/format.hpp"
#include "tests/support/doctest.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

using belay::ErrorCode;
using belay::MappedFile;
using belay::read_file;
namespace fs = std::filesystem;

namespace {

// A file with the given text, removed at the end of the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) { std::ofstream(path_) << text; }
  ~TemporaryFile() { fs::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_ = fs::temp_directory_path() / belay::format("belay_mapped_{}.bin", ::getpid());
};

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

}  // namespace

TEST_CASE("the bytes of a file, also after a move and after the name is gone") {
  auto file = std::make_unique<TemporaryFile>("0123456789");
  auto mapped = MappedFile::open(file->path());
  REQUIRE(mapped.ok());
  CHECK(text_of(*mapped) == "0123456789");
  MappedFile moved = *std::move(mapped);
  file.reset();
  CHECK(text_of(moved) == "0123456789");
  moved = MappedFile();
  CHECK(moved.bytes().empty());
}

TEST_CASE("an empty file is an empty span") {
  const TemporaryFile file("");
  const auto mapped = MappedFile::open(file.path());
  REQUIRE(mapped.ok());
  CHECK(mapped->bytes().empty());
}

TEST_CASE("what is not a regular file is refused, with its name") {
  for (const char* path : {"/nonexistent/file", "/", "/dev/zero"}) {
    const auto mapped = MappedFile::open(path, ErrorCode::kUsage);
    REQUIRE(!mapped.ok());
    CHECK(mapped.error().code == ErrorCode::kUsage);
    CHECK(mapped.error().message.find(path) == 0);
  }
}

TEST_CASE("read_file: at most what is allowed, also of a file without an end") {
  const TemporaryFile file("0123456789");
  CHECK(*read_file(file.path(), 10) == "0123456789");
  CHECK(!read_file(file.path(), 9).ok());
  CHECK(!read_file("/dev/zero", 1000).ok());
  CHECK(!read_file("/nonexistent/file", 1000).ok());
  CHECK(read_file("/proc/self/status", 1U << 20U)->find("Name:") == 0);  // its size is told as 0
}
