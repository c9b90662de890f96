// How fast a plugin's belay.storage/1 reads a file from its beginning, as a model larger than memory is read:
// two buffers of a layer each, one being read while the other would be computed on. Every 512th byte is
// looked at.
//
// usage: belay_bench_storage PLUGIN.so FILE [METHOD [LAYER_MIB [MOST_MIB]]]     METHOD "" is the plugin's own
#include "core/memory/buffer.hpp"
#include "core/registry/host_services.hpp"

#include <belay/ext/storage.h>
#include <belay/plugin.h>

#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace belay {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

[[noreturn]] void stop(const char* what, const char* why) {
  std::fprintf(stderr, "%s: %s\n", what, why);
  std::exit(1);
}

struct Layer {
  std::byte* memory;
  belay_read_t* read;
  std::uint64_t bytes;
};

// Reads are few and large: what a plugin gets wrong ends the program.
struct Bench {
  const belay_storage_t* storage = nullptr;
  belay_instance_t* instance = nullptr;
  belay_error_t error{};

  void check(belay_status_t status, const char* what) const {
    if (status != BELAY_OK) stop(what, error.message);
  }

  void run(const char* path, std::uint64_t layer_bytes, std::uint64_t most) {
    belay_file_t* file = nullptr;
    const std::string name = path;
    check(storage->file_open(instance, {name.data(), name.size()}, &file, &error), "file_open");
    auto memory = memory::Buffer::allocate(2 * layer_bytes + 65536, "layers");
    if (!memory.ok()) stop("memory", memory.error().message.c_str());
    void* start = memory->data();
    std::size_t room = memory->size();
    auto* aligned = static_cast<std::byte*>(std::align(65536, 2 * layer_bytes, start, room));
    if (storage->prepare(instance, aligned, 2 * layer_bytes, &error) != BELAY_OK)
      std::fprintf(stderr, "%s\n", error.message);
    belay_storage_info_t info{};
    info.struct_size = sizeof info;
    check(storage->info(file, &info, &error), "info");
    const std::string method(info.method.data, info.method.size);
    const std::uint64_t end =
        std::min(info.file_bytes / layer_bytes * layer_bytes, most / layer_bytes * layer_bytes);
    const double wall = seconds_of(CLOCK_MONOTONIC);
    const double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    const std::uint64_t sum = read_through(file, aligned, layer_bytes, end);
    const double wall_s = seconds_of(CLOCK_MONOTONIC) - wall;
    const double cpu_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    storage->file_close(file);
    storage->prepare(instance, nullptr, 0, nullptr);
    std::printf("%.3f GB/s, %.3f s, CPU %.3f s, sum %llx: %s\n", static_cast<double>(end) * 1e-9 / wall_s,
                wall_s, cpu_s, static_cast<unsigned long long>(sum), method.c_str());
  }

  std::uint64_t read_through(belay_file_t* file, std::byte* memory, std::uint64_t layer_bytes,
                             std::uint64_t end) {
    std::array<Layer, 2> layers{};
    std::uint64_t sum = 0;
    for (std::uint64_t at = 0, turn = 0; at < end + layer_bytes; at += layer_bytes, ++turn) {
      if (at < end) {
        Layer& next = layers[turn % 2];
        next = {memory + turn % 2 * layer_bytes, nullptr, layer_bytes};
        const belay_extent_t extent{at, layer_bytes, next.memory};
        check(storage->read(file, &extent, 1, &next.read, &error), "read");
      }
      if (turn == 0) continue;
      Layer& ready = layers[(turn - 1) % 2];
      check(storage->read_sync(ready.read, 0, &error), "read_sync");
      storage->read_end(ready.read);
      for (std::uint64_t i = 0; i < ready.bytes; i += 512)
        sum += std::to_integer<std::uint64_t>(ready.memory[i]);
    }
    return sum;
  }
};

void bench(const char* library, const char* file, const std::string& method, std::uint64_t layer_mib,
           std::uint64_t most_mib) {
  registry::HostCallbacks callbacks;
  if (!method.empty()) callbacks.config["nvme_offload.method"] = method;
  registry::HostServices services(std::move(callbacks));
  const belay_host_t& host = services.table("nvme_offload");
  void* opened = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) stop(library, dlerror());
  auto* entry = reinterpret_cast<belay_entry_fn>(dlsym(opened, BELAY_ENTRY_SYMBOL));
  if (entry == nullptr) stop(library, "no plugin");
  belay_plugin_t plugin{};
  plugin.struct_size = sizeof plugin;
  Bench bench;
  bench.error.struct_size = sizeof bench.error;
  bench.check(entry(&host, &plugin, &bench.error), "entry");
  belay_open_t options{};
  options.struct_size = sizeof options;
  bench.check(plugin.open(&host, &options, &bench.instance, &bench.error), "open");
  belay_str_t id = BELAY_STR(BELAY_STORAGE_1);
  bench.storage = static_cast<const belay_storage_t*>(plugin.get_interface(bench.instance, id));
  if (bench.storage == nullptr) stop(library, "it offers no " BELAY_STORAGE_1);
  bench.run(file, layer_mib * kMiB, most_mib * kMiB);
  plugin.close(bench.instance);
}

}  // namespace
}  // namespace belay

int main(int count, char** words) {
  if (count < 3) belay::stop("usage", "belay_bench_storage PLUGIN.so FILE [METHOD [LAYER_MIB [MOST_MIB]]]");
  const auto number = [&](int index, std::uint64_t otherwise) {
    return count > index ? std::strtoull(words[index], nullptr, 10) : otherwise;
  };
  belay::bench(words[1], words[2], count > 3 ? words[3] : "", std::max<std::uint64_t>(number(4, 32), 1),
               number(5, std::uint64_t{1} << 40U));
  return 0;
}
