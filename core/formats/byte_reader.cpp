#include "core/formats/byte_reader.hpp"

#include "core/base/text.hpp"

namespace belay::formats {

Result<Xxh3> ByteReader::hash(std::string_view what) {
  Xxh3 hash = {};
  for (std::uint64_t& half : hash) {
    BELAY_TRY_ASSIGN(half, number<std::uint64_t>(what));
  }
  return hash;
}

Result<std::string_view> ByteReader::string(std::uint64_t max_bytes, std::string_view what) {
  const std::uint64_t start = at_;
  BELAY_TRY_ASSIGN(const auto length, number<std::uint64_t>(what));
  if (length > max_bytes)
    return error_at(start, "{} claims {} bytes, at most {} are read", what, length, max_bytes);
  BELAY_TRY_ASSIGN(const auto text, bytes(length, what));
  return std::string_view(reinterpret_cast<const char*>(text.data()), text.size());
}

Result<std::string_view> ByteReader::name(std::string_view what) {
  const std::uint64_t start = at_;
  BELAY_TRY_ASSIGN(const std::string_view text, string(kMaxNameBytes, what));
  if (text.empty()) return error_at(start, "{} is empty", what);
  if (find_invalid_utf8(text) != std::string_view::npos) {
    return error_at(start, "{} is not valid UTF-8: '{}'", what, printable(text));
  }
  return text;
}

Error ByteReader::truncated(std::string_view what, std::uint64_t needed) const {
  return error_at(at_, "{} needs {} bytes, {} are left; the download may be incomplete: fetch the file again",
                  what, needed, left());
}

Error ByteReader::describe(std::uint64_t offset, const std::string& text) const {
  return fail(ErrorCode::kBadInput, "{}: at byte {}: {}", printable(file_, 400), offset, text);
}

}  // namespace belay::formats
