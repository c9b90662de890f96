/* belay.storage/1: byte ranges of files, read ahead of need into memory that the core owns. */
#ifndef BELAY_EXT_STORAGE_H
#define BELAY_EXT_STORAGE_H

#include <belay/plugin.h>

#define BELAY_STORAGE_1 "belay.storage/1"

typedef struct belay_file_t belay_file_t;
typedef struct belay_read_t belay_read_t; /* a batch of reads in flight */

typedef struct belay_storage_info_t {
  uint32_t struct_size;
  uint32_t direct;        /* boolean: reads go past the page cache */
  uint32_t block_bytes;   /* offsets, sizes and addresses must be multiples of it */
  uint32_t queue_depth;   /* reads that are useful in flight */
  uint64_t chunk_bytes;   /* size at which a read reaches full speed */
  belay_str_t method;     /* for people: "io_uring, O_DIRECT" */
} belay_storage_info_t;

typedef struct belay_extent_t {
  uint64_t offset; /* in the file */
  uint64_t bytes;
  void* to;        /* host memory of the core */
} belay_extent_t;

typedef struct belay_storage_t {
  uint32_t struct_size;
  uint32_t flags; /* 0 */

  /* [control] A file by path, opened for reading. */
  belay_status_t (*file_open)(belay_instance_t* instance, belay_str_t path, belay_file_t** file, belay_error_t* error);
  void (*file_close)(belay_file_t* file);
  /* [any] */
  belay_status_t (*info)(const belay_file_t* file, belay_storage_info_t* info, belay_error_t* error);
  /* [control] Starts reading the extents. The memory belongs to the read until it ends. */
  belay_status_t (*read)(belay_file_t* file, const belay_extent_t* extents, uint64_t count, belay_read_t** read, belay_error_t* error);
  /* [any] Waits until all extents are there, or the deadline (host clock; 0: none). A short read is BELAY_IO. */
  belay_status_t (*read_sync)(belay_read_t* read, uint64_t deadline_ns, belay_error_t* error);
  /* [control] Ends a read; cancels what is still in flight and waits for it. */
  void (*read_end)(belay_read_t* read);
} belay_storage_t;

#endif
