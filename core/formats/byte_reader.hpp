// Reads little-endian numbers and strings from bytes that nobody vouches for. Every read is checked against
// the bytes that are left; a short read is an error that names the file, the offset and what was being read.
#pragma once

#include "core/base/format.hpp"
#include "core/base/status.hpp"
#include "core/base/xxh3.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace belay::formats {

// The number at the start of `bytes`, which must hold it. Files are little endian, and so are the machines
// Belay runs on.
template <class T>
[[nodiscard]] T load_number(std::span<const std::byte> bytes) {
  static_assert(std::is_arithmetic_v<T>);
  assert(bytes.size() >= sizeof(T));
  T value{};
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

inline constexpr std::uint64_t kMaxNameBytes = 1024;

class ByteReader {
 public:
  // Both arguments are views that outlive the reader; `file` is for messages.
  ByteReader(std::span<const std::byte> bytes, std::string_view file) : bytes_(bytes), file_(file) {}

  [[nodiscard]] std::uint64_t offset() const { return at_; }
  [[nodiscard]] std::uint64_t left() const { return bytes_.size() - at_; }
  [[nodiscard]] std::span<const std::byte> all() const { return bytes_; }  // the whole file

  // `what` says for a message what is being read, for example "the number of tensors".
  template <class T>
  [[nodiscard]] Result<T> number(std::string_view what) {
    if (left() < sizeof(T)) return truncated(what, sizeof(T));
    const T value = load_number<T>(bytes_.subspan(at_));
    at_ += sizeof(T);
    return value;
  }
  [[nodiscard]] Result<std::span<const std::byte>> bytes(std::uint64_t count, std::string_view what) {
    if (left() < count) return truncated(what, count);
    const auto taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
  }
  [[nodiscard]] Result<Xxh3> hash(std::string_view what);
  // A string behind its 64-bit length, at most `max_bytes` long. Its bytes may be anything.
  [[nodiscard]] Result<std::string_view> string(std::uint64_t max_bytes, std::string_view what);
  // A string that names something: 1 to kMaxNameBytes bytes of valid UTF-8.
  [[nodiscard]] Result<std::string_view> name(std::string_view what);

  // An error at this offset: the file, the text, and the offset.
  template <class... Args>
  [[nodiscard]] Error error_at(std::uint64_t offset, fmt::format_string<Args...> text, Args&&... args) const {
    return describe(offset, format(text, std::forward<Args>(args)...));
  }

 private:
  [[nodiscard]] Error truncated(std::string_view what, std::uint64_t needed) const;
  [[nodiscard]] Error describe(std::uint64_t offset, const std::string& text) const;

  std::span<const std::byte> bytes_;
  std::string_view file_;
  std::size_t at_ = 0;
};

}  // namespace belay::formats
