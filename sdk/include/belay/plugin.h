/* A plugin: its entry, its table, and its life.
 *
 *   entry -> probe -> open(device) -> interfaces in use -> drain -> close -> (stays mapped until the process ends)
 *
 * The host checks the manifest, the file and the ELF note first, then does all of the above once in a child process with a
 * known answer, and only then in its own process. */
#ifndef BELAY_PLUGIN_H
#define BELAY_PLUGIN_H

#include <belay/host.h>
#include <belay/status.h>

/* One loaded device with all its state. Opaque to the host. */
typedef struct belay_instance_t belay_instance_t;

enum { BELAY_DEVICE_CPU = 0, BELAY_DEVICE_GPU = 1, BELAY_DEVICE_STORAGE = 2, BELAY_DEVICE_OTHER = 3 };

/* A device that the plugin found. Texts are literals or live as long as the library is mapped. */
typedef struct belay_device_t {
  uint32_t struct_size;
  int32_t kind;            /* BELAY_DEVICE_* */
  uint32_t index;          /* what open takes */
  uint32_t unavailable;    /* boolean: it is there and cannot be used; `reason` says why */
  belay_str_t id;          /* stable: a PCI address, a UUID, "cpu" */
  belay_str_t name;
  belay_str_t reason;
  uint64_t memory_bytes;   /* 0: shares the host's */
  uint64_t memory_free_bytes;
} belay_device_t;

typedef struct belay_open_t {
  uint32_t struct_size;
  uint32_t device_index;
  uint64_t deadline_ns;    /* on the host's clock; 0: none */
} belay_open_t;

/* Filled by the entry; every function is required unless marked optional. Texts live as long as the library is mapped. */
typedef struct belay_plugin_t {
  uint32_t struct_size;
  uint32_t flags;       /* 0 */
  uint32_t abi_minor;   /* the minor that the plugin chose from the host's range */
  uint32_t reserved;
  belay_str_t id;       /* equals the manifest and the note */
  belay_str_t version;

  /* [control] The devices present: writes at most `capacity` and always the true number to *count.
   * No device is BELAY_OK with 0, or the reason code (BELAY_NO_DRIVER, ...). */
  belay_status_t (*probe)(const belay_host_t* host, belay_device_t* devices, uint64_t capacity, uint64_t* count, belay_error_t* error);

  /* [control] A new instance on one device; the host owns it and gives it back to close. Two instances are independent. */
  belay_status_t (*open)(const belay_host_t* host, const belay_open_t* options, belay_instance_t** instance, belay_error_t* error);

  /* [control] Waits until no work of the instance is in flight, or until the deadline (host clock; 0: none). */
  belay_status_t (*drain)(belay_instance_t* instance, uint64_t deadline_ns, belay_error_t* error);

  /* [control] Ends an instance after its kernels were released. NULL is ignored. */
  void (*close)(belay_instance_t* instance);

  /* [any] A table of functions by id, or NULL when it is not offered: "belay.compute/1", "belay.memory/1",
   * "belay.storage/1", "belay.telemetry/1", "com.vendor.name/N". The answer never changes. */
  const void* (*get_interface)(belay_instance_t* instance, belay_str_t id);
} belay_plugin_t;

/* The one exported symbol, BELAY_ENTRY_SYMBOL. [control] Pure and quick: no threads, no files, no device, no environment.
 * May be called again and then answers the same. Chooses an ABI minor in [host->min_minor, host->max_minor] and fills
 * *plugin within its struct_size, or returns BELAY_ABI_MISMATCH with its own range in the message. */
typedef belay_status_t (*belay_entry_fn)(const belay_host_t* host, belay_plugin_t* plugin, belay_error_t* error);

#define BELAY_ENTRY_SYMBOL "belay_plugin_entry_v1"

/* The ELF note ".note.belay": who this library is, readable without loading it. Emitted by BELAY_PLUGIN_NOTE. */
#define BELAY_NOTE_NAME "Belay"
#define BELAY_NOTE_TYPE 1u
#define BELAY_NOTE_MAGIC 0x594c4542u /* "BELY" */

typedef struct belay_note_t {
  uint32_t name_size; /* of `name`, with its 0 */
  uint32_t desc_size; /* of all behind `name` */
  uint32_t type;
  char name[8];       /* "Belay", padded */
  uint32_t magic;
  uint32_t abi_major;
  uint32_t min_minor;
  uint32_t built_minor;
  uint32_t word_bits;
  char id[128];       /* terminated */
  char version[64];   /* terminated */
} belay_note_t;

#define BELAY_PLUGIN_NOTE(plugin_id, plugin_version)                                                               \
  __attribute__((section(".note.belay"), used, aligned(4))) static const belay_note_t belay_plugin_note = {          \
      6u, sizeof(belay_note_t) - 20u, BELAY_NOTE_TYPE, BELAY_NOTE_NAME, BELAY_NOTE_MAGIC,                             \
      BELAY_ABI_MAJOR, 0u, BELAY_ABI_MINOR, 8u * sizeof(void*), plugin_id, plugin_version}

#endif
