# belay_add_plugin(<id> SOURCES <file>... MANIFEST <file.toml> [OPTIONS <compile option>...] [DIRECTORY <dir>])
#
# Builds libbelay_<id>.so as a Belay plugin: one exported symbol, hidden everything else, no undefined symbols, no lazy
# binding, no executable stack. Puts its manifest beside it as <id>.toml with the library's sha256 filled in.
# DIRECTORY is where both go; by default ${BELAY_PLUGIN_DIR}, else the current binary folder.
set(BELAY_PLUGIN_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

function(belay_add_plugin id)
  cmake_parse_arguments(ARG "" "MANIFEST;DIRECTORY" "SOURCES;OPTIONS;LIBRARIES" ${ARGN})
  if(NOT ARG_DIRECTORY)
    set(ARG_DIRECTORY ${BELAY_PLUGIN_DIR})
  endif()
  if(NOT ARG_DIRECTORY)
    set(ARG_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  endif()
  set(target belay_plugin_${id})
  set(map ${BELAY_PLUGIN_CMAKE_DIR}/plugin.map)
  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE belay::sdk ${ARG_LIBRARIES})
  target_compile_options(${target} PRIVATE ${ARG_OPTIONS} -fvisibility=hidden
    $<$<COMPILE_LANGUAGE:CXX>:-fvisibility-inlines-hidden -fno-gnu-unique>)
  target_link_options(${target} PRIVATE -Wl,--version-script=${map} -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack)
  if(NOT BELAY_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  set_target_properties(${target} PROPERTIES PREFIX "lib" OUTPUT_NAME "belay_${id}" LINK_DEPENDS ${map}
    LIBRARY_OUTPUT_DIRECTORY ${ARG_DIRECTORY} NO_SONAME ON SKIP_BUILD_RPATH ON)
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -DLIBRARY=$<TARGET_FILE:${target}> -DMANIFEST=${ARG_MANIFEST}
            -DOUTPUT=${ARG_DIRECTORY}/${id}.toml -P ${BELAY_PLUGIN_CMAKE_DIR}/fill_sha256.cmake
    VERBATIM)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${ARG_MANIFEST})
endfunction()
