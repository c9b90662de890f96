#include "core/formats/safetensors_folder.hpp"

#include "core/formats/safetensors_index.hpp"
#include "core/formats/safetensors_writer.hpp"
#include "tests/core/formats/allocations.hpp"
#include "tests/core/formats/temporary_folder.hpp"
#include "tests/support/doctest.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace belay::formats {

namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

void write_text(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// A file with one F32 value a tensor: 0, 1, 2...
void write_shard(const fs::path& path, std::initializer_list<std::string_view> tensors) {
  fs::create_directories(path.parent_path());
  SafetensorsWriter writer;
  float value = 0;
  for (const std::string_view name : tensors) {
    REQUIRE(writer.add(name, std::array<std::uint64_t, 1>{1}, std::span<const float>(&value, 1)).ok());
    value += 1;
  }
  REQUIRE(writer.write(path).ok());
}

constexpr std::string_view kTwoShards =
    R"({"metadata":{"total_size":12,"list":[1,{"deep":null}]},"weight_map":{"a":"one.safetensors",)"
    R"("c":"two.safetensors","b":"one.safetensors"}})";

// A model in two files, as huggingface_hub downloads it into a plain folder.
void write_model(const fs::path& folder) {
  write_shard(folder / "one.safetensors", {"a", "b"});
  write_shard(folder / "two.safetensors", {"c"});
  write_text(folder / "model.safetensors.index.json", kTwoShards);
}

std::string refusal(const fs::path& folder) {
  const auto opened = SafetensorsFolder::open(folder);
  if (opened.ok()) return "(accepted)";
  CHECK(opened.error().code == ErrorCode::kBadInput);
  return opened.error().message;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string index_refusal(std::string_view text) {
  const auto index = parse_safetensors_index(text, "x.json");
  if (index.ok()) return "(accepted)";
  CHECK(index.error().message.starts_with("x.json: not an index of safetensors files: "));
  return index.error().message;
}

}  // namespace

TEST_CASE("a folder with one file gives its tensors") {
  const TemporaryFolder folder;
  write_shard(folder.path() / "model.safetensors", {"b", "a"});
  const auto opened = SafetensorsFolder::open(folder.path());
  REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? "" : opened.error().message));
  CHECK(opened->tensors().size() == 2);
  CHECK(opened->tensors()[0].name == "a");
  CHECK(opened->file_bytes() == fs::file_size(folder.path() / "model.safetensors"));
  CHECK(opened->find("c") == nullptr);
}

TEST_CASE("a folder with an index gives the tensors of all its files, sorted, wherever the object moves") {
  const TemporaryFolder folder;
  write_model(folder.path());
  auto first = SafetensorsFolder::open(folder.path());
  REQUIRE_MESSAGE(first.ok(), (first.ok() ? "" : first.error().message));
  const SafetensorsFolder opened = *std::move(first);
  std::string names;
  for (const TensorView& tensor : opened.tensors()) names += tensor.name;
  CHECK(names == "abc");
  float value = -1;
  std::memcpy(&value, opened.find("b")->data.data(), sizeof value);
  CHECK(value == 1);
  CHECK(opened.file_bytes() ==
        fs::file_size(folder.path() / "one.safetensors") + fs::file_size(folder.path() / "two.safetensors"));
}

TEST_CASE("a snapshot of the Hugging Face cache opens through its links") {
  const TemporaryFolder cache;
  const fs::path model = cache.path() / "models--a--b";
  const fs::path snapshot = model / "snapshots" / "0123";
  write_model(model / "blobs");
  fs::create_directories(snapshot);
  for (const char* name : {"one.safetensors", "two.safetensors", "model.safetensors.index.json"})
    fs::create_symlink(fs::path("../../blobs") / name, snapshot / name);
  CHECK(refusal(snapshot) == "(accepted)");
  fs::create_directory_symlink(snapshot, cache.path() / "shortcut");  // the user's own link to the folder
  CHECK(refusal(cache.path() / "shortcut") == "(accepted)");
  fs::rename(model / "blobs" / "two.safetensors", model / "two.safetensors");
  CHECK(contains(refusal(snapshot), "two.safetensors: leads to no file"));
  fs::remove(snapshot / "two.safetensors");
  fs::create_symlink("../../two.safetensors", snapshot / "two.safetensors");
  CHECK(contains(refusal(snapshot), "two.safetensors: leads out of the folder, to "));
}

TEST_CASE("links are followed inside the folder and not out of it") {
  const TemporaryFolder folder;
  const fs::path model = folder.path() / "model";
  write_model(model);
  fs::rename(model / "two.safetensors", model / "other.safetensors");
  fs::create_symlink("other.safetensors", model / "two.safetensors");
  CHECK(refusal(model) == "(accepted)");
  fs::rename(model / "other.safetensors", folder.path() / "blobs.safetensors");
  fs::remove(model / "two.safetensors");
  fs::create_symlink(folder.path() / "blobs.safetensors", model / "two.safetensors");
  CHECK(contains(refusal(model), "two.safetensors: leads out of the folder, to "));
  fs::rename(model / "model.safetensors.index.json", folder.path() / "index");
  fs::create_symlink("../index", model / "model.safetensors.index.json");
  CHECK(contains(refusal(model), "model.safetensors.index.json: leads out of the folder, to "));
}

TEST_CASE("folders without one of the two forms say what is read") {
  const TemporaryFolder folder;
  CHECK(contains(refusal(folder.path() / "none"), "none: not a folder with a model"));
  CHECK(contains(refusal(folder.path()), "has neither model.safetensors nor model.safetensors.index.json"));
  write_text(folder.path() / "pytorch_model.bin", "PK");
  CHECK(contains(refusal(folder.path()), "only safetensors is read"));
  write_model(folder.path());
  CHECK(refusal(folder.path()) == "(accepted)");
  write_shard(folder.path() / "model.safetensors", {"a"});
  CHECK(contains(refusal(folder.path()), "has both model.safetensors and model.safetensors.index.json"));
}

TEST_CASE("files that do not fit the index are refused by file and tensor") {
  const TemporaryFolder folder;
  const fs::path two = folder.path() / "two.safetensors";
  write_model(folder.path());
  write_shard(two, {"d"});
  CHECK(contains(refusal(folder.path()),
                 "two.safetensors: lacks the tensor 'c' that model.safetensors.index.json says"));
  write_shard(two, {"c", "a"});
  CHECK(contains(refusal(folder.path()), "the tensor 'a' is in one.safetensors and in two.safetensors"));
  write_text(two, "PK not what it says");
  CHECK(contains(refusal(folder.path()), "two.safetensors: "));
  CHECK(contains(refusal(folder.path()), "not a safetensors file"));
  fs::remove(two);
  CHECK(contains(refusal(folder.path()), "two.safetensors: is missing"));
  fs::create_directory(two);
  CHECK(contains(refusal(folder.path()), "not a regular file"));
}

TEST_CASE("names in an index stay plain names of files in the folder") {
  for (const char* name :
       {"../x.safetensors", "/etc/x.safetensors", "a/b.safetensors", "..", ".x.safetensors", "", ".", "x.bin",
        "..\\\\x.safetensors", "x\\u0000.safetensors", "x\\n.safetensors"}) {
    const std::string text = std::string(R"({"weight_map":{"t":")") + name + "\"}}";
    CHECK_MESSAGE(contains(index_refusal(text), "tensor 't' is said to be in "), name);
  }
  const std::string long_name = std::string(256 - 12, 'x') + ".safetensors";
  CHECK(contains(index_refusal(R"({"weight_map":{"t":")" + long_name + "\"}}"), "no plain name"));
}

TEST_CASE("texts that are no index are refused with the reason") {
  struct Row {
    std::string text;
    std::string_view reason;
  };
  const std::string map = R"("weight_map":{"t":"x.safetensors"})";
  const std::vector<Row> rows = {
      {"", "no valid JSON"},
      {"[]", "it is no object"},
      {"3", "it is no object"},
      {"{}", "it has no weight_map"},
      {R"({"other":{"weight_map":{"t":"x.safetensors"}}})", "it has no weight_map"},
      {R"({"weight_map":{}})", "its weight_map is empty"},
      {R"({"weight_map":[]})", "weight_map is no object"},
      {R"({"weight_map":"x.safetensors"})", "weight_map is no object"},
      {R"({"weight_map":{"t":1}})", "weight_map gives no file name for tensor 't'"},
      {R"({"weight_map":{"t":{}}})", "weight_map gives no file name for tensor 't'"},
      {R"({"weight_map":{"t":[]}})", "weight_map gives no file name for tensor 't'"},
      {R"({"weight_map":{"t":null}})", "weight_map gives no file name for tensor 't'"},
      {R"({"weight_map":{"":"x.safetensors"}})", "a tensor name of 0 bytes"},
      {R"({"weight_map":{")" + std::string(1025, 'n') + R"(":"x.safetensors"}})",
       "a tensor name of 1025 bytes"},
      {R"({"weight_map":{"t":"x.safetensors","t":"y.safetensors"}})", "tensor 't' occurs twice"},
      {"{" + map + "," + map + "}", "weight_map occurs twice"},
      {"{" + map + "} {}", "no valid JSON"},
      {"{" + map + ",\"x\":\"\xFF\"}", "no valid JSON"},
      {"{" + map + ",\"x\":" + std::string(100000, '[') + "}", "nested more than 16 levels deep"},
      {"{" + map + "}" + std::string(kMaxIndexBytes, ' '), "at most 67108864 are read"},
  };
  for (const Row& row : rows)
    CHECK_MESSAGE(contains(index_refusal(row.text), row.reason), row.text.substr(0, 80), ": ",
                  index_refusal(row.text));
  CHECK(index_refusal("{\"more\":[{\"weight_map\":3},true,-1,2.5]," + map + "}") == "(accepted)");
}

TEST_CASE("an index of 200 000 tensors costs little more than its text; too many files are refused") {
  std::string text = R"({"weight_map":{)";
  for (int i = 0; i < 200'000; ++i)
    text +=
        "\"model.layers." + std::to_string(i) + "\":\"model-" + std::to_string(i % 50) + ".safetensors\",";
  text.back() = '}';
  text += '}';
  test::reset_allocated_bytes();
  const auto index = parse_safetensors_index(text, "x.json");
  REQUIRE(index.ok());
  CHECK(test::allocated_bytes() < 8 * text.size());
  CHECK(index->entries.size() == 200'000);
  CHECK(index->shards.size() == 50);
  text = R"({"weight_map":{)";
  for (int i = 0; i <= 4096; ++i)
    text += "\"t" + std::to_string(i) + "\":\"" + std::to_string(i) + ".safetensors\",";
  text.back() = '}';
  CHECK(contains(index_refusal(text + "}"), "more than 4096 files"));
}

}  // namespace belay::formats
