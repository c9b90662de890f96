// Talks to stdout, which belongs to the host's data, and to stderr.
#include "tests/faulty_plugins/adder.hpp"

#include <cstdio>

namespace {

class Instance : public faulty::Adder {
 public:
  using Adder::Adder;
  static belay_status_t probe(faulty::sdk::Host host, belay_device_t* devices, uint64_t capacity,
                              uint64_t* count, belay_error_t* error) {
    std::puts("hello from a plugin");
    std::fputs("and from its other stream\n", stderr);
    std::fflush(stdout);
    return Adder::probe(host, devices, capacity, count, error);
  }
};

}  // namespace

BELAY_PLUGIN(Instance, "test.prints_to_stdout", "1.0.0")
