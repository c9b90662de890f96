// Reading and writing structs that begin with their size, as both sides of the boundary may be built against
// another minor. Stateless; any thread.
#pragma once

#include <belay/abi.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace belay::sdk {

// True when there is a struct with at least the first version's fields. `V1` is its size in ABI 1.0.
template <class T>
[[nodiscard]] bool valid(const T* from, std::size_t v1 = sizeof(T)) noexcept {
  return from != nullptr && from->struct_size >= v1;
}

// A copy in our version of the struct: fields that the other side does not have are 0.
template <class T>
[[nodiscard]] T read(const T* from) noexcept {
  T copy{};
  if (from != nullptr) std::memcpy(&copy, from, std::min<std::size_t>(from->struct_size, sizeof(T)));
  return copy;
}

// Whether the other side's struct reaches as far as this field: has(host, &belay_host_t::config).
template <class T, class Field>
[[nodiscard]] bool has(const T& from, Field T::*field) noexcept {
  const auto* start = reinterpret_cast<const char*>(&from);
  const auto* end = reinterpret_cast<const char*>(&(from.*field)) + sizeof(Field);
  return static_cast<std::size_t>(end - start) <= from.struct_size;
}

// Writes our version of a struct into the caller's, within its size, which stays.
template <class T>
void write(T* to, const T& value) noexcept {
  const uint32_t size = to->struct_size;
  std::memcpy(to, &value, std::min<std::size_t>(size, sizeof(T)));
  to->struct_size = size;
}

// Element `index` of an array whose elements have the caller's size, not ours.
template <class T>
[[nodiscard]] T& at(T* array, uint64_t index) noexcept {
  using Byte = std::conditional_t<std::is_const_v<T>, const unsigned char, unsigned char>;
  return *reinterpret_cast<T*>(reinterpret_cast<Byte*>(array) + index * array->struct_size);
}

[[nodiscard]] constexpr std::string_view view(belay_str_t text) noexcept {
  return {text.data, static_cast<std::size_t>(text.size)};
}

[[nodiscard]] constexpr belay_str_t str(std::string_view text) noexcept { return {text.data(), text.size()}; }

}  // namespace belay::sdk
