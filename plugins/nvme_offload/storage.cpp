#include "plugins/nvme_offload/storage.hpp"

#include "plugins/nvme_offload/instance.hpp"

#include <belay/cpp/guard.hpp>
#include <belay/cpp/struct.hpp>

namespace belay::nvme {
namespace {

using sdk::fail;
using sdk::guard;

File& file_of(belay_file_t* file) { return *reinterpret_cast<File*>(file); }
const File& file_of(const belay_file_t* file) { return *reinterpret_cast<const File*>(file); }
Read& read_of(belay_read_t* read) { return *reinterpret_cast<Read*>(read); }
Reader& reader_of(belay_instance_t* instance) { return reinterpret_cast<Instance*>(instance)->reader(); }

belay_status_t file_open(belay_instance_t* instance, belay_str_t path, belay_file_t** file,
                         belay_error_t* error) noexcept {
  if (instance == nullptr || path.data == nullptr || file == nullptr) {
    return fail(error, BELAY_INVALID_ARGUMENT, "file_open: a missing argument");
  }
  *file = nullptr;
  return guard(error, [&] {
    File* opened = nullptr;
    const belay_status_t status = reader_of(instance).open(sdk::view(path), &opened, error);
    *file = reinterpret_cast<belay_file_t*>(opened);
    return status;
  });
}

void file_close(belay_file_t* file) noexcept {
  if (file != nullptr) file_of(file).reader->close(file_of(file));
}

belay_status_t info(const belay_file_t* file, belay_storage_info_t* info, belay_error_t* error) noexcept {
  if (file == nullptr || !sdk::valid(info)) {
    return fail(error, BELAY_INVALID_ARGUMENT, "info: a missing or too small argument");
  }
  sdk::write(info, file_of(file).reader->info(file_of(file)));
  return BELAY_OK;
}

belay_status_t read(belay_file_t* file, const belay_extent_t* extents, std::uint64_t count,
                    belay_read_t** read, belay_error_t* error) noexcept {
  if (file == nullptr || (extents == nullptr && count > 0) || read == nullptr) {
    return fail(error, BELAY_INVALID_ARGUMENT, "read: a missing argument");
  }
  *read = nullptr;
  return guard(error, [&] {
    Read* started = nullptr;
    const belay_status_t status =
        file_of(file).reader->start(file_of(file), {extents, count}, &started, error);
    *read = reinterpret_cast<belay_read_t*>(started);
    return status;
  });
}

belay_status_t read_sync(belay_read_t* read, std::uint64_t deadline_ns, belay_error_t* error) noexcept {
  if (read == nullptr) return fail(error, BELAY_INVALID_ARGUMENT, "read_sync: no read");
  return guard(error, [&] { return read_of(read).file->reader->wait(read_of(read), deadline_ns, error); });
}

void read_end(belay_read_t* read) noexcept {
  if (read != nullptr) read_of(read).file->reader->end(read_of(read));
}

belay_status_t prepare(belay_instance_t* instance, void* memory, std::uint64_t bytes,
                       belay_error_t* error) noexcept {
  if (instance == nullptr || (memory == nullptr) != (bytes == 0)) {
    return fail(error, BELAY_INVALID_ARGUMENT, "prepare: a missing argument");
  }
  return guard(error, [&] {
    return reader_of(instance).prepare({static_cast<std::byte*>(memory), bytes}, error);
  });
}

constexpr belay_storage_t kTable = {
    sizeof(belay_storage_t), 0, &file_open, &file_close, &info, &read, &read_sync, &read_end, &prepare};

}  // namespace

const belay_storage_t* storage_table() noexcept { return &kTable; }

}  // namespace belay::nvme
