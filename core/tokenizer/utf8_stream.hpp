// Bytes of tokens, one after the other, into valid UTF-8: what is not yet a whole character waits for the
// next token, and what can never become one turns into U+FFFD, one for each maximal part of a sequence (as
// the reference's decoder does).
#pragma once

#include <string>
#include <string_view>

namespace belay::tokenizer {

class Utf8Stream {
 public:
  // The text that is certain after these bytes.
  [[nodiscard]] std::string feed(std::string_view bytes);
  // The rest: U+FFFD when a character was begun. The stream is as new afterwards.
  [[nodiscard]] std::string flush();

 private:
  std::string pending_;
};

}  // namespace belay::tokenizer
