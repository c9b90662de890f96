// An entry point of a driver's library, by its name.
#pragma once

#include <dlfcn.h>

namespace belay::hardware {

// Sets `function` to the symbol of a library from dlopen(), or to null; whether it was there.
template <class Function>
bool load(void* library, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, symbol));
  return function != nullptr;
}

}  // namespace belay::hardware
