// measure [--tiny]: how fast the plugin's kernels are on the first device, as one JSON object on standard
// output. Exits 77 where there is no driver or no device that can be used, and says which. --tiny: shapes for
// the emulated device.
#include "core/memory/tensor.hpp"
#include "tests/kernels/test_host.hpp"
#include "tools/gpu_check/timed.hpp"

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

using namespace belay;             // NOLINT(google-build-using-namespace)
using namespace belay::gpu_check;  // NOLINT(google-build-using-namespace)

namespace {

constexpr int kSkipped = 77;

// Peak rates of compute capability 6.1, by the data sheet: of each multiprocessor and clock.
constexpr double kFmaPerClock = 128;
constexpr double kDp4aPerClock = 128;

struct Machine {
  double bandwidth;  // bytes a second, measured by copying
  double f32_peak;   // operations a second; 0 where they are not known
  double dp4a_peak;
};

// One line of the report. A rate that is not known is null.
class Rows {
 public:
  void add(const std::string& name, double milliseconds, const char* unit, double rate, double peak) {
    text_ += (text_.empty() ? "" : ",") + std::string("{\"name\":\"") + name +
             "\",\"milliseconds\":" + number(milliseconds) + ",\"" + unit +
             "\":" + number(milliseconds > 0 ? rate / milliseconds * 1e3 : 0) +
             ",\"share\":" + number(milliseconds > 0 && peak > 0 ? rate / milliseconds * 1e3 / peak : 0) +
             "}";
  }
  [[nodiscard]] const std::string& text() const { return text_; }

  static std::string number(double value) {
    if (!(value > 0)) return "null";
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%.6g", value);
    return text.data();
  }

 private:
  std::string text_;
};

template <class T>
std::span<const std::byte> bytes_of(const T& attributes) {
  return std::as_bytes(std::span(&attributes, 1));
}

belay_tensor_t tensor(DType dtype, std::initializer_list<std::int64_t> shape) {
  return memory::describe(dtype, std::vector<std::int64_t>(shape), nullptr);
}

struct Sizes {
  std::int64_t rows;
  std::int64_t k;
  std::int64_t tokens;
  std::int64_t context;
  int repeats;
  std::uint64_t copied;
};
constexpr Sizes kUsual = {11008, 4096, 512, 4096, 20, std::uint64_t{128} << 20U};
constexpr Sizes kTiny = {40, 256, 20, 128, 1, std::uint64_t{1} << 20U};

// What every measurement needs.
struct Bench {
  cuda::Instance& instance;
  const Sizes& sizes;
  const Machine& machine;
  Rows& rows;
};

void measure_linear(const Bench& bench, DType dtype, std::int32_t numerics, std::int64_t tokens) {
  const std::int64_t k = bench.sizes.k;
  const std::int64_t n = bench.sizes.rows;
  const belay_linear_attributes_t attributes{sizeof(belay_linear_attributes_t), numerics};
  const OpSpec spec{BELAY_OP_LINEAR,
                    bytes_of(attributes),
                    {tensor(DType::kF32, {tokens, k})},
                    {tensor(dtype, {n, k})},
                    {tensor(DType::kF32, {tokens, n})}};
  Timed timed(bench.instance, spec, 0, tokens <= 8 ? 4 : 1);
  const bool bytewise = numerics == BELAY_NUMERICS_ACT_Q8;
  const std::string name = "linear " + std::string(to_string(dtype)) + (bytewise ? " act_q8 " : " f32 ") +
                           std::to_string(tokens) + "x" + std::to_string(k) + "x" + std::to_string(n);
  const double ms = timed.milliseconds(bench.sizes.repeats);
  if (tokens <= 8) {
    bench.rows.add(name, ms, "bytes_per_s", static_cast<double>(timed.weight_bytes()),
                   bench.machine.bandwidth);
  } else {
    bench.rows.add(name, ms, "operations_per_s", 2.0 * static_cast<double>(tokens * k * n),
                   bytewise ? bench.machine.dp4a_peak : bench.machine.f32_peak);
  }
}

void measure_all_linear(const Bench& bench) {
  for (const DType dtype : {DType::kF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                            DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    const bool quantised = dtype != DType::kF16;
    for (const std::int32_t numerics : {BELAY_NUMERICS_F32, BELAY_NUMERICS_ACT_Q8}) {
      if (numerics == BELAY_NUMERICS_ACT_Q8 && !quantised) continue;
      for (const std::int64_t tokens :
           {std::int64_t{1}, std::int64_t{4}, std::int64_t{8}, bench.sizes.tokens})
        measure_linear(bench, dtype, numerics, tokens);
    }
  }
}

void measure_attention(const Bench& bench, std::int64_t d, DType dtype, std::int64_t tokens) {
  constexpr std::int64_t kHeads = 32;
  constexpr std::int64_t kKvHeads = 8;
  constexpr std::int64_t kBlock = BELAY_KV_BLOCK;
  const belay_attention_attributes_t attributes{sizeof(belay_attention_attributes_t), BELAY_MASK_CAUSAL,
                                                0.125F, 0};
  const std::int64_t position = bench.sizes.context - tokens;
  const belay_tensor_t cache = tensor(dtype, {kKvHeads, bench.sizes.context / kBlock, kBlock, d});
  const belay_tensor_t q = tensor(DType::kF32, {tokens, kHeads, d});
  Timed timed(bench.instance, {BELAY_OP_ATTENTION, bytes_of(attributes), {q, cache, cache}, {}, {q}},
              static_cast<std::uint64_t>(position), 1);
  const std::string name = "attention " + std::string(to_string(dtype)) + " d=" + std::to_string(d) + " " +
                           std::to_string(tokens) + " tokens behind " + std::to_string(position);
  const double ms = timed.milliseconds(bench.sizes.repeats);
  if (tokens == 1) {
    bench.rows.add(name, ms, "bytes_per_s", 2.0 * static_cast<double>(cache.nbytes), bench.machine.bandwidth);
  } else {
    const double seen = static_cast<double>(position) + static_cast<double>(tokens + 1) / 2;
    bench.rows.add(name, ms, "operations_per_s", 4.0 * static_cast<double>(tokens * kHeads * d) * seen,
                   bench.machine.f32_peak);
  }
}

void measure_all_attention(const Bench& bench) {
  for (const std::int64_t d : {std::int64_t{64}, std::int64_t{128}}) {
    for (const DType dtype : {DType::kF16, DType::kQ8_0, DType::kF32}) {
      for (const std::int64_t tokens : {std::int64_t{1}, bench.sizes.tokens})
        measure_attention(bench, d, dtype, tokens);
    }
  }
}

int report(cuda::Instance& instance, const Sizes& sizes) {
  const cuda::DeviceFacts& facts = instance.device().facts();
  const bool pascal = instance.device().image() == cuda::ImageKind::kSass;
  const double clocks = pascal ? 1e3 * facts.clock_khz * facts.multiprocessors : 0;
  const Machine machine{copy_bandwidth(instance, sizes.copied), 2 * kFmaPerClock * clocks,
                        8 * kDp4aPerClock * clocks};
  Rows rows;
  const Bench bench{instance, sizes, machine, rows};
  measure_all_linear(bench);
  measure_all_attention(bench);
  std::printf(
      "{\"schema\":\"belay.gpu_check/"
      "1\",\"device\":{\"name\":\"%s\",\"compute_capability\":\"%d.%d\",\"multiprocessors\":%d,"
      "\"clock_mhz\":%d,\"memory_bytes\":%zu,\"driver\":%d,\"kernels\":\"%s\"},\"copy_bytes_per_s\":%s,"
      "\"rows\":[%s]}\n",
      facts.name.c_str(), facts.capability.major, facts.capability.minor, facts.multiprocessors,
      facts.clock_khz / 1000, facts.memory_bytes, instance.device().driver().version(),
      pascal ? "sm_61" : "ptx", Rows::number(machine.bandwidth).c_str(), rows.text().c_str());
  return 0;
}

bool means_nothing_to_measure(belay_status_t code) {
  return code == BELAY_NO_DRIVER || code == BELAY_NO_DEVICE || code == BELAY_DRIVER_TOO_OLD ||
         code == BELAY_NO_KERNEL_IMAGE;
}

}  // namespace

int main(int argc, char** argv) {
  const bool tiny = argc == 2 && std::string_view(argv[1]) == "--tiny";
  if (argc > 2 || (argc == 2 && !tiny)) {
    std::fprintf(stderr, "usage: measure [--tiny]\n");
    return 2;
  }
  try {
    const kernel_tests::TestHost host;
    belay_open_t options{};
    options.struct_size = sizeof options;
    cuda::Instance instance(sdk::Host(host.table()), options);
    return report(instance, tiny ? kTiny : kUsual);
  } catch (const sdk::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return means_nothing_to_measure(e.code()) ? kSkipped : 1;
  }
}
