// A sound plugin, of which the build keeps only the first half: dlopen of such a file may kill the host.
#include "tests/faulty_plugins/adder.hpp"

BELAY_PLUGIN(faulty::Adder, "test.truncated", "1.0.0")
