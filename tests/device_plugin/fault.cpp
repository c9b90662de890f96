#include "tests/device_plugin/fault.hpp"

#include <charconv>

namespace test_device {

Fault::Fault(sdk::Host host) : how_(host.config("fail_how", "op")) {
  if (how_ != "op" && how_ != "oom" && how_ != "lost" && how_ != "later")
    throw sdk::Error(BELAY_INVALID_ARGUMENT, "fail_how is \"%.*s\"", static_cast<int>(how_.size()),
                     how_.data());
  read(host, "fail_at", at_);
  read(host, "most_tokens", most_tokens_);
}

void Fault::read(sdk::Host host, const char* key, std::uint64_t& number) {
  const std::string_view text = host.config(key, "");
  if (text.empty()) return;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || end != text.data() + text.size())
    throw sdk::Error(BELAY_INVALID_ARGUMENT, "%s is no number", key);
}

belay_status_t Fault::fail(belay_error_t* error) {
  if (how_ == "oom") return sdk::fail(error, BELAY_OOM_DEVICE, "as told");
  if (how_ == "op") return sdk::fail(error, BELAY_INTERNAL, "as told");
  lost_ = true;
  return sdk::fail(error, BELAY_DEVICE_LOST, "as told");
}

belay_status_t Fault::strike(belay_error_t* error) {
  if (lost_) return sdk::fail(error, BELAY_DEVICE_LOST, "the device is gone");
  return is_due() ? fail(error) : belay_status_t{BELAY_OK};
}

belay_status_t Fault::strike_run(std::uint64_t tokens, belay_error_t* error) {
  if (tokens > most_tokens_) return sdk::fail(error, BELAY_OOM_DEVICE, "no memory for so many tokens");
  const bool silent = how_ == "later" && calls_ == at_;
  const belay_status_t status = strike(error);
  return silent ? belay_status_t{BELAY_OK} : status;  // it is lost all the same
}

belay_status_t Fault::strike_wait(belay_error_t* error) {
  ++waits_;
  return strike(error);
}

}  // namespace test_device
