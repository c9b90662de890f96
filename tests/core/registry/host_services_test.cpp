// The table of services that a plugin gets, called as a plugin calls it.
#include "core/registry/host_services.hpp"

#include "core/base/log.hpp"
#include "core/registry/abi_text.hpp"
#include "tests/core/registry/support.hpp"
#include "tests/support/doctest.hpp"

#include <belay/cpp/host.hpp>

#include <cstdint>

namespace belay::registry::test {
namespace {

TEST_CASE("memory is aligned and accounted for") {
  HostServices services({});
  const belay_host_t& host = services.table("p");
  for (const std::uint64_t alignment : {1U, 2U, 8U, 64U, 4096U}) {
    void* memory = host.allocate(host.context, 100, alignment, abi_string("tag"));
    REQUIRE(memory != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(memory) % alignment == 0);
    CHECK(services.bytes_in_use("p") == 100);
    host.release(host.context, memory, 100);
    CHECK(services.bytes_in_use("p") == 0);
  }
  void* nothing = host.allocate(host.context, 0, 64, abi_string("tag"));
  CHECK(nothing != nullptr);
  host.release(host.context, nothing, 0);
  host.release(host.context, nullptr, 10);
  CHECK(services.bytes_in_use("p") == 0);
  CHECK(host.allocate(host.context, 10, 0, abi_string("")) == nullptr);
  CHECK(host.allocate(host.context, 10, 24, abi_string("")) == nullptr);
  CHECK(host.allocate(host.context, ~std::uint64_t{0} - 100, 64, abi_string("")) == nullptr);
  CHECK(services.bytes_in_use("p") == 0);
}

TEST_CASE("log lines carry the plugin's id and cannot carry control characters") {
  std::vector<std::string> lines;
  set_log_sink([&](LogLevel level, std::string_view text) {
    lines.push_back(std::string(level == LogLevel::kWarn ? "W " : "? ") + std::string(text));
  });
  HostServices services({});
  const belay_host_t& host = services.table("acme.npu");
  host.log(host.context, BELAY_LOG_WARN, abi_string("hot\x1b[2J"));
  host.log(host.context, 99, abi_string("odd level"));
  host.log(host.context, BELAY_LOG_INFO, belay_str_t{nullptr, 5});
  set_log_sink({});
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "W acme.npu: hot\\x1b[2J");
  CHECK(lines[1] == "? acme.npu: odd level");
}

TEST_CASE("settings belong to one plugin") {
  HostCallbacks callbacks;
  callbacks.config = {{"a.key", "one"}, {"b.key", "two"}};
  HostServices services(std::move(callbacks));
  const auto asked = [&](const char* plugin, const char* key) {
    const belay_host_t& host = services.table(plugin);
    belay_str_t value{};
    return host.config(host.context, abi_string(key), &value) == BELAY_OK ? shown(value) : "none";
  };
  CHECK(asked("a", "key") == "one");
  CHECK(asked("b", "key") == "two");
  CHECK(asked("c", "key") == "none");
  CHECK(asked("a", "other") == "none");
  CHECK(&services.table("a") == &services.table("a"));
  CHECK(services.table("a").context != services.table("b").context);
}

TEST_CASE("CPU features are those of the profile") {
  hardware::Profile machine = profile();
  machine.cpu.isa = std::vector<std::string>{"avx2", "sse4.1"};
  HostCallbacks callbacks;
  callbacks.cpu_features = usable_features(machine);
  HostServices services(std::move(callbacks));
  const belay_host_t& host = services.table("p");
  CHECK(host.has_cpu_feature(host.context, abi_string("avx2")) == 1);
  CHECK(host.has_cpu_feature(host.context, abi_string("sse4.1")) == 1);
  CHECK(host.has_cpu_feature(host.context, abi_string("avx")) == 0);
  CHECK(host.has_cpu_feature(host.context, belay_str_t{nullptr, 4}) == 0);
  machine.cpu.isa.reset();
  CHECK(usable_features(machine).empty());
}

TEST_CASE("work runs on the host's threads when it has some, else on the caller") {
  std::vector<std::uint64_t> seen;
  const auto body = [](void* user, std::uint64_t begin, std::uint64_t end, std::uint32_t worker) {
    CHECK(worker == 0);
    for (std::uint64_t i = begin; i < end; ++i) static_cast<std::vector<std::uint64_t>*>(user)->push_back(i);
  };
  HostServices plain({});
  const belay_host_t& serial = plain.table("p");
  CHECK(serial.parallel_for(serial.context, 3, 1, body, &seen) == BELAY_OK);
  CHECK(seen == std::vector<std::uint64_t>{0, 1, 2});
  CHECK(serial.parallel_for(serial.context, 0, 1, body, &seen) == BELAY_OK);
  CHECK(seen.size() == 3);
  CHECK(serial.max_concurrency(serial.context) == 1);
  CHECK(serial.parallel_for(serial.context, 3, 1, nullptr, &seen) == BELAY_INVALID_ARGUMENT);

  struct Threads {
    std::uint64_t count = 0;
    std::uint64_t grain = 0;
  } threads;
  HostCallbacks callbacks;
  callbacks.threads = &threads;
  callbacks.parallel_for = [](void* mine, std::uint64_t count, std::uint64_t grain, belay_range_fn run,
                              void* user) {
    *static_cast<Threads*>(mine) = {count, grain};
    run(user, 0, count, 0);
    return belay_status_t{BELAY_OK};
  };
  callbacks.max_concurrency = [](void*) { return std::uint32_t{7}; };
  HostServices services(std::move(callbacks));
  const belay_host_t& host = services.table("p");
  CHECK(host.parallel_for(host.context, 5, 2, body, &seen) == BELAY_OK);
  CHECK(threads.count == 5);
  CHECK(threads.grain == 2);
  CHECK(seen.size() == 8);
  CHECK(host.max_concurrency(host.context) == 7);
}

TEST_CASE("the user's wish to stop reaches the plugin, and time goes on") {
  std::atomic<bool> stop{false};
  HostCallbacks callbacks;
  callbacks.cancelled = &stop;
  HostServices services(std::move(callbacks));
  const belay_host_t& host = services.table("p");
  CHECK(host.cancelled(host.context) == 0);
  stop = true;
  CHECK(host.cancelled(host.context) == 1);
  const std::uint64_t before = host.now_ns(host.context);
  CHECK(host.now_ns(host.context) >= before);
  CHECK(host.struct_size == sizeof(belay_host_t));
  CHECK(host.abi_major == BELAY_ABI_MAJOR);
}

TEST_CASE("there is a trace for plugins only when the user asked for one") {
  HostServices plain({});
  const belay_host_t& untraced = plain.table("p");
  CHECK((untraced.trace_begin == nullptr));
  CHECK((untraced.trace_end == nullptr));
  CHECK((untraced.counter_add == nullptr));
  const sdk::Host silent(&untraced);
  silent.count("nothing", 1);
  { const auto span = silent.span("nothing"); }

  monitoring::Trace trace;
  HostCallbacks callbacks;
  callbacks.trace = &trace;
  HostServices services(std::move(callbacks));
  const sdk::Host host(&services.table("acme.npu"));
  {
    const auto outer = host.span("outer");
    const auto inner = host.span("inner");
    host.count("tiles", 3);
  }
  const std::string text = trace.to_chrome_json();
  const auto at = [&](const char* part) { return text.find(part); };
  REQUIRE(at("\"outer\"") != std::string::npos);
  REQUIRE(at("\"inner\"") != std::string::npos);
  CHECK(at("\"outer\"") < at("\"inner\""));
  CHECK(at(R"("name":"acme.npu.tiles","args":{"value":3})") != std::string::npos);
  CHECK(at(R"("args":{"plugin":"acme.npu"})") != std::string::npos);
}

}  // namespace
}  // namespace belay::registry::test
