// What the options mean: texts checked and turned into values, once, with messages that name the option and
// its source.
#pragma once

#include "core/base/status.hpp"
#include "core/images/image.hpp"
#include "core/manifest/manifest.hpp"
#include "host/options.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace belay::host {

// An option as an integer in [least, most].
struct IntegerOption {
  const char* name;
  std::uint64_t least;
  std::uint64_t most;
};
[[nodiscard]] Result<std::optional<std::uint64_t>> read_integer(const Options& options,
                                                                const IntegerOption& option);
[[nodiscard]] Result<std::optional<double>> read_number(const Options& options, const char* name);
// An integer with an optional K, M or G (powers of 1024).
[[nodiscard]] Result<std::optional<std::uint64_t>> read_size(const Options& options, const char* name);
// "640x480", width first, as the size of an image that Belay would read.
[[nodiscard]] Result<std::optional<images::Size>> read_image_size(const Options& options, const char* name);
// "a,b" as {"a", "b"}; empty parts are an error.
[[nodiscard]] Result<std::vector<std::string>> read_list(const Options& options, const char* name);

// A file to be written at the end; nothing without the option. kUsage now, not after the work, when it is
// something else than a file or its folder does not exist.
[[nodiscard]] Result<std::optional<std::filesystem::path>> read_output_path(const Options& options,
                                                                            const char* name);

// What every command that plans needs. Policy proper goes to the resolver.
struct CommonSettings {
  bool json = false;
  bool verbose = false;
  bool strict = false;
  bool strict_manifests = false;
  bool require_signatures = false;
  bool use_cache = true;
  manifest::Level level = manifest::Level::kModerate;
  std::string objective = "latency";
  std::string balance = "compute";
  std::vector<std::string> plugins;  // empty: all
  std::vector<std::string> hidden_features;
  std::vector<std::filesystem::path> plugin_dirs;
  std::optional<std::filesystem::path> manifests;
  std::optional<std::filesystem::path> hardware;
  std::optional<std::filesystem::path> model;
  std::optional<std::filesystem::path> mmproj;
  std::optional<DType> quantize;  // a Hugging Face model while it is read
  std::optional<std::uint64_t> memory_limit;
  std::optional<std::uint64_t> threads;
  std::optional<std::uint64_t> context;
  std::optional<double> deadline_s;
  std::map<std::string, std::string, std::less<>> plugin_options;  // "id.key" to value
};

[[nodiscard]] Result<CommonSettings> read_common(const Options& options);

}  // namespace belay::host
