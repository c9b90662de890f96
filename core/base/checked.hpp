// Arithmetic on numbers that a file or a user gave. Every offset, count, sum and product that comes from
// outside goes through CheckedU64: once anything overflows, the value stays invalid through all that follows.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

namespace belay {

class CheckedU64 {
 public:
  constexpr CheckedU64(std::uint64_t value) : value_(value) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] constexpr bool valid() const { return valid_; }
  // Nothing if any step overflowed.
  [[nodiscard]] constexpr std::optional<std::uint64_t> value() const {
    return valid_ ? std::optional(value_) : std::nullopt;
  }
  // True only for a valid value that is at most `limit`.
  [[nodiscard]] constexpr bool fits(std::uint64_t limit) const { return valid_ && value_ <= limit; }

  friend constexpr CheckedU64 operator+(CheckedU64 a, CheckedU64 b) {
    CheckedU64 sum(0);
    sum.valid_ = !__builtin_add_overflow(a.value_, b.value_, &sum.value_) && a.valid_ && b.valid_;
    return sum;
  }
  friend constexpr CheckedU64 operator-(CheckedU64 a, CheckedU64 b) {
    CheckedU64 difference(0);
    difference.valid_ =
        !__builtin_sub_overflow(a.value_, b.value_, &difference.value_) && a.valid_ && b.valid_;
    return difference;
  }
  friend constexpr CheckedU64 operator*(CheckedU64 a, CheckedU64 b) {
    CheckedU64 product(0);
    product.valid_ = !__builtin_mul_overflow(a.value_, b.value_, &product.value_) && a.valid_ && b.valid_;
    return product;
  }
  CheckedU64& operator+=(CheckedU64 other) { return *this = *this + other; }
  CheckedU64& operator*=(CheckedU64 other) { return *this = *this * other; }

  // Rounded up to a multiple of `alignment`, a power of two.
  [[nodiscard]] constexpr CheckedU64 align_up(std::uint64_t alignment) const {
    CheckedU64 padded = *this + (alignment - 1);
    padded.value_ &= ~(alignment - 1);
    return padded;
  }

 private:
  std::uint64_t value_;
  bool valid_ = true;
};

// `value` as another integer type, or nothing when it does not fit.
template <class To, class From>
[[nodiscard]] constexpr std::optional<To> narrow(From value) {
  static_assert(std::is_integral_v<To> && std::is_integral_v<From>);
  return std::in_range<To>(value) ? std::optional(static_cast<To>(value)) : std::nullopt;
}

}  // namespace belay
