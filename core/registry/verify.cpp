#include "core/registry/verify.hpp"

#include "core/base/format.hpp"
#include "core/base/sha256.hpp"
#include "core/registry/elf_check.hpp"

namespace belay::registry {

Checked<VerifiedLibrary> verify(const LibraryFile& library, const manifest::Manifest& manifest) {
  auto bytes = library.read();
  if (!bytes) return std::move(bytes).objection();
  auto elf = read_elf(*bytes);
  if (!elf) {
    Objection objection = std::move(elf).objection();
    objection.detail = format("{}: {}", library.path().string(), objection.detail);
    return objection;
  }
  if (auto objection = check_elf(*elf, manifest)) return *std::move(objection);
  std::string sha256 = sha256_hex(*bytes);
  if (manifest.sha256 && *manifest.sha256 != sha256) {
    return Objection{Stage::kTrust, std::string(reason::kHash),
                     format("{} has the sha256 {}, its manifest pins {}; install the plugin again",
                            library.path().string(), sha256, *manifest.sha256)};
  }
  return VerifiedLibrary{*std::move(elf), std::move(sha256)};
}

}  // namespace belay::registry
