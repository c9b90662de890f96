// Ends the process with exit code 0 when it is asked for its devices: success is not what it looks like.
#include "tests/faulty_plugins/adder.hpp"

#include <cstdlib>

namespace {

class Instance : public faulty::Adder {
 public:
  using Adder::Adder;
  static belay_status_t probe(faulty::sdk::Host host, belay_device_t* devices, uint64_t capacity,
                              uint64_t* count, belay_error_t* error) {
    if (faulty::nowhere == nullptr) std::_Exit(0);
    return Adder::probe(host, devices, capacity, count, error);
  }
};

}  // namespace

BELAY_PLUGIN(Instance, "test.exits_in_probe", "1.0.0")
