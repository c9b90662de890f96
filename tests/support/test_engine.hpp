// A model run through real plugins of the build, by the core alone: what the program does, without its
// command line.
#pragma once

#include "core/hardware/profile.hpp"
#include "core/registry/registry.hpp"
#include "core/resolver/policy.hpp"
#include "core/runtime/assembly.hpp"
#include "core/runtime/session.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace belay::test {

struct EngineSpec {
  std::filesystem::path model;
  std::optional<std::filesystem::path> mmproj = {};
  std::optional<DType> quantize = {};
  std::vector<std::string> plugins = {};  // empty: all that this machine can run
  manifest::Level level = manifest::Level::kMinimal;
  resolver::Balance balance = resolver::Balance::kCompute;
  std::vector<std::filesystem::path> further_folders = {};  // of plugins
  dispatch::DispatchOptions dispatch = {};
  std::map<std::string, std::string, std::less<>> plugin_options = {};
  std::uint32_t threads = 2;
  std::uint64_t context = 0;
  std::optional<std::uint64_t> memory_limit = {};  // beyond what the process holds already
  runtime::Engine::Relief relief = {};
  std::filesystem::path spill_folder = {};  // empty: one of the tests
  std::vector<hardware::Gpu> gpus = {};     // that this machine is taken to have
  std::vector<std::string> child_environment = {};
  runtime::MakingOptions making = {};
};

class TestEngine {
 public:
  // Fails the test case when anything on the way does.
  explicit TestEngine(const EngineSpec& spec);
  // What generate() gives in an engine of its own, where anything on the way may fail.
  [[nodiscard]] static Result<std::vector<std::int32_t>> try_generate(const EngineSpec& spec,
                                                                      std::vector<std::int32_t> prompt,
                                                                      std::uint64_t count);

  [[nodiscard]] runtime::Session& session() { return *session_; }
  [[nodiscard]] runtime::Assembly& assembly() { return *assembly_; }

  // Greedy tokens behind a prompt; end tokens do not end it.
  [[nodiscard]] std::vector<std::int32_t> generate(std::vector<std::int32_t> prompt, std::uint64_t count);
  // The logits behind every one of the tokens, from an empty cache.
  [[nodiscard]] std::vector<std::vector<float>> logits(const std::vector<std::int32_t>& tokens);

 private:
  TestEngine() = default;
  Status start(const EngineSpec& spec);
  [[nodiscard]] Result<std::vector<std::int32_t>> tokens(std::vector<std::int32_t> prompt,
                                                         std::uint64_t count);

  runtime::Stop stop_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<runtime::Assembly> assembly_;
  std::unique_ptr<runtime::Session> session_;
};

// Plugins of the build that this machine can run, of those asked for.
[[nodiscard]] std::vector<std::string> usable_plugins(const std::vector<std::string>& wanted);

// The file of SmolLM2, or nothing: tests then say that they were skipped.
[[nodiscard]] std::optional<std::filesystem::path> smollm2();

}  // namespace belay::test
