// Only trusted code is loaded: each way to put other code in a plugin's place, and the refusal that it meets.
// The cases go through the whole registry unless they are about one function.
#include "core/registry/trust.hpp"

#include "core/base/format.hpp"
#include "core/base/sha256.hpp"
#include "core/registry/library.hpp"
#include "core/registry/verify.hpp"
#include "tests/core/registry/support.hpp"
#include "tests/support/doctest.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <fstream>
#include <functional>

namespace belay::registry::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kId = "test_good";

// An installed good plugin, to be tampered with.
struct Installed {
  TempDir temp;
  fs::path folder = temp.path() / "plugins";
  fs::path library = library_of(folder, kId);
  fs::path manifest = folder / format("{}.toml", kId);

  Installed() { install(kId, folder); }

  [[nodiscard]] std::string verdict() const { return verdict_on(options(folder)); }
  [[nodiscard]] std::string verdict(const TrustPolicy& policy) const {
    auto how = options(folder);
    how.trust = policy;
    return verdict_on(how);
  }
  // Puts `to` in place of `from` in the manifest.
  void edit(const std::string& from, const std::string& to) const {
    const auto bytes = bytes_of(manifest);
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    write(manifest, text.replace(at, from.size(), to));
  }
  // Lets the manifest pin what the library now holds, so that not the hash but the later checks must object.
  void pin_again() const {
    const auto text = bytes_of(manifest);
    const std::string before(reinterpret_cast<const char*>(text.data()), text.size());
    const auto at = before.find("sha256 = \"");
    REQUIRE(at != std::string::npos);
    edit(before.substr(at, 10 + 64), "sha256 = \"" + sha256_hex(bytes_of(library)));
  }
  // Changes bytes of the library and pins the result.
  void tamper(const std::function<void(std::vector<std::byte>&)>& change) const {
    auto bytes = bytes_of(library);
    change(bytes);
    write(library, bytes);
    pin_again();
  }
};

void mode(const fs::path& path, mode_t bits) { REQUIRE(::chmod(path.c_str(), bits) == 0); }

TEST_CASE("an untouched plugin is usable") {
  const Installed plugin;
  CHECK(plugin.verdict() == "usable");
}

TEST_CASE("modes: nobody else may change what is loaded") {
  const Installed plugin;
  SUBCASE("library writable by all") { mode(plugin.library, 0666); }
  SUBCASE("library writable by its group") { mode(plugin.library, 0664); }
  SUBCASE("manifest writable by all") { mode(plugin.manifest, 0646); }
  SUBCASE("manifest writable by its group") { mode(plugin.manifest, 0664); }
  SUBCASE("folder writable by all") { mode(plugin.folder, 0777); }
  SUBCASE("folder writable by its group") { mode(plugin.folder, 0775); }
  SUBCASE("folder writable by all, though sticky") { mode(plugin.folder, 01777); }
  SUBCASE("parent writable by all and not sticky") { mode(plugin.temp.path(), 0777); }
  CHECK(plugin.verdict() == "trust/UNTRUSTED");
}

TEST_CASE("modes: a sticky parent is fine, as a temporary folder is") {
  const Installed plugin;
  mode(plugin.temp.path(), 01777);
  CHECK(plugin.verdict() == "usable");
}

TEST_CASE("owners: root or the user") {
  const Installed plugin;
  SUBCASE("library of somebody else") {
    CHECK(plugin.verdict(make_foreign(plugin.library)) == "trust/UNTRUSTED");
  }
  SUBCASE("manifest of somebody else") {
    CHECK(plugin.verdict(make_foreign(plugin.manifest)) == "trust/UNTRUSTED");
  }
  SUBCASE("folder of somebody else") {
    CHECK(plugin.verdict(make_foreign(plugin.folder)) == "trust/UNTRUSTED");
  }
}

TEST_CASE("owners: the rule itself") {
  const TrustPolicy me{.user = 1000};
  CHECK_FALSE(distrust_owner("/p", 0, 0644, me).has_value());
  CHECK_FALSE(distrust_owner("/p", 1000, 0644, me).has_value());
  CHECK(distrust_owner("/p", 1001, 0644, me).has_value());
  CHECK(distrust_owner("/p", 1000, 0664, me).has_value());
  CHECK(distrust_owner("/p", 0, 0602, me).has_value());
  CHECK(distrust_owner("/p", 1001, 0644, me)->detail.find("user 1001") != std::string::npos);
}

// The library as a link, in the ways that could lead out of the folder or be turned later.
TEST_CASE("links are not followed") {
  const Installed plugin;
  const fs::path elsewhere = plugin.temp.path() / "elsewhere.so";
  bool use_openat2 = true;
  SUBCASE("by the kernel") {}
  SUBCASE("by hand, without openat2") { use_openat2 = false; }
  auto how = options(plugin.folder);
  how.trust.use_openat2 = use_openat2;
  CHECK(verdict_on(how) == "usable");
  fs::rename(plugin.library, elsewhere);
  fs::create_symlink(elsewhere, plugin.library);
  CHECK(verdict_on(how) == "trust/UNTRUSTED");
  fs::remove(plugin.library);
  fs::create_symlink("../elsewhere.so", plugin.library);
  CHECK(verdict_on(how) == "trust/UNTRUSTED");
  fs::remove(plugin.library);
  fs::copy_file(elsewhere, plugin.folder / "real.so");
  fs::create_symlink("real.so", plugin.library);
  CHECK(verdict_on(how) == "trust/UNTRUSTED");
  fs::remove(plugin.library);
  fs::create_symlink("missing.so", plugin.library);
  CHECK(verdict_on(how) == "trust/UNTRUSTED");
}

TEST_CASE("a library in a folder of its own") {
  const Installed plugin;
  bool use_openat2 = true;
  SUBCASE("by the kernel") {}
  SUBCASE("by hand, without openat2") { use_openat2 = false; }
  auto how = options(plugin.folder);
  how.trust.use_openat2 = use_openat2;
  const fs::path inner = plugin.folder / "lib";
  fs::create_directory(inner);
  fs::rename(plugin.library, inner / "p.so");
  plugin.edit(plugin.library.filename().string(), "lib/p.so");
  CHECK(verdict_on(how) == "usable");
  mode(inner, 0777);
  CHECK(verdict_on(how) == "trust/UNTRUSTED");
  mode(inner, 0755);
  fs::rename(inner, plugin.temp.path() / "out");
  fs::create_symlink(plugin.temp.path() / "out", inner);
  CHECK(verdict_on(how) == "trust/UNTRUSTED");
}

TEST_CASE("a manifest behind a link is not read as trusted") {
  const Installed plugin;
  const fs::path elsewhere = plugin.temp.path() / "elsewhere.toml";
  fs::rename(plugin.manifest, elsewhere);
  fs::create_symlink(elsewhere, plugin.manifest);
  CHECK(plugin.verdict() == "trust/UNTRUSTED");
}

TEST_CASE("a path that leaves the folder is refused by the manifest's reader") {
  const Installed plugin;
  const std::string name = plugin.library.filename().string();
  SUBCASE("..") { plugin.edit(name, format("../plugins/{}", name)); }
  SUBCASE("absolute") { plugin.edit(format("\"{}", name), format("\"{}", plugin.library.string())); }
  CHECK(plugin.verdict() == "parse/BAD_MANIFEST");
}

TEST_CASE("and by the opening of the library itself") {
  const Installed plugin;
  const auto refused = [&](const fs::path& folder, const std::string& library) {
    const auto file = LibraryFile::open(folder, library, trust_current_user());
    REQUIRE_FALSE(file.ok());
    return code(file.objection());
  };
  const std::string name = plugin.library.filename().string();
  CHECK(refused(plugin.folder, format("../plugins/{}", name)) == "trust/UNTRUSTED");
  CHECK(refused(plugin.folder, "./" + name) == "trust/UNTRUSTED");
  CHECK(refused(plugin.folder, plugin.library.string()) == "trust/UNTRUSTED");
  CHECK(refused(plugin.folder, "") == "trust/UNTRUSTED");
  CHECK(refused(plugin.folder, name + std::string(1, '\0') + "x") == "trust/UNTRUSTED");
  CHECK(refused("plugins", name) == "trust/UNTRUSTED");
  CHECK(refused(plugin.folder, "other.so") == "trust/NO_LIBRARY");
  CHECK(LibraryFile::open(plugin.folder, name, trust_current_user()).ok());
}

TEST_CASE("a library that is not a regular file") {
  const Installed plugin;
  fs::remove(plugin.library);
  SUBCASE("absent") { CHECK(plugin.verdict() == "trust/NO_LIBRARY"); }
  SUBCASE("a folder") {
    fs::create_directory(plugin.library);
    CHECK(plugin.verdict() == "trust/UNTRUSTED");
  }
  SUBCASE("a pipe, which must not block either") {
    REQUIRE(::mkfifo(plugin.library.c_str(), 0600) == 0);
    CHECK(plugin.verdict() == "trust/UNTRUSTED");
  }
}

TEST_CASE("content: the hash is that of the manifest") {
  const Installed plugin;
  auto bytes = bytes_of(plugin.library);
  SUBCASE("one bit changed") { bytes[bytes.size() / 2] ^= std::byte{1}; }
  SUBCASE("a byte added") { bytes.push_back(std::byte{0}); }
  write(plugin.library, bytes);
  CHECK(plugin.verdict() == "trust/HASH");
}

TEST_CASE("content: broken files whose hash is right") {
  const Installed plugin;
  SUBCASE("empty") {
    plugin.tamper([](auto& bytes) { bytes.clear(); });
  }
  SUBCASE("truncated in the header") {
    plugin.tamper([](auto& bytes) { bytes.resize(40); });
  }
  SUBCASE("truncated in the middle") {
    plugin.tamper([](auto& bytes) { bytes.resize(bytes.size() / 2); });
  }
  SUBCASE("truncated at the end") {
    plugin.tamper([](auto& bytes) { bytes.resize(bytes.size() - 1); });
  }
  SUBCASE("32-bit class") {
    plugin.tamper([](auto& bytes) { bytes[4] = std::byte{1}; });
  }
  SUBCASE("another machine") {
    plugin.tamper([](auto& bytes) { bytes[18] = std::byte{183}; });
  }
  SUBCASE("a text file") {
    plugin.tamper([](auto& bytes) { bytes.assign(100, std::byte{'#'}); });
  }
  CHECK(plugin.verdict() == "trust/BAD_ELF");
}

TEST_CASE("content: another plugin's library under this manifest") {
  const Installed plugin;
  plugin.tamper([](auto& bytes) { bytes = bytes_of(library_of(built("test_print"), "test_print")); });
  CHECK(plugin.verdict() == "trust/NOTE_MISMATCH");
}

TEST_CASE("content: this very program instead of a plugin") {
  const Installed plugin;
  plugin.tamper([](auto& bytes) { bytes = bytes_of("/proc/self/exe"); });
  CHECK(plugin.verdict() == "trust/BAD_ELF");
}

TEST_CASE("content: a library that exports more than its entry") {
  CHECK(verdict_on(options(built("test_two_exports"))) == "trust/BAD_ELF");
}

// Between the check and the load: the descriptor that was checked is the one that is loaded.
// NOLINTBEGIN(bugprone-use-after-move): each SUBCASE is a run of its own
TEST_CASE("swapped after the check") {
  const Installed plugin;
  auto file = LibraryFile::open(plugin.folder, plugin.library.filename().string(), trust_current_user());
  REQUIRE(file.ok());
  auto verified = verify(*file, manifest_of(kId));
  REQUIRE(verified.ok());
  SUBCASE("by renaming another file over it: the checked file is loaded") {
    const fs::path other = plugin.temp.path() / "other.so";
    write(other, "not a library");
    fs::rename(other, plugin.library);
    // A link count of 0 changes ctime: the file is not as it was checked.
    const auto library = Library::load(std::move(file).value(), verified->elf);
    REQUIRE_FALSE(library.ok());
    CHECK(code(library.objection()) == "trust/HASH");
  }
  SUBCASE("by writing into it") {
    std::fstream out(plugin.library, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(4096);
    out.put('x');
    out.close();
    const auto library = Library::load(std::move(file).value(), verified->elf);
    REQUIRE_FALSE(library.ok());
    CHECK(code(library.objection()) == "trust/HASH");
  }
  SUBCASE("by writing into it and setting its time back") {
    struct stat before = {};
    REQUIRE(::stat(plugin.library.c_str(), &before) == 0);
    std::fstream out(plugin.library, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(4096);
    out.put('x');
    out.close();
    const timespec times[2] = {before.st_atim, before.st_mtim};
    REQUIRE(::utimensat(AT_FDCWD, plugin.library.c_str(), times, 0) == 0);
    const auto library = Library::load(std::move(file).value(), verified->elf);
    REQUIRE_FALSE(library.ok());
    CHECK(code(library.objection()) == "trust/HASH");
  }
}
// NOLINTEND(bugprone-use-after-move)

TEST_CASE("swapped after the probe: open() refuses it and says so") {
  const Installed plugin;
  auto registry = Registry::create(options(plugin.folder));
  REQUIRE(registry.ok());
  REQUIRE(registry->usable().size() == 1);
  auto bytes = bytes_of(plugin.library);
  bytes[bytes.size() - 1] ^= std::byte{1};
  write(plugin.library, bytes);
  HostServices services({});
  const auto opened = registry->open(kId, services);
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == ErrorCode::kNoPlugin);
  REQUIRE(registry->refused().size() == 1);
  CHECK(code(registry->refused()[0].refusal) == "trust/HASH");
  CHECK_FALSE(registry->open(kId, services).ok());
  CHECK(registry->refused().size() == 1);
}

TEST_CASE("elevated: the user's own folder is not looked at") {
  const Installed plugin;
  RegistryOptions how = options(plugin.folder);
  how.search.folders[0].origin = Origin::kUser;
  CHECK(verdict_on(how) == "usable");
  how.elevated = true;
  auto registry = Registry::create(how);
  REQUIRE(registry.ok());
  CHECK(registry->usable().empty());
  CHECK(registry->refused().empty());
}

}  // namespace
}  // namespace belay::registry::test
