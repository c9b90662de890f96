// The built plugin through its entry.
#include "plugins/nvme_offload/rung.hpp"
#include "tests/plugins/nvme_offload/support.hpp"
#include "tests/support/doctest.hpp"

#include <belay/belay.h>

#include <dirent.h>
#include <dlfcn.h>

#include <algorithm>

namespace belay::nvme::test {
namespace {

std::size_t entries_of(const char* folder) {
  std::size_t count = 0;
  DIR* opened = ::opendir(folder);
  REQUIRE(opened != nullptr);
  while (::readdir(opened) != nullptr) ++count;
  ::closedir(opened);
  return count;
}

belay_plugin_t enter(const StorageHost& host) {
  void* library = ::dlopen(BELAY_TEST_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  REQUIRE_MESSAGE(library != nullptr, ::dlerror());
  const auto entry = reinterpret_cast<belay_entry_fn>(::dlsym(library, BELAY_ENTRY_SYMBOL));
  REQUIRE((entry != nullptr));
  belay_plugin_t plugin{};
  plugin.struct_size = sizeof plugin;
  REQUIRE(entry(host.table(), &plugin, nullptr) == BELAY_OK);
  return plugin;
}

TEST_CASE("entry, probe and open start no thread and keep no file open; reading works; close ends all") {
  const StorageHost host("pread");
  const Folder folder;
  const auto path = folder.file(100000);
  const std::size_t threads = entries_of("/proc/self/task");
  const std::size_t files = entries_of("/proc/self/fd");
  const belay_plugin_t plugin = enter(host);

  belay_device_t device{};
  device.struct_size = sizeof device;
  std::uint64_t count = 0;
  CHECK(plugin.probe(host.table(), &device, 1, &count, nullptr) == BELAY_OK);
  CHECK(count == 1);
  CHECK(device.kind == BELAY_DEVICE_STORAGE);
  CHECK(device.unavailable == 0);
  CHECK(sdk::view(device.id) == "storage");
  const auto name = sdk::view(device.name);
  CHECK((name == method_of(Rung::kRegistered) || name == method_of(Rung::kPool)));

  belay_open_t options{};
  options.struct_size = sizeof options;
  belay_instance_t* instance = nullptr;
  REQUIRE(plugin.open(host.table(), &options, &instance, nullptr) == BELAY_OK);
  CHECK(entries_of("/proc/self/task") == threads);
  CHECK(entries_of("/proc/self/fd") == files);
  belay_str_t compute = BELAY_STR(BELAY_COMPUTE_1);
  CHECK(plugin.get_interface(instance, compute) == nullptr);
  belay_str_t id = BELAY_STR(BELAY_STORAGE_1);
  Storage storage(static_cast<const belay_storage_t*>(plugin.get_interface(instance, id)), instance);
  REQUIRE(storage.table != nullptr);

  belay_file_t* file = nullptr;
  REQUIRE(storage.open(path, &file) == BELAY_OK);
  const Memory memory(131072);
  const std::uint64_t block = storage.info(file).block_bytes;
  const std::uint64_t all = (100000 + block - 1) / block * block;
  CHECK(storage.read_all(file, {{0, block, memory.data()}, {block, all - block, memory.data() + block}}) ==
        BELAY_OK);
  CHECK(wrong_bytes({0, 100000, memory.data()}, 100000) == 0);
  storage.table->file_close(file);
  CHECK(plugin.drain(instance, 0, nullptr) == BELAY_OK);
  plugin.close(instance);
  CHECK(entries_of("/proc/self/task") == threads);
  CHECK(entries_of("/proc/self/fd") == files);
}

TEST_CASE("a device or a method that there is not is refused with a message") {
  StorageHost host;
  const belay_plugin_t plugin = enter(host);
  belay_open_t options{};
  options.struct_size = sizeof options;
  options.device_index = 1;
  belay_instance_t* instance = nullptr;
  belay_error_t error{};
  error.struct_size = sizeof error;
  CHECK(plugin.open(host.table(), &options, &instance, &error) == BELAY_NO_DEVICE);
  options.device_index = 0;
  host.method = "fast";
  CHECK(plugin.open(host.table(), &options, &instance, &error) == BELAY_INVALID_ARGUMENT);
  CHECK(instance == nullptr);
  CHECK(std::string(error.message).find("io_uring, pread and buffered") != std::string::npos);
}

}  // namespace
}  // namespace belay::nvme::test
