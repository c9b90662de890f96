# find_package(belay-sdk) from outside Belay's own tree: the target belay::sdk and the function belay_add_plugin, straight
# from the SDK's folder. Point belay-sdk_DIR at this file's folder, or CMAKE_PREFIX_PATH at the SDK's.
get_filename_component(belay_sdk_root ${CMAKE_CURRENT_LIST_DIR}/.. ABSOLUTE)
if(NOT TARGET belay::sdk)
  add_library(belay::sdk INTERFACE IMPORTED)
  set_target_properties(belay::sdk PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${belay_sdk_root}/include;${belay_sdk_root}/cpp/include"
    INTERFACE_COMPILE_FEATURES cxx_std_20)
endif()
include(${CMAKE_CURRENT_LIST_DIR}/BelayPlugin.cmake)
unset(belay_sdk_root)
