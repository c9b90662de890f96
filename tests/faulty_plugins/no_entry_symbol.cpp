// Has a note, and no entry.
#include <belay/plugin.h>

BELAY_PLUGIN_NOTE("test.no_entry_symbol", "1.0.0");
