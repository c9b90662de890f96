/* Version of the boundary between Belay's core and a plugin, and the few types that every other header uses.
 *
 * Rules of the whole ABI (reasons in sdk/ABI.md):
 *  - C11, only C standard headers. Little endian, 64-bit pointers.
 *  - Every struct begins with `struct_size`, which the caller sets to its own sizeof after filling the struct with zeros.
 *    A callee reads a field only when it lies inside struct_size. Structs only grow at the end and have no tail padding.
 *  - Enumerations are int32_t with constants whose values never change. A boolean is uint32_t.
 *  - Text is a pointer and a length, UTF-8, not terminated, borrowed until the call returns unless said otherwise.
 *  - Nobody throws, longjmps, exits or aborts across or under the boundary.
 *  - Each function names its threads: [any] any thread, many at once; [control] one call at a time per plugin;
 *    [stream] one call at a time per stream. */
#ifndef BELAY_ABI_H
#define BELAY_ABI_H

#include <stddef.h>
#include <stdint.h>

/* The major is part of the entry symbol's name. Version 1 is not frozen yet: until it is, plugins are rebuilt with Belay. */
#define BELAY_ABI_MAJOR 1u
#define BELAY_ABI_MINOR 0u

#define BELAY_EXPORT __attribute__((visibility("default")))

typedef struct belay_str_t {
  const char* data;
  uint64_t size;
} belay_str_t;

/* A literal as belay_str_t initialiser: `belay_str_t id = BELAY_STR("belay.linear/1");` */
#define BELAY_STR(literal) {(literal), sizeof(literal) - 1}

#endif
