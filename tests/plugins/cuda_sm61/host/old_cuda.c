/* A driver's library from before most of what the plugin needs. */
int cuInit(unsigned flags) {
  (void)flags;
  return 0;
}
