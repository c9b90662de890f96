#include "core/registry/host_services.hpp"

#include "core/base/log.hpp"
#include "core/base/text.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>

namespace belay::registry {

struct HostServices::Context {
  Context(const HostCallbacks& from, std::string_view id) : callbacks(from), plugin(id) {}

  const HostCallbacks& callbacks;
  const std::string plugin;
  std::atomic<std::uint64_t> bytes{0};
  belay_host_t table{};
};

// The C functions of the table. Nothing is thrown through the plugin.
struct Services {
  using Context = HostServices::Context;

  static Context& of(void* context) { return *static_cast<Context*>(context); }
  static std::string_view view(belay_str_t text) { return {text.data, text.data != nullptr ? text.size : 0}; }

  static void* allocate(void* context, std::uint64_t bytes, std::uint64_t alignment, belay_str_t) noexcept {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 39U;  // no machine of ours has as much: a wrong size
    if (!std::has_single_bit(alignment) || alignment > kMost || bytes > kMost) return nullptr;
    void* memory = nullptr;
    const std::uint64_t least = std::max<std::uint64_t>(alignment, sizeof(void*));
    if (::posix_memalign(&memory, least, std::max<std::uint64_t>(bytes, 1)) != 0) return nullptr;
    of(context).bytes.fetch_add(bytes, std::memory_order_relaxed);
    return memory;
  }

  static void release(void* context, void* memory, std::uint64_t bytes) noexcept {
    if (memory == nullptr) return;
    of(context).bytes.fetch_sub(bytes, std::memory_order_relaxed);
    std::free(memory);
  }

  static void log(void* context, std::int32_t level, belay_str_t message) noexcept {
    constexpr std::size_t kMaxLine = 2000;
    const auto clamped = std::clamp<std::int32_t>(level, BELAY_LOG_TRACE, BELAY_LOG_ERROR);
    try {
      log_text(static_cast<LogLevel>(clamped),
               format("{}: {}", of(context).plugin, printable(view(message), kMaxLine)));
    } catch (...) {  // no memory for the line: the line is lost, not the plugin's call
    }
  }

  static belay_status_t parallel_for(void* context, std::uint64_t count, std::uint64_t grain,
                                     belay_range_fn body, void* user) noexcept {
    if (body == nullptr) return BELAY_INVALID_ARGUMENT;
    const HostCallbacks& callbacks = of(context).callbacks;
    if (callbacks.parallel_for != nullptr)
      return callbacks.parallel_for(callbacks.threads, count, grain, body, user);
    if (count > 0) body(user, 0, count, 0);
    return BELAY_OK;
  }

  static std::uint32_t max_concurrency(void* context) noexcept {
    const HostCallbacks& callbacks = of(context).callbacks;
    return callbacks.max_concurrency != nullptr ? callbacks.max_concurrency(callbacks.threads) : 1;
  }

  static std::uint64_t now_ns(void*) noexcept {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  }

  static std::uint32_t cancelled(void* context) noexcept {
    const std::atomic<bool>* flag = of(context).callbacks.cancelled;
    return flag != nullptr && flag->load(std::memory_order_relaxed) ? 1 : 0;
  }

  static std::uint32_t has_cpu_feature(void* context, belay_str_t name) noexcept {
    const auto& features = of(context).callbacks.cpu_features;
    return std::find(features.begin(), features.end(), view(name)) != features.end() ? 1 : 0;
  }

  static belay_status_t config(void* context, belay_str_t key, belay_str_t* value) noexcept {
    if (value == nullptr) return BELAY_INVALID_ARGUMENT;
    try {
      const auto& config = of(context).callbacks.config;
      const auto found = config.find(format("{}.{}", of(context).plugin, view(key)));
      if (found == config.end()) return BELAY_UNSUPPORTED;
      *value = {found->second.data(), found->second.size()};
      return BELAY_OK;
    } catch (...) {
      return BELAY_OOM_HOST;
    }
  }

  static void trace_begin(void* context, belay_str_t name) noexcept {
    of(context).callbacks.trace->begin(view(name), of(context).plugin);
  }
  static void trace_end(void* context) noexcept { of(context).callbacks.trace->end(); }
  static void counter_add(void* context, belay_str_t name, std::int64_t delta) noexcept {
    of(context).callbacks.trace->count(view(name), of(context).plugin, delta);
  }

  static belay_host_t table(Context& context) {
    belay_host_t host{};
    host.struct_size = sizeof host;
    host.abi_major = BELAY_ABI_MAJOR;
    host.min_minor = 0;
    host.max_minor = BELAY_ABI_MINOR;
    host.context = &context;
    host.allocate = allocate;
    host.release = release;
    host.log = log;
    host.parallel_for = parallel_for;
    host.max_concurrency = max_concurrency;
    host.now_ns = now_ns;
    host.cancelled = cancelled;
    host.has_cpu_feature = has_cpu_feature;
    host.config = config;
    if (context.callbacks.trace != nullptr) {
      host.trace_begin = trace_begin;
      host.trace_end = trace_end;
      host.counter_add = counter_add;
    }
    return host;
  }
};

std::vector<std::string> usable_features(const hardware::Profile& profile) {
  return profile.cpu.isa.value_or(std::vector<std::string>{});
}

HostServices::HostServices(HostCallbacks callbacks) : callbacks_(std::move(callbacks)) {}
HostServices::~HostServices() = default;

const HostServices::Context* HostServices::find(std::string_view plugin_id) const {
  const auto found = std::find_if(contexts_.begin(), contexts_.end(),
                                  [&](const auto& context) { return context->plugin == plugin_id; });
  return found == contexts_.end() ? nullptr : found->get();
}

const belay_host_t& HostServices::table(std::string_view plugin_id) {
  if (const Context* known = find(plugin_id)) return known->table;
  Context& context = *contexts_.emplace_back(std::make_unique<Context>(callbacks_, plugin_id));
  context.table = Services::table(context);
  return context.table;
}

std::uint64_t HostServices::bytes_in_use(std::string_view plugin_id) const {
  const Context* context = find(plugin_id);
  return context != nullptr ? context->bytes.load(std::memory_order_relaxed) : 0;
}

}  // namespace belay::registry
