// Throws in the function that the setting "throw_in" names: probe (the default), open, supports, bind or run.
// The SDK turns each exception into a status.
#include "tests/faulty_plugins/adder.hpp"

#include <stdexcept>
#include <string>

namespace {

namespace sdk = faulty::sdk;

void throw_if(sdk::Host host, const char* where) {
  if (host.config("throw_in", "probe") == where) throw std::runtime_error(std::string("thrown in ") + where);
}

class Thrower final : public sdk::Kernel<Thrower> {
 public:
  [[nodiscard]] uint64_t workspace(uint64_t /*tokens*/) const override { return 0; }
  belay_status_t run(const belay_run_t& /*run*/) { throw std::runtime_error("thrown in run"); }
};

class Instance : public faulty::Adder {
 public:
  Instance(sdk::Host host, const belay_open_t& options) : Adder(host, options), host_(host) {
    throw_if(host, "open");
  }

  static belay_status_t probe(sdk::Host host, belay_device_t* devices, uint64_t capacity, uint64_t* count,
                              belay_error_t* error) {
    throw_if(host, "probe");
    return Adder::probe(host, devices, capacity, count, error);
  }

  [[nodiscard]] sdk::Support supports(const belay_op_t& op) const {
    throw_if(host_, "supports");
    return Adder::supports(op);
  }

  [[nodiscard]] sdk::KernelPtr bind(const belay_op_t& op, const void* buffer, uint64_t bytes) const {
    throw_if(host_, "bind");
    if (host_.config("throw_in") == "run") return std::make_unique<Thrower>();
    return Adder::bind(op, buffer, bytes);
  }

 private:
  sdk::Host host_;
};

}  // namespace

BELAY_PLUGIN(Instance, "test.throws_everywhere", "1.0.0")
