// Reads a file and gets one byte of its last block wrong: every call succeeds, only a known answer shows it.
#include <belay/cpp/plugin.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace sdk = belay::sdk;

constexpr std::uint64_t kBlock = 512;

std::FILE* stream_of(const belay_file_t* file) {
  return reinterpret_cast<std::FILE*>(const_cast<belay_file_t*>(file));
}

std::uint64_t size_of(std::FILE* stream) {
  std::fseek(stream, 0, SEEK_END);
  return static_cast<std::uint64_t>(std::ftell(stream));
}

belay_status_t file_open(belay_instance_t* /*instance*/, belay_str_t path, belay_file_t** file,
                         belay_error_t* error) {
  std::FILE* stream = std::fopen(std::string(sdk::view(path)).c_str(), "rb");
  *file = reinterpret_cast<belay_file_t*>(stream);
  return stream != nullptr ? BELAY_OK : sdk::fail(error, BELAY_IO, "cannot be opened");
}

void file_close(belay_file_t* file) {
  if (file != nullptr) std::fclose(stream_of(file));
}

belay_status_t info(const belay_file_t* file, belay_storage_info_t* info, belay_error_t* /*error*/) {
  belay_storage_info_t answer{};
  answer.block_bytes = kBlock;
  answer.queue_depth = 1;
  answer.chunk_bytes = kBlock;
  answer.method = sdk::str("fread");
  answer.file_bytes = size_of(stream_of(file));
  sdk::write(info, answer);
  return BELAY_OK;
}

belay_status_t read(belay_file_t* file, const belay_extent_t* extents, uint64_t count, belay_read_t** read,
                    belay_error_t* /*error*/) {
  std::FILE* stream = stream_of(file);
  const std::uint64_t size = size_of(stream);
  for (const belay_extent_t* extent = extents; extent != extents + count; ++extent) {
    std::fseek(stream, static_cast<long>(extent->offset), SEEK_SET);
    const std::size_t got = std::fread(extent->to, 1, extent->bytes, stream);
    if (extent->offset + got == size) static_cast<unsigned char*>(extent->to)[got - 1] ^= 1U;
  }
  *read = reinterpret_cast<belay_read_t*>(file);
  return BELAY_OK;
}

belay_status_t read_sync(belay_read_t* /*read*/, uint64_t /*deadline_ns*/, belay_error_t* /*error*/) {
  return BELAY_OK;
}

void read_end(belay_read_t* /*read*/) {}

belay_status_t prepare(belay_instance_t* /*instance*/, void* /*memory*/, uint64_t /*bytes*/,
                       belay_error_t* error) {
  return sdk::fail(error, BELAY_UNSUPPORTED, "there is nothing to prepare");
}

constexpr belay_storage_t kTable = {
    sizeof(belay_storage_t), 0, &file_open, &file_close, &info, &read, &read_sync, &read_end, &prepare};

class Instance {
 public:
  Instance(sdk::Host /*host*/, const belay_open_t& /*options*/) {}

  static belay_status_t probe(sdk::Host /*host*/, belay_device_t* devices, uint64_t capacity, uint64_t* count,
                              belay_error_t* /*error*/) {
    *count = 1;
    if (capacity == 0) return BELAY_OK;
    belay_device_t device{};
    device.kind = BELAY_DEVICE_STORAGE;
    device.id = sdk::str("storage");
    device.name = sdk::str("fread");
    sdk::write(devices, device);
    return BELAY_OK;
  }

  [[nodiscard]] static const void* get_interface(std::string_view id) {
    return id == BELAY_STORAGE_1 ? &kTable : nullptr;
  }
};

}  // namespace

BELAY_PLUGIN(Instance, "test.storage_wrong_bytes", "1.0.0")
