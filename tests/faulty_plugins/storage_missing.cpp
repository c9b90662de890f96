// Sound, but its manifest claims belay.storage/1, which it does not offer.
#include "tests/faulty_plugins/adder.hpp"

BELAY_PLUGIN(faulty::Adder, "test.storage_missing", "1.0.0")
