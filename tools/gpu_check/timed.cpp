#include "tools/gpu_check/timed.hpp"

#include "core/memory/tensor.hpp"
#include "plugins/cuda_sm61/memory_interface.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace belay::gpu_check {
namespace {

constexpr int kSeries = 5;
constexpr std::uint32_t kByte = 0x11;  // as float, half and block a small finite number

const belay_memory_t& memory() { return *cuda::memory_table(); }
belay_instance_t* handle(cuda::Instance& instance) { return reinterpret_cast<belay_instance_t*>(&instance); }
cuda::StreamHandle raw(belay_stream_t* stream) { return reinterpret_cast<cuda::Stream*>(stream)->handle(); }

double median(std::array<double, kSeries> values) {
  std::sort(values.begin(), values.end());
  return values[kSeries / 2];
}

// Milliseconds of what `work` queues, by events on its stream.
template <class Work>
double elapsed(const cuda::Driver& driver, cuda::StreamHandle stream, cuda::EventHandle begin,
               cuda::EventHandle end, const Work& work) {
  cuda::require(driver.call(&cuda::Api::record_event, begin, stream), "timing");
  work();
  cuda::require(driver.call(&cuda::Api::record_event, end, stream), "timing");
  cuda::require(driver.call(&cuda::Api::finish_event, end), "timing");
  float milliseconds = 0;
  cuda::require(driver.call(&cuda::Api::event_time, &milliseconds, begin, end), "timing");
  return double{milliseconds};
}

std::vector<belay_tensor_t> open_tokens(std::vector<belay_tensor_t> tensors) {
  for (belay_tensor_t& tensor : tensors) {
    if (tensor.rank != 4) memory::resize(tensor, 0, BELAY_DYNAMIC);  // a cache has no tokens
  }
  return tensors;
}

}  // namespace

Timed::Timed(cuda::Instance& instance, OpSpec spec, std::uint64_t position, int copies)
    : instance_(instance), spec_(std::move(spec)), inputs_(spec_.inputs), outputs_(spec_.outputs) {
  error_.struct_size = sizeof error_;
  must(memory().stream_create(handle(instance_), &stream_, &error_));
  const cuda::Driver& driver = instance_.device().driver();
  cuda::require(driver.call(&cuda::Api::create_event, &begin_, 0U), "timing");
  cuda::require(driver.call(&cuda::Api::create_event, &end_, 0U), "timing");
  for (std::vector<belay_tensor_t>* tensors : {&inputs_, &outputs_}) {
    for (belay_tensor_t& tensor : *tensors) tensor.buffer = filled_buffer(tensor.nbytes);
  }
  spec_.inputs = open_tokens(std::move(spec_.inputs));
  spec_.outputs = open_tokens(std::move(spec_.outputs));
  bind(copies);
  for (const belay_tensor_t& tensor : inputs_) input_pointers_.push_back(&tensor);
  for (const belay_tensor_t& tensor : outputs_) output_pointers_.push_back(&tensor);
  run_.struct_size = sizeof run_;
  run_.inputs = input_pointers_.data();
  run_.input_count = input_pointers_.size();
  run_.outputs = output_pointers_.data();
  run_.output_count = output_pointers_.size();
  run_.position = position;
  run_.stream = stream_;
  run_.error = &error_;
  run_.workspace_bytes = kernels_[0]->workspace(static_cast<std::uint64_t>(inputs_[0].shape[0]));
  run_.workspace_buffer = filled_buffer(run_.workspace_bytes);
}

Timed::~Timed() {
  const cuda::Driver& driver = instance_.device().driver();
  (void)instance_.drain(0, nullptr);
  kernels_.clear();
  (void)driver.call(&cuda::Api::destroy_event, begin_);
  (void)driver.call(&cuda::Api::destroy_event, end_);
  for (const std::uint64_t buffer : buffers_) memory().free(handle(instance_), buffer);
  memory().stream_destroy(stream_);
}

void Timed::bind(int copies) {
  op_.struct_size = sizeof op_;
  op_.id = sdk::str(spec_.id);
  op_.attributes = spec_.attributes.data();
  op_.attributes_size = spec_.attributes.size();
  op_.inputs = spec_.inputs.data();
  op_.input_count = spec_.inputs.size();
  op_.constants = spec_.constants.data();
  op_.constant_count = spec_.constants.size();
  op_.outputs = spec_.outputs.data();
  op_.output_count = spec_.outputs.size();
  weight_bytes_ = instance_.packed(op_).bytes;
  for (int i = 0; i < copies; ++i) {
    if (weight_bytes_ == 0) {
      kernels_.push_back(instance_.bind(op_, nullptr, 0));
    } else {
      kernels_.push_back(instance_.bind_device(op_, filled_buffer(weight_bytes_), 0, weight_bytes_));
    }
  }
}

double Timed::milliseconds(int repeats) {
  for (std::size_t i = 0; i < kernels_.size(); ++i) queue(i);
  std::array<double, kSeries> series{};
  for (double& each : series) {
    each = elapsed(instance_.device().driver(), raw(stream_), begin_, end_,
                   [&] {
                     for (int i = 0; i < repeats; ++i) queue(static_cast<std::size_t>(i) % kernels_.size());
                   }) /
           repeats;
  }
  return median(series);
}

void Timed::queue(std::size_t set) { must(kernels_[set]->run(kernels_[set].get(), &run_)); }

std::uint64_t Timed::filled_buffer(std::uint64_t bytes) {
  std::uint64_t buffer = 0;
  must(memory().alloc(handle(instance_), cuda::kDeviceBuffer, bytes, &buffer, &error_));
  buffers_.push_back(buffer);
  must(memory().fill(handle(instance_), stream_, buffer, 0, bytes, kByte, &error_));
  return buffer;
}

void Timed::must(belay_status_t status) const {
  if (status != BELAY_OK) throw sdk::Error(status, "%s", error_.message);
}

double copy_bandwidth(cuda::Instance& instance, std::uint64_t bytes) {
  constexpr int kRepeats = 10;
  const cuda::Driver& driver = instance.device().driver();
  const cuda::DeviceMemory from(instance.device().arena(), bytes, "copying");
  const cuda::DeviceMemory to(instance.device().arena(), bytes, "copying");
  const auto work = instance.device().host_work();
  cuda::EventHandle begin = nullptr;
  cuda::EventHandle end = nullptr;
  cuda::require(driver.call(&cuda::Api::create_event, &begin, 0U), "timing");
  cuda::require(driver.call(&cuda::Api::create_event, &end, 0U), "timing");
  std::array<double, kSeries> series{};
  for (double& each : series) {
    each = elapsed(driver, work.stream.handle(), begin, end,
                   [&] {
                     for (int i = 0; i < kRepeats; ++i) {
                       const std::size_t size = bytes;
                       cuda::require(driver.call(&cuda::Api::copy_on_device, to.address(), from.address(),
                                                 size, work.stream.handle()),
                                     "copying");
                     }
                   }) /
           kRepeats;
  }
  (void)driver.call(&cuda::Api::destroy_event, begin);
  (void)driver.call(&cuda::Api::destroy_event, end);
  const double milliseconds = median(series);
  return milliseconds > 0 ? 2.0 * static_cast<double>(bytes) / milliseconds * 1e3 : 0;
}

}  // namespace belay::gpu_check
