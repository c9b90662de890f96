/* belay.storage/1: byte ranges of files, read ahead of need into memory that the core owns. The manifest claims it as an
 * operator: [[provides]] op = "belay.storage/1", dtypes = ["u8"]. */
#ifndef BELAY_EXT_STORAGE_H
#define BELAY_EXT_STORAGE_H

#include <belay/plugin.h>

#define BELAY_STORAGE_1 "belay.storage/1"

typedef struct belay_file_t belay_file_t;
typedef struct belay_read_t belay_read_t; /* a batch of reads in flight */

typedef struct belay_storage_info_t {
  uint32_t struct_size;
  uint32_t direct;        /* boolean: reads go past the page cache */
  uint32_t block_bytes;   /* a power of two, at most 65536: offsets, sizes and addresses of extents are multiples of it */
  uint32_t queue_depth;   /* reads that are useful in flight */
  uint64_t chunk_bytes;   /* size at which a read reaches full speed */
  belay_str_t method;     /* for people: "io_uring, O_DIRECT" */
  uint64_t file_bytes;    /* size of the file when it was opened */
} belay_storage_info_t;

/* May reach past the end of the file by less than a block; the bytes behind the end are then undefined. */
typedef struct belay_extent_t {
  uint64_t offset; /* in the file */
  uint64_t bytes;
  void* to;        /* host memory of the core */
} belay_extent_t;

typedef struct belay_storage_t {
  uint32_t struct_size;
  uint32_t flags; /* 0 */

  /* [control] A regular file by path, opened for reading. */
  belay_status_t (*file_open)(belay_instance_t* instance, belay_str_t path, belay_file_t** file, belay_error_t* error);
  /* [control] After the last read of it was ended. NULL is ignored. */
  void (*file_close)(belay_file_t* file);
  /* [control] How the file is read at the moment; `method` lives until the next call. A plugin that meets trouble may go
   * over to another method between reads, never to a larger block. */
  belay_status_t (*info)(const belay_file_t* file, belay_storage_info_t* info, belay_error_t* error);

  /* [control] Starts reading the extents and returns before they are there. The memory belongs to the read until it ends,
   * which the caller owns. Several reads may be in flight; they are best started in the order in which they are needed. */
  belay_status_t (*read)(belay_file_t* file, const belay_extent_t* extents, uint64_t count, belay_read_t** read, belay_error_t* error);
  /* [control] Waits until all extents are there, or the deadline (host clock; 0: none): BELAY_TIMEOUT, and the read goes on.
   * BELAY_CANCELLED when the host's token was raised meanwhile; it goes on, too.
   * BELAY_IO, naming file and offset, when a part could not be read after retries or lies behind the end of the file. */
  belay_status_t (*read_sync)(belay_read_t* read, uint64_t deadline_ns, belay_error_t* error);
  /* [control] Ends a read; what is still in flight is cancelled or waited for. NULL is ignored. */
  void (*read_end)(belay_read_t* read);

  /* [control] Memory that reads will go to, so that a plugin may prepare it for its device; it outlives every read. Another
   * call replaces it, NULL and 0 end it. A refusal costs speed, nothing else. */
  belay_status_t (*prepare)(belay_instance_t* instance, void* memory, uint64_t bytes, belay_error_t* error);
} belay_storage_t;

#endif
