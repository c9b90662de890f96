#include "core/registry/library.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>
#include <dlfcn.h>

#include <mutex>
#include <system_error>
#include <vector>

namespace belay::registry {
namespace {

// What is mapped for good. The descriptor stays open with it: the loader knows a library by the name under
// which it was opened, and /proc/self/fd/N must never come to mean another file.
struct Resident {
  LibraryFile file;
  boost::dll::shared_library library;
};

struct Residents {
  std::mutex mutex;
  std::vector<Resident> list;
};

Residents& residents() {
  static auto* const all = new Residents;  // never destroyed: its end would unload
  return *all;
}

Objection refused(std::string_view reason, std::string detail) {
  const Stage stage = reason == reason::kHash ? Stage::kTrust : Stage::kOpen;
  return {stage, std::string(reason), std::move(detail)};
}

Checked<Library> entry_of(const Resident& resident) {
  if (!resident.library.has(BELAY_ENTRY_SYMBOL)) {
    return refused(reason::kOpenFailed,
                   format("{} has no " BELAY_ENTRY_SYMBOL, resident.file.path().string()));
  }
  using Entry = belay_status_t(const belay_host_t*, belay_plugin_t*, belay_error_t*);
  return Library(&resident.library.get<Entry>(BELAY_ENTRY_SYMBOL));
}

Checked<boost::dll::shared_library> open_library(const LibraryFile& file, const Elf& elf) {
  namespace dll = boost::dll;
  const std::string name = file.loader_name(elf.runpath && !elf.runpath->empty());
  if (name.empty() || !file.unchanged()) {
    return refused(reason::kHash,
                   format("{} changed between its check and its loading", file.path().string()));
  }
  ::dlerror();  // what is read below belongs to this call
  std::error_code error;
  dll::shared_library library;
  library.load(name, dll::load_mode::rtld_now | dll::load_mode::rtld_local, error);
  if (error || !library.is_loaded()) {
    const char* words = ::dlerror();  // Boost would say "Bad file descriptor" to everything
    return refused(reason::kOpenFailed, format("{} does not load: {}", file.path().string(),
                                               printable(words != nullptr ? words : error.message(), 400)));
  }
  return library;
}

Checked<Library> load_resident(LibraryFile file, const Elf& elf) {
  Residents& all = residents();
  const std::lock_guard lock(all.mutex);
  for (const Resident& resident : all.list) {
    if (!resident.file.identity().same_file(file.identity())) continue;
    if (resident.file.identity() == file.identity()) return entry_of(resident);
    return refused(
        reason::kHash,
        format("{} was changed after this program loaded it; start the program again", file.path().string()));
  }
  auto library = open_library(file, elf);
  if (!library) return std::move(library).objection();
  all.list.push_back({std::move(file), std::move(library).value()});
  return entry_of(all.list.back());
}

}  // namespace

Checked<Library> Library::load(LibraryFile file, const Elf& elf) {
  try {  // Boost.DLL and the heap throw
    return load_resident(std::move(file), elf);
  } catch (const std::exception& error) {
    return refused(reason::kOpenFailed, error.what());
  }
}

}  // namespace belay::registry
