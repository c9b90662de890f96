// Its note and manifest promise ABI 1.0, its entry then wants another one.
#include "tests/faulty_plugins/adder.hpp"

BELAY_PLUGIN_NOTE("test.entry_refuses_abi", "1.0.0");

extern "C" BELAY_EXPORT belay_status_t belay_plugin_entry_v1(const belay_host_t* host, belay_plugin_t* plugin,
                                                             belay_error_t* error);
extern "C" BELAY_EXPORT belay_status_t belay_plugin_entry_v1(const belay_host_t* host,
                                                             belay_plugin_t* /*plugin*/,
                                                             belay_error_t* error) {
  return belay::sdk::fail(error, BELAY_ABI_MISMATCH, "plugin speaks ABI 1.7 to 1.9, host %u.%u to %u.%u",
                          host->abi_major, host->min_minor, host->abi_major, host->max_minor);
}
