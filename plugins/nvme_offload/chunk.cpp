#include "plugins/nvme_offload/chunk.hpp"

#include "plugins/nvme_offload/failure.hpp"

#include <algorithm>
#include <cerrno>
#include <cinttypes>

namespace belay::nvme {
namespace {

constexpr std::uint8_t kMostFailures = 3;
constexpr std::uint32_t kMostRepeats = 1000;

bool asks_again(int error_number) {
  return error_number == EINTR || error_number == EAGAIN || error_number == ECANCELED;
}

// As a kernel, a file system or a container's filter answers what it does not offer.
bool means_refused(int error_number) {
  return error_number == EINVAL || error_number == EOPNOTSUPP || error_number == ENOSYS ||
         error_number == EPERM;
}

// Nothing more came, though the file was longer when it was opened.
Next end_of_file(Chunk& chunk, std::uint64_t end) {
  if (++chunk.failures < kMostFailures) return Next::kAgain;
  Read& read = *chunk.read;
  if (!read.failed()) {
    io_failure(&read.failure, 0,
               "the file ends at %" PRIu64 ", it had %" PRIu64 " bytes when it was opened: %s", end,
               read.file->bytes, shown(read.file->path).c_str());
  }
  return Next::kFailed;
}

}  // namespace

void cut_into_chunks(Read& read, File& file, std::span<const belay_extent_t> extents) {
  read.file = &file;
  read.open = {};
  read.failure = {};
  read.failure.struct_size = sizeof read.failure;
  read.ended = false;
  read.chunks.clear();
  read.chunks.reserve(count_chunks(extents));
  for (const belay_extent_t& extent : extents) {
    for (std::uint64_t at = 0; at < extent.bytes; at += kChunkBytes) {
      Chunk chunk;
      chunk.read = &read;
      chunk.to = static_cast<std::byte*>(extent.to) + at;
      chunk.offset = extent.offset + at;
      const std::uint64_t bytes = std::min(kChunkBytes, extent.bytes - at);
      chunk.bytes = static_cast<std::uint32_t>(bytes);
      chunk.wanted = static_cast<std::uint32_t>(std::min(bytes, file.bytes - chunk.offset));
      read.chunks.push_back(chunk);
    }
  }
}

Next judge(Chunk& chunk, std::int64_t result) {
  if (result < 0) {
    const int error_number = static_cast<int>(-result);
    if (asks_again(error_number) && ++chunk.repeats < kMostRepeats) return Next::kAgain;
    return means_refused(error_number) ? Next::kRefused : count_failure(chunk, error_number);
  }
  const auto got = static_cast<std::uint64_t>(result);
  if (got >= chunk.wanted) return Next::kDone;
  // Direct reads begin at a block: what came of a block's beginning comes again.
  const std::uint64_t whole = got - got % chunk.read->file->block;
  if (whole == 0) return end_of_file(chunk, chunk.offset + got);
  chunk.to += whole;
  chunk.offset += whole;
  chunk.bytes -= static_cast<std::uint32_t>(whole);
  chunk.wanted -= static_cast<std::uint32_t>(whole);
  return Next::kAgain;
}

Next count_failure(Chunk& chunk, int error_number) {
  if (++chunk.failures < kMostFailures) return Next::kAgain;
  Read& read = *chunk.read;
  if (!read.failed()) {
    io_failure(&read.failure, error_number, "%s at offset %" PRIu64 " of %s", words_of(error_number).c_str(),
               chunk.offset, shown(read.file->path).c_str());
  }
  return Next::kFailed;
}

}  // namespace belay::nvme
