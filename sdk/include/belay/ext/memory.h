/* belay.memory/1: buffers that are not plain host memory, copies between them, streams and events. Offered by plugins whose
 * device has memory of its own. */
#ifndef BELAY_EXT_MEMORY_H
#define BELAY_EXT_MEMORY_H

#include <belay/plugin.h>
#include <belay/tensor.h>

#define BELAY_MEMORY_1 "belay.memory/1"

typedef struct belay_stream_t belay_stream_t;
typedef struct belay_event_t belay_event_t;

enum {
  BELAY_BUFFER_HOST = 0,    /* plain memory of the process */
  BELAY_BUFFER_PINNED = 1,  /* host memory that the device can copy from without the CPU */
  BELAY_BUFFER_DEVICE = 2,  /* the device's own; never dereferenced by the host */
  BELAY_BUFFER_UNIFIED = 3, /* both can touch it */
  BELAY_BUFFER_STORAGE = 4  /* a disk; see ext/storage.h */
};

enum { BELAY_TIER_DEVICE = 0, BELAY_TIER_HOST = 1, BELAY_TIER_DISK = 2 };

typedef struct belay_buffer_type_t {
  uint32_t struct_size;
  int32_t kind;           /* BELAY_BUFFER_* */
  int32_t tier;           /* BELAY_TIER_* */
  uint32_t index;         /* what alloc takes */
  uint64_t alignment;
  uint64_t max_bytes;     /* of one buffer */
  uint64_t total_bytes;   /* of the tier, 0: unknown */
  uint64_t free_bytes;
  uint64_t bytes_per_s;   /* measured read bandwidth, 0: unknown */
} belay_buffer_type_t;

typedef struct belay_memory_t {
  uint32_t struct_size;
  uint32_t flags; /* 0 */

  /* [any] Count, then fill, as in probe. */
  belay_status_t (*buffer_types)(belay_instance_t* instance, belay_buffer_type_t* types, uint64_t capacity, uint64_t* count, belay_error_t* error);
  /* [any] Bytes that a tensor takes in a buffer of this type, with the padding that kernels need. */
  belay_status_t (*alloc_size)(belay_instance_t* instance, uint32_t type, const belay_tensor_t* tensor, uint64_t* bytes, belay_error_t* error);

  /* [control] A buffer owned by the caller, ended by free. `import` wraps host memory that must outlive it. */
  belay_status_t (*alloc)(belay_instance_t* instance, uint32_t type, uint64_t bytes, uint64_t* buffer, belay_error_t* error);
  belay_status_t (*import)(belay_instance_t* instance, void* memory, uint64_t bytes, uint64_t* buffer, belay_error_t* error);
  void (*free)(belay_instance_t* instance, uint64_t buffer);
  /* [control] The host address of a buffer, where its kind has one. */
  belay_status_t (*map)(belay_instance_t* instance, uint64_t buffer, void** memory, belay_error_t* error);
  belay_status_t (*unmap)(belay_instance_t* instance, uint64_t buffer, belay_error_t* error);

  /* [any] Whether copy works between two types without passing through the host. */
  uint32_t (*can_copy)(belay_instance_t* instance, uint32_t from_type, uint32_t to_type);
  /* [stream] Queued copy of `bytes`; a buffer of 0 with an address means host memory. Done when a later event is. */
  belay_status_t (*copy)(belay_instance_t* instance, belay_stream_t* stream, uint64_t to, uint64_t to_offset, void* to_host,
                         uint64_t from, uint64_t from_offset, const void* from_host, uint64_t bytes, belay_error_t* error);
  belay_status_t (*fill)(belay_instance_t* instance, belay_stream_t* stream, uint64_t buffer, uint64_t offset, uint64_t bytes, uint32_t byte_value, belay_error_t* error);

  /* [control] Streams run in order; work of two streams is ordered only by events. */
  belay_status_t (*stream_create)(belay_instance_t* instance, belay_stream_t** stream, belay_error_t* error);
  void (*stream_destroy)(belay_stream_t* stream);
  /* [stream] An event is done when all that was queued before it is. It carries the first error of that work. */
  belay_status_t (*event_create)(belay_instance_t* instance, belay_event_t** event, belay_error_t* error);
  void (*event_destroy)(belay_event_t* event);
  belay_status_t (*event_record)(belay_event_t* event, belay_stream_t* stream, belay_error_t* error);
  belay_status_t (*event_wait)(belay_event_t* event, belay_stream_t* waiting_stream, belay_error_t* error);
  /* [any] *done without waiting; sync waits until the deadline (host clock; 0: none). Both return the work's error. */
  belay_status_t (*event_query)(belay_event_t* event, uint32_t* done, belay_error_t* error);
  belay_status_t (*event_sync)(belay_event_t* event, uint64_t deadline_ns, belay_error_t* error);
} belay_memory_t;

#endif
