// Dies of SIGSEGV when it is asked for its devices.
#include "tests/faulty_plugins/adder.hpp"

namespace {

class Instance : public faulty::Adder {
 public:
  using Adder::Adder;
  static belay_status_t probe(faulty::sdk::Host host, belay_device_t* devices, uint64_t capacity,
                              uint64_t* count, belay_error_t* error) {
    *faulty::unmapped = 1;
    return Adder::probe(host, devices, capacity, count, error);
  }
};

}  // namespace

BELAY_PLUGIN(Instance, "test.crash_in_probe", "1.0.0")
