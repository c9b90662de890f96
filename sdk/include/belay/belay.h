/* Everything a plugin may need. */
#ifndef BELAY_BELAY_H
#define BELAY_BELAY_H

#include <belay/abi.h>
#include <belay/ext/compute.h>
#include <belay/ext/memory.h>
#include <belay/ext/storage.h>
#include <belay/ext/telemetry.h>
#include <belay/host.h>
#include <belay/op.h>
#include <belay/plugin.h>
#include <belay/status.h>
#include <belay/tensor.h>

#endif
