#include "core/dispatch/backend.hpp"

#include "core/base/log.hpp"

namespace belay::dispatch {

Result<Compute> Backend::compute() {
  if (compute_) return *compute_;
  if (!healthy_) return fail(ErrorCode::kNoPlugin, "{}: {}", id_, trouble_);
  auto opened = open_();
  if (!opened.ok()) {
    healthy_ = false;
    trouble_ = opened.error().message;
    return std::move(opened).error();
  }
  compute_ = *opened;
  if (compute_->memory != nullptr) {
    auto device = Device::create(id_, *compute_->memory, compute_->instance);
    if (device.ok()) {
      device_ = *std::move(device);
    } else {
      log(LogLevel::kWarn, "{} gets its operands from host memory at every call: {}", id_,
          device.error().message);
    }
  }
  return *compute_;
}

std::vector<Reading> Backend::readings() const {
  if (!compute_ || !healthy_ || compute_->telemetry == nullptr) return {};
  return read_telemetry(*compute_->telemetry, compute_->instance);
}

void Backend::count_failure(const Failure& failure) {
  if (failures_ == 0 || calls_ - window_start_ > kWindowCalls) {
    window_start_ = calls_;
    failures_ = 0;
  }
  ++failures_;
  const bool beyond_the_op = is_beyond_the_op(failure);
  if (!beyond_the_op && failures_ < kFailuresAllowed) return;
  if (!healthy_) return;
  healthy_ = false;
  trouble_ = beyond_the_op ? text(failure)
                           : format("{} failures within {} calls, the last: {}", failures_, kWindowCalls,
                                    text(failure));
  log(LogLevel::kWarn, "{} is out of use from here on: {}", id_, trouble_);
}

}  // namespace belay::dispatch
