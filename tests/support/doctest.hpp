// The only file that includes doctest.
#pragma once

#include <doctest/doctest.h>
