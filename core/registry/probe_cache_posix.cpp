#include "core/base/format.hpp"
#include "core/registry/probe_cache.hpp"

#include <belay/abi.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace belay::registry {
namespace {

// Another build of this program may judge otherwise.
std::string program_identity(const std::string& program) {
  struct stat facts = {};
  if (::stat(program.c_str(), &facts) != 0) return "unknown";
  return format("{} {} {}.{}", facts.st_ino, facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
}

}  // namespace

std::string machine_signature(const hardware::Profile& profile, const SelfLauncher& launcher) {
  std::string text;
  add_to_key(text, "abi", format("{}.{}", BELAY_ABI_MAJOR, BELAY_ABI_MINOR));
  add_to_key(text, "program", program_identity(launcher.program));
  add_to_key(text, "launcher", format("{}", join(launcher.prefix, " ")));
  add_to_key(text, "environment", format("{}", join(launcher.environment, "\n")));
  add_to_key(text, "cpu", profile.cpu.model.value_or("unknown"));
  add_to_key(text, "isa", profile.cpu.isa ? format("{}", join(*profile.cpu.isa, " ")) : "unknown");
  for (const hardware::Gpu& gpu : profile.gpus) {
    add_to_key(text, "gpu", format("{} {}", gpu.name.value_or("unknown"), gpu.driver.value_or("unknown")));
  }
  utsname kernel = {};
  add_to_key(text, "kernel", ::uname(&kernel) == 0 ? kernel.release : "unknown");
  return text;
}

Status replace_file(const std::filesystem::path& file, std::string_view text) {
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);  // when it fails, so does what follows
  std::string temporary = file.string() + ".XXXXXX";
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);  // mode 0600
  if (fd < 0) return fail(ErrorCode::kGeneral, "{}: {}", file.string(), std::strerror(errno));
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  if (written && ::rename(temporary.c_str(), file.c_str()) == 0) return {};
  const int number = errno;
  ::unlink(temporary.c_str());
  return fail(ErrorCode::kGeneral, "{}: {}", file.string(), std::strerror(number));
}

}  // namespace belay::registry
