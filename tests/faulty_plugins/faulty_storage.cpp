// nvme_offload on a system whose calls fail on demand: the settings `call` (a number of nvme::test::Call),
// `first`, `times` and `result` are a Fault. When it is closed it says how many faults there were.
#include "plugins/nvme_offload/instance.hpp"
#include "tests/plugins/nvme_offload/fake_system.hpp"

#include <belay/cpp/plugin.hpp>

#include <charconv>

namespace belay::nvme::test {
namespace {

std::int64_t number(const sdk::Host& host, const char* key, std::int64_t otherwise) {
  const std::string_view text = host.config(key, "");
  std::from_chars(text.data(), text.data() + text.size(), otherwise);
  return otherwise;
}

struct OwnScript {
  Script script;
};

class ScriptedSystem final : private OwnScript, public FakeSystem {
 public:
  explicit ScriptedSystem(sdk::Host host) : FakeSystem(script), host_(host) {
    script.fault = {static_cast<Call>(number(host, "call", static_cast<int>(Call::kCalls))),
                    static_cast<int>(number(host, "first", 0)), static_cast<int>(number(host, "times", 1)),
                    number(host, "result", 0)};
  }
  ~ScriptedSystem() override { host_.log(BELAY_LOG_INFO, "faults: %d", script.faults.load()); }

 private:
  sdk::Host host_;
};

class ScriptedInstance : public Instance {
 public:
  ScriptedInstance(sdk::Host host, const belay_open_t& /*options*/)
      : Instance(host, std::make_unique<ScriptedSystem>(host)) {}
};

}  // namespace
}  // namespace belay::nvme::test

BELAY_PLUGIN(belay::nvme::test::ScriptedInstance, "test.faulty_storage", "1.0.0")
