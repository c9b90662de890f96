/* Status codes and the error that a failing call may describe. No allocation, nothing to free. */
#ifndef BELAY_STATUS_H
#define BELAY_STATUS_H

#include <belay/abi.h>

typedef int32_t belay_status_t;

enum {
  BELAY_OK = 0,
  BELAY_UNSUPPORTED = 1,        /* this op, type or shape is not offered */
  BELAY_INVALID_ARGUMENT = 2,   /* the caller broke a rule of the ABI */
  BELAY_OOM_HOST = 3,           /* no host memory */
  BELAY_OOM_DEVICE = 4,         /* no device memory */
  BELAY_NO_KERNEL_IMAGE = 5,    /* the device is there, code for it is not */
  BELAY_NO_DRIVER = 6,          /* the device's driver library is missing */
  BELAY_DRIVER_TOO_OLD = 7,     /* the driver is there and too old */
  BELAY_NO_DEVICE = 8,          /* the driver reports no device */
  BELAY_DEVICE_BUSY = 9,        /* somebody else holds the device */
  BELAY_DEVICE_LOST = 10,       /* the device's context is gone; state on it is lost */
  BELAY_TIMEOUT = 11,           /* the deadline passed */
  BELAY_CANCELLED = 12,         /* the host's cancel token was raised */
  BELAY_IO = 13,                /* a file or disk failed */
  BELAY_CORRUPT = 14,           /* data does not match its checksum or format */
  BELAY_CONTRACT = 15,          /* a promise was broken: YES and then UNSUPPORTED, a wrong result */
  BELAY_ABI_MISMATCH = 16,      /* no common ABI version; the message states both ranges */
  BELAY_INTERNAL = 17           /* anything else: an exception, a bug */
};

/* How far the damage reaches; decides what the core does next (core/dispatch). */
enum {
  BELAY_SCOPE_OP = 0,             /* this call only: inputs and state stand, the next plugin may run the same op */
  BELAY_SCOPE_OUT_OF_MEMORY = 1,  /* as op, and a smaller request may succeed */
  BELAY_SCOPE_STREAM = 2,         /* what was queued on the stream is lost */
  BELAY_SCOPE_DEVICE = 3,         /* everything on the device is lost */
  BELAY_SCOPE_PLUGIN = 4,         /* the plugin is not usable any more */
  BELAY_SCOPE_PROCESS = 5,        /* the process that ran the plugin died */
  BELAY_SCOPE_CONTRACT = 6        /* the plugin answered against its own word */
};

/* Owned by the caller, filled by a callee that returns anything but BELAY_OK. May be NULL wherever it is a parameter. */
typedef struct belay_error_t {
  uint32_t struct_size;
  belay_status_t code;
  int32_t scope;        /* BELAY_SCOPE_* */
  uint32_t retryable;   /* boolean: the same call may succeed later */
  int64_t native_code;  /* the device's or system's own number, else 0 */
  char message[256];    /* UTF-8, terminated */
} belay_error_t;

#endif
