#include "core/base/passing_pages.hpp"

#include "core/base/mapped_file.hpp"
#include "tests/support/doctest.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

using namespace belay;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::size_t kBytes = std::size_t{64} << 20U;

// Of this process, in bytes: what lies in memory of the files that it maps.
std::size_t resident_of_files() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssFile:")) return std::stoull(line.substr(8)) << 10U;
  }
  return 0;
}

unsigned read_all(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 512) sum += std::to_integer<unsigned>(bytes[i]);
  return sum;
}

}  // namespace

TEST_CASE("while it lives what was read is given back, and the bytes stay what they are") {
  const std::filesystem::path path = "passing_pages_test.data";
  std::ofstream(path, std::ios::binary) << std::string(kBytes, 'x');
  auto file = MappedFile::open(path);
  REQUIRE(file.ok());
  const std::size_t before = resident_of_files();
  const unsigned sum = read_all(file->bytes());
  REQUIRE(resident_of_files() > before + kBytes / 2);
  {
    const PassingPages passing(file->bytes());
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (resident_of_files() > before + kBytes / 4 && std::chrono::steady_clock::now() < patience) {
    }
    CHECK(resident_of_files() <= before + kBytes / 4);
    CHECK(read_all(file->bytes()) == sum);
  }
  CHECK(resident_of_files() <= before + kBytes / 4);
  std::filesystem::remove(path);
}
