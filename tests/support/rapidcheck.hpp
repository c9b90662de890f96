// The only file that includes RapidCheck. `check_property(name, property)` is a doctest check of an rc
// property: it runs with a fixed seed, so that a failure repeats, and prints the shrunk counterexample.
#pragma once

#include "tests/support/doctest.hpp"

#include <rapidcheck.h>

#include <sstream>
#include <string>
#include <utility>

namespace belay::test {

template <class Property>
void check_property(const std::string& name, int runs, Property&& property) {
  rc::detail::TestMetadata metadata;
  metadata.id = name;
  metadata.description = name;
  rc::detail::TestParams params;
  params.seed = 20240611;
  params.maxSuccess = runs;
  const auto result = rc::detail::checkTestable(std::forward<Property>(property), metadata, params);
  std::ostringstream text;
  rc::detail::printResultMessage(result, text);
  INFO(text.str());
  CHECK(result.template is<rc::detail::SuccessResult>());
}

}  // namespace belay::test
