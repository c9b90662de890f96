#include "tests/plugins/cuda_sm61/driver/machine.hpp"

#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string_view>

namespace belay::fake_cuda {
namespace {

// BELAY_FAKE_CUDA="minor=2 memory=67108864": for children, which no test can reach.
Settings settings_of_environment() {
  Settings settings;
  const char* text = std::getenv("BELAY_FAKE_CUDA");
  std::istringstream words(text != nullptr ? text : "");
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = word.substr(0, equals);
    const long long value = std::atoll(word.c_str() + equals + 1);
    if (name == "devices") settings.devices = static_cast<int>(value);
    if (name == "major") settings.major = static_cast<int>(value);
    if (name == "minor") settings.minor = static_cast<int>(value);
    if (name == "memory") settings.memory_bytes = static_cast<std::uint64_t>(value);
    if (name == "init_result") settings.init_result = static_cast<int>(value);
    if (name == "module_result") settings.module_result = static_cast<int>(value);
    if (name == "context_result") settings.context_result = static_cast<int>(value);
  }
  return settings;
}

// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): final, and nobody can delete it by its base
class TheControl final : public Control {
 public:
  Settings& settings() override { return machine().settings; }
  Counts counts() override {
    Machine& m = machine();
    const std::lock_guard lock(m.mutex);
    Counts counts = m.counts;
    counts.live_allocations = m.memory.allocations();
    counts.live_bytes = m.memory.bytes();
    counts.live_pinned = m.queues.pinned_count();
    counts.live_objects = m.queues.object_count() + m.modules.size();
    return counts;
  }
  void reset_calls() override {
    Machine& m = machine();
    const std::lock_guard lock(m.mutex);
    m.counts = {};
    m.log.clear();
  }
  void reset() override {
    Machine& m = machine();
    const std::lock_guard lock(m.mutex);
    m.settings = settings_of_environment();
    m.counts = {};
    m.log.clear();
    m.launch_error.clear();
    m.initialised = false;
    m.contexts = 0;
    m.stuck = cuda::kSuccess;
    m.stuck_reported = false;
    m.queues.forget();
    m.memory.clear();
    m.modules.clear();
    m.pinned.clear();
    thread_has_context() = false;
  }
  std::vector<std::string> log() override { return machine().log; }
  std::string launch_error() override { return machine().launch_error; }
};

}  // namespace

Machine& machine() {
  static Machine* const the = [] {
    auto* made = new Machine;
    made->settings = settings_of_environment();
    return made;
  }();
  return *the;
}

bool& thread_has_context() {
  thread_local bool has = false;
  return has;
}

Call::Call(const char* symbol, Kind kind, bool needs_context)
    : m(machine()), lock_(m.mutex), verdict_(judge(symbol, kind, needs_context)) {}

Result Call::judge(const char* symbol, Kind kind, bool needs_context) {
  constexpr Result kNotInitialised = 3;
  constexpr Result kInvalidContext = 201;
  ++m.counts.calls;
  if (m.settings.keep_log) m.log.emplace_back(symbol);
  if (m.stuck != cuda::kSuccess) {
    if (m.stuck_reported) ++m.counts.calls_when_stuck;
    m.stuck_reported = true;
    return m.stuck;
  }
  if (is_to_fail(symbol)) {
    const Result result = m.settings.fail_with;
    if (!cuda::is_sticky(result)) return result;
    m.stuck = result;
    m.queues.forget_work();
    m.stuck_reported = kind == Kind::kAnswers;
    return kind == Kind::kQueues ? cuda::kSuccess : result;
  }
  if (!m.initialised && std::strcmp(symbol, "cuInit") != 0) return kNotInitialised;
  if (needs_context && !thread_has_context()) return kInvalidContext;
  return cuda::kSuccess;
}

bool Call::is_to_fail(const char* symbol) {
  const Settings& settings = m.settings;
  if (!settings.fail_symbol.empty() && settings.fail_symbol != symbol) return false;
  const auto number = static_cast<std::int64_t>(m.counts.matching++);
  return settings.fail_at >= 0 && number >= settings.fail_at &&
         number - settings.fail_at < settings.fail_times;
}

}  // namespace belay::fake_cuda

extern "C" belay::fake_cuda::Control& belay_fake_cuda() {
  static belay::fake_cuda::TheControl control;
  return control;
}
