// Adds wrongly by 1e-3: every call succeeds, only a known answer shows it.
#include "tests/faulty_plugins/adder.hpp"

namespace {

class Instance : public faulty::Adder {
 public:
  using Adder::Adder;
  [[nodiscard]] faulty::sdk::KernelPtr bind(const belay_op_t& /*op*/, const void* /*buffer*/,
                                            uint64_t /*bytes*/) const {
    return std::make_unique<faulty::Add>(1e-3F);
  }
};

}  // namespace

BELAY_PLUGIN(Instance, "test.bad_known_answer", "1.0.0")
