// Why a file or a plugin is not accepted, before it is known under which id to list it; and a value or such
// an objection.
#pragma once

#include "core/manifest/refusal.hpp"

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace belay::registry {

struct Objection {
  Stage stage = Stage::kTrust;
  std::string reason;  // a code of core/manifest/refusal.hpp
  std::string detail;  // the evidence, in words
};

[[nodiscard]] inline Refusal refusal(std::string id, Objection objection) {
  return {std::move(id), objection.stage, std::move(objection.reason), std::move(objection.detail)};
}

// A value, or the objection to it.
template <class T>
class [[nodiscard]] Checked {
 public:
  // NOLINTBEGIN(google-explicit-constructor): `return value;` and `return objection;` are what it is for
  Checked(T checked) : state_(std::in_place_index<0>, std::move(checked)) {}
  Checked(Objection objection) : state_(std::in_place_index<1>, std::move(objection)) {}
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Only when ok().
  [[nodiscard]] T& value() & { return assert(ok()), std::get<0>(state_); }
  [[nodiscard]] const T& value() const& { return assert(ok()), std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return assert(ok()), std::move(std::get<0>(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Only when not ok().
  [[nodiscard]] const Objection& objection() const& { return assert(!ok()), std::get<1>(state_); }
  [[nodiscard]] Objection&& objection() && { return assert(!ok()), std::move(std::get<1>(state_)); }

 private:
  std::variant<T, Objection> state_;
};

}  // namespace belay::registry
