// The driver: how it is found, what its results mean, and that nothing is called after a sticky one.
#include "plugins/cuda_sm61/driver/driver.hpp"

#include "plugins/cuda_sm61/device/facts.hpp"
#include "tests/plugins/cuda_sm61/driver/fake_cuda.hpp"
#include "tests/support/doctest.hpp"

#include <belay/cpp/guard.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>

namespace belay::cuda {
namespace {

struct Thrown {
  belay_status_t code = BELAY_OK;
  std::int64_t native = 0;
  std::string message;
};

Thrown open_driver(const char* library = Driver::kLibrary) {
  try {
    const Driver driver(library);
    return {};
  } catch (const sdk::Error& e) {
    return {e.code(), e.native_code(), e.what()};
  }
}

TEST_CASE("a machine without a driver says so, and quickly") {
  double best_ms = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const Thrown thrown = open_driver("libcuda_that_is_nowhere.so.1");
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    best_ms = std::min(best_ms, taken.count());
    CHECK(thrown.code == BELAY_NO_DRIVER);
    CHECK(thrown.message.find("libcuda_that_is_nowhere.so.1") != std::string::npos);
  }
  CHECK(best_ms < 5);
}

TEST_CASE("a driver that lacks an entry point is too old, and the entry point is named") {
  const Thrown thrown = open_driver(BELAY_TEST_OLD_CUDA);
  CHECK(thrown.code == BELAY_DRIVER_TOO_OLD);
  CHECK(thrown.message.find("cuDriverGetVersion") != std::string::npos);
}

TEST_CASE("what the driver says at its start becomes a status") {
  const std::pair<int, belay_status_t> cases[] = {{34, BELAY_NO_DRIVER},
                                                  {100, BELAY_NO_DEVICE},
                                                  {803, BELAY_DRIVER_TOO_OLD},
                                                  {802, BELAY_DEVICE_BUSY},
                                                  {999, BELAY_INTERNAL}};
  for (const auto& [said, status] : cases) {
    const int result = said;
    CAPTURE(result);
    belay_fake_cuda().reset();
    belay_fake_cuda().settings().init_result = result;
    const Thrown thrown = open_driver();
    CHECK(thrown.code == status);
    CHECK(thrown.native == result);
  }
  belay_fake_cuda().reset();
  CHECK(open_driver().code == BELAY_OK);
}

TEST_CASE("results fill an error with their class, scope and number") {
  belay_error_t error{};
  error.struct_size = sizeof error;
  CHECK(fail(&error, kOutOfMemory, "a try") == BELAY_OOM_DEVICE);
  CHECK(error.scope == BELAY_SCOPE_OUT_OF_MEMORY);
  CHECK(error.native_code == kOutOfMemory);
  CHECK(std::strstr(error.message, "a try: CUDA error 2, out of memory") != nullptr);
  for (const Result sticky : {700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 214}) {
    CAPTURE(sticky);
    CHECK(is_sticky(sticky));
    CHECK(fail(&error, sticky, "a try") == BELAY_DEVICE_LOST);
    CHECK(error.scope == BELAY_SCOPE_DEVICE);
  }
  for (const Result other : {1, 2, 209, 400, 600, 701, 999, 123456}) {
    CAPTURE(other);
    CHECK_FALSE(is_sticky(other));
    CHECK(status_of(other) != BELAY_OK);
    CHECK(status_of(other) != BELAY_DEVICE_LOST);
  }
  CHECK(fail(&error, 999, "a try") == BELAY_INTERNAL);
  CHECK(error.scope == BELAY_SCOPE_OP);
}

TEST_CASE("after a sticky result nothing is called any more") {
  belay_fake_cuda().reset();
  const Driver driver;
  belay_fake_cuda().settings().fail_at = 0;
  belay_fake_cuda().settings().fail_with = 719;
  belay_fake_cuda().reset_calls();
  int count = 0;
  CHECK(driver.call(&Api::device_count, &count) == 719);
  CHECK(driver.lost() == 719);
  for (int i = 0; i < 3; ++i) CHECK(driver.call(&Api::device_count, &count) == 719);
  CHECK(belay_fake_cuda().counts().calls == 1);
}

TEST_CASE("kernels are chosen by compute capability") {
  const std::pair<Capability, ImageKind> cases[] = {{{5, 0}, ImageKind::kNone}, {{5, 2}, ImageKind::kNone},
                                                    {{6, 0}, ImageKind::kNone}, {{6, 1}, ImageKind::kSass},
                                                    {{6, 2}, ImageKind::kPtx},  {{7, 0}, ImageKind::kPtx},
                                                    {{8, 6}, ImageKind::kPtx},  {{12, 0}, ImageKind::kPtx}};
  for (const auto& [of_device, kind] : cases) {
    const Capability capability = of_device;
    CAPTURE(capability.major);
    CAPTURE(capability.minor);
    CHECK(image_for(capability) == kind);
  }
}

}  // namespace
}  // namespace belay::cuda
