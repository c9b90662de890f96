#include "core/manifest/syntax.hpp"

#include "core/base/dtype.hpp"

#include <algorithm>

namespace belay::manifest {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }
bool is_id_char(char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; }

template <class Predicate>
bool all_of(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

// Every part between separators satisfies `predicate`.
template <class Predicate>
bool each_part(std::string_view text, char separator, Predicate predicate) {
  for (;;) {
    const std::size_t end = text.find(separator);
    if (!predicate(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

bool is_id_part(std::string_view part) { return !part.empty() && all_of(part, is_id_char); }

}  // namespace

bool is_plugin_id(std::string_view text) {
  return !text.empty() && text.size() <= 128 && is_lower(text[0]) && each_part(text, '.', is_id_part);
}

bool is_optimization_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && is_lower(text[0]) && all_of(text, is_id_char);
}

bool is_reference(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return is_plugin_id(text);
  return is_plugin_id(text.substr(0, slash)) && is_optimization_name(text.substr(slash + 1));
}

bool is_slot_name(std::string_view text) {
  const auto allowed = [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-'; };
  return !text.empty() && text.size() <= 64 && all_of(text, allowed);
}

bool is_conflict_target(std::string_view text) {
  constexpr std::string_view kSlot = "slot:";
  constexpr std::string_view kProvides = "provides:";
  if (text.starts_with(kSlot)) return is_slot_name(text.substr(kSlot.size()));
  if (text.starts_with(kProvides)) return is_op_id(text.substr(kProvides.size()));
  return is_reference(text);
}

bool is_op_id(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || text.size() > 128) return false;
  const std::string_view name = text.substr(0, slash);
  const std::string_view version = text.substr(slash + 1);
  const bool numbered =
      !version.empty() && version.size() <= 5 && version[0] != '0' && all_of(version, is_digit);
  return numbered && name.find('.') != std::string_view::npos && is_lower(name[0]) &&
         each_part(name, '.', is_id_part);
}

bool is_dtype_claim(std::string_view text) {
  const std::size_t star = text.find('*');
  if (star == std::string_view::npos) return parse_dtype(text).has_value();
  return parse_dtype(text.substr(0, star)).has_value() && parse_dtype(text.substr(star + 1)).has_value();
}

bool is_inner_path(std::string_view text) {
  const auto inner = [](std::string_view part) { return !part.empty() && part != ".."; };
  return text.size() <= 1024 && std::none_of(text.begin(), text.end(), is_control) &&
         each_part(text, '/', inner);
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && all_of(text, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

bool is_file_name(std::string_view text) {
  return is_inner_path(text) && text.size() <= 255 && text != "." && text.find('/') == std::string_view::npos;
}

bool is_variable_name(std::string_view text) {
  const auto allowed = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
  return !text.empty() && text.size() <= 128 && !is_digit(text[0]) && all_of(text, allowed);
}

std::string display_text(std::string_view text, std::size_t limit) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool c1 =
        text[i] == '\xC2' && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1) ++i;  // U+0080 to U+009F: two bytes, as dangerous on a terminal as the first 32
    if (!c1 && !is_control(text[i])) out += text[i];
  }
  std::size_t size = std::min(out.size(), limit);
  while (size > 0 && size < out.size() && (static_cast<unsigned char>(out[size]) & 0xC0U) == 0x80U) --size;
  return out.substr(0, size);
}

}  // namespace belay::manifest
