#include "tests/core/registry/support.hpp"

#include "core/base/format.hpp"
#include "core/manifest/parse.hpp"
#include "tests/support/doctest.hpp"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace belay::registry::test {

namespace fs = std::filesystem;

TempDir::TempDir() {
  std::string name = (fs::temp_directory_path() / "belay-registry-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = fs::canonical(name);
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<std::byte> bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  REQUIRE_MESSAGE(in.good(), file.string());
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void write(const fs::path& file, std::span<const std::byte> bytes) {
  write(file, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void write(const fs::path& file, std::string_view text) {
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  REQUIRE_MESSAGE(out.good(), file.string());
}

fs::path built(std::string_view id) { return fs::path(BELAY_TEST_PLUGINS) / id; }

fs::path library_of(const fs::path& folder, std::string_view id) {
  return folder / format("libbelay_{}.so", id);
}

void install(std::string_view id, const fs::path& folder) {
  fs::create_directories(folder);
  for (const auto& file : {library_of(built(id), id), built(id) / format("{}.toml", id)}) {
    fs::copy_file(file, folder / file.filename(), fs::copy_options::overwrite_existing);
    fs::permissions(folder / file.filename(), fs::perms::group_write | fs::perms::others_write,
                    fs::perm_options::remove);
  }
}

manifest::Manifest manifest_of(std::string_view id) {
  auto parsed = manifest::load_manifest(built(id) / format("{}.toml", id));
  REQUIRE(parsed.manifest.has_value());
  REQUIRE_FALSE(parsed.refusal.has_value());
  return *std::move(parsed.manifest);
}

TrustPolicy make_foreign(const fs::path& path) {
  constexpr uid_t kSomebody = 54321;
  TrustPolicy policy = trust_current_user();
  if (::geteuid() == 0) {
    REQUIRE(::lchown(path.c_str(), kSomebody, kSomebody) == 0);
  } else {
    policy.user += 1;
  }
  return policy;
}

hardware::Profile profile() {
  hardware::Profile machine;
  machine.cpu.arch = "x86_64";
  machine.cpu.model = "a CPU for tests";
  machine.cpu.isa = std::vector<std::string>{"sse2"};
  return machine;
}

// A sanitizer in the child must leave signals to their default, which is what a probe looks at.
SelfLauncher launcher() {
  return {.prefix = {},
          .program = BELAY_TEST_PROBE_HOST,
          .environment = {
              "ASAN_OPTIONS=handle_segv=0:handle_sigbus=0:handle_sigill=0:handle_abort=0:handle_sigfpe=0",
              "TSAN_OPTIONS=handle_segv=0:handle_sigbus=0:handle_sigill=0:handle_abort=0:handle_sigfpe=0"}};
}

RegistryOptions options(const fs::path& folder) {
  RegistryOptions made;
  made.search.folders.push_back({folder, Origin::kGiven});
  made.profile = profile();
  made.launcher = launcher();
  return made;
}

std::string code(const Objection& objection) {
  return format("{}/{}", to_string(objection.stage), objection.reason);
}
std::string code(const Refusal& refusal) { return format("{}/{}", to_string(refusal.stage), refusal.reason); }

std::string verdict_on(const RegistryOptions& options) {
  auto registry = Registry::create(options);
  REQUIRE_MESSAGE(registry.ok(), (registry.ok() ? "" : registry.error().message));
  REQUIRE(registry->usable().size() + registry->refused().size() == 1);
  if (!registry->usable().empty()) return "usable";
  const Refusal& refusal = registry->refused().front().refusal;
  INFO(refusal.detail);
  CHECK_FALSE(refusal.detail.empty());
  return code(refusal);
}

}  // namespace belay::registry::test
