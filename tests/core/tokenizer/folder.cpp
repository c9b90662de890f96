#include "tests/core/tokenizer/folder.hpp"

#include "tests/support/doctest.hpp"

#include <unistd.h>

#include <fstream>
#include <string>

namespace belay::test {

Folder::Folder()
    : path_(std::filesystem::temp_directory_path() / ("belay_tokenizer_" + std::to_string(::getpid()))) {
  std::filesystem::create_directories(path_);
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void Folder::write(std::string_view name, std::string_view text) const {
  std::ofstream(path_ / name, std::ios::binary) << text;
  REQUIRE(std::filesystem::file_size(path_ / name) == text.size());
}

}  // namespace belay::test
