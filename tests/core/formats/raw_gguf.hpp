// Writes GGUF bytes field by field, with no regard for the rules, and remembers where each number lies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::test {

class RawGguf {
 public:
  struct Field {
    std::size_t offset;
    std::size_t width;
    std::string what;
  };

  RawGguf& u8(std::uint8_t value, std::string what) { return number(value, std::move(what)); }
  RawGguf& u16(std::uint16_t value, std::string what) { return number(value, std::move(what)); }
  RawGguf& u32(std::uint32_t value, std::string what) { return number(value, std::move(what)); }
  RawGguf& u64(std::uint64_t value, std::string what) { return number(value, std::move(what)); }
  RawGguf& raw(std::string_view text) {
    bytes_.append(text);
    return *this;
  }
  // A string whose claimed length is its own unless another one is given.
  RawGguf& text(std::string_view text) { return text_of_length(text, text.size()); }
  RawGguf& text_of_length(std::string_view text, std::uint64_t length) {
    return u64(length, "length").raw(text);
  }
  RawGguf& pad(std::size_t alignment, std::size_t more) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment + more, '\7');
    return *this;
  }

  RawGguf& head(std::uint64_t n_tensors, std::uint64_t n_entries, std::uint32_t version = 3) {
    return raw("GGUF").u32(version, "version").u64(n_tensors, "n_tensors").u64(n_entries, "n_kv");
  }
  RawGguf& key(std::string_view name, std::uint32_t type) { return text(name).u32(type, "value type"); }
  RawGguf& array(std::string_view name, std::uint32_t element, std::uint64_t count) {
    return key(name, 9).u32(element, "element type").u64(count, "array length");
  }
  RawGguf& tensor(std::string_view name, const std::vector<std::uint64_t>& dims, std::uint32_t type,
                  std::uint64_t offset) {
    text(name).u32(static_cast<std::uint32_t>(dims.size()), "n_dims");
    for (const std::uint64_t dim : dims) u64(dim, "dim");
    return u32(type, "tensor type").u64(offset, "offset");
  }

  [[nodiscard]] std::span<const std::byte> bytes() const { return std::as_bytes(std::span(bytes_)); }
  [[nodiscard]] const std::string& text() const { return bytes_; }
  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }

 private:
  template <class T>
  RawGguf& number(T value, std::string what) {
    fields_.push_back({bytes_.size(), sizeof value, std::move(what)});
    char text[sizeof value];
    std::memcpy(text, &value, sizeof value);
    bytes_.append(text, sizeof value);
    return *this;
  }

  std::string bytes_;
  std::vector<Field> fields_;
};

}  // namespace belay::test
