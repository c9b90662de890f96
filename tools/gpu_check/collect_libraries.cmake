# Copies the shared libraries that the programs in FOLDER need into FOLDER/lib, but those that belong to the system's C
# library and to the driver.
file(GET_RUNTIME_DEPENDENCIES
  EXECUTABLES ${FOLDER}/measure ${FOLDER}/kernels_check ${FOLDER}/belay ${FOLDER}/make_model
  RESOLVED_DEPENDENCIES_VAR libraries UNRESOLVED_DEPENDENCIES_VAR missing
  PRE_EXCLUDE_REGEXES "^ld-linux" "^libc\\.so" "^libm\\.so" "^libdl\\.so" "^libpthread\\.so" "^librt\\.so" "^libcuda\\.so")
if(missing)
  message(FATAL_ERROR "gpu_check: libraries that are not here: ${missing}")
endif()
foreach(library IN LISTS libraries)
  file(COPY ${library} DESTINATION ${FOLDER}/lib FOLLOW_SYMLINK_CHAIN)
endforeach()
