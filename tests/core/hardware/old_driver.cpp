// A driver library from before most of the entry points.
extern "C" int cuInit(unsigned) { return 0; }  // NOLINT(readability-identifier-naming): the driver's
