// The C++ layer: a wall against exceptions, and structs whose size the other side chose.
#include "tests/support/doctest.hpp"

#include <belay/cpp/plugin.hpp>

#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

namespace {

using belay::sdk::guard;

belay_error_t empty_error() {
  belay_error_t error{};
  error.struct_size = sizeof error;
  return error;
}

TEST_CASE("guard turns every exception into a status with a message") {
  belay_error_t error = empty_error();
  CHECK(guard(&error, []() -> belay_status_t { return BELAY_OK; }) == BELAY_OK);
  CHECK(guard(&error, []() -> belay_status_t { throw belay::sdk::Error(BELAY_UNSUPPORTED, "no %d", 7); }) ==
        BELAY_UNSUPPORTED);
  CHECK(std::string(error.message) == "no 7");
  CHECK(error.scope == BELAY_SCOPE_OP);
  CHECK(guard(&error, []() -> belay_status_t { throw std::bad_alloc(); }) == BELAY_OOM_HOST);
  CHECK(error.scope == BELAY_SCOPE_OUT_OF_MEMORY);
  CHECK(guard(&error, []() -> belay_status_t { throw std::runtime_error("broken"); }) == BELAY_INTERNAL);
  CHECK(std::string(error.message).find("broken") != std::string::npos);
  CHECK(guard(nullptr, []() -> belay_status_t { throw 42; }) == BELAY_INTERNAL);
}

TEST_CASE("fail cuts a long message and leaves a struct that is too small alone") {
  belay_error_t error = empty_error();
  const std::string long_text(1000, 'x');
  belay::sdk::fail(&error, BELAY_IO, "%s", long_text.c_str());
  CHECK(std::strlen(error.message) == sizeof error.message - 1);
  belay_error_t small{};
  small.struct_size = 8;
  CHECK(belay::sdk::fail(&small, BELAY_IO, "text") == BELAY_IO);
  CHECK(small.message[0] == '\0');
  CHECK(small.code == BELAY_OK);
}

TEST_CASE("write stays within the caller's size, read fills what is missing with 0") {
  belay_open_t narrow{};
  narrow.struct_size = 8;  // a caller who knows nothing of deadline_ns
  narrow.deadline_ns = 99;
  const belay_open_t ours{sizeof(belay_open_t), 3, 77};
  belay::sdk::write(&narrow, ours);
  CHECK(narrow.struct_size == 8);
  CHECK(narrow.device_index == 3);
  CHECK(narrow.deadline_ns == 99);
  CHECK(belay::sdk::read(&narrow).deadline_ns == 0);
  CHECK_FALSE(belay::sdk::has(narrow, &belay_open_t::deadline_ns));
  CHECK(belay::sdk::has(narrow, &belay_open_t::device_index));
}

TEST_CASE("arrays are walked with the caller's element size") {
  struct WideSupport {
    belay_support_t known;
    std::uint64_t newer;
  };
  WideSupport wide[2]{};
  for (WideSupport& element : wide) element.known.struct_size = sizeof element;
  CHECK(static_cast<void*>(&belay::sdk::at(&wide[0].known, 1)) == static_cast<void*>(&wide[1]));
}

TEST_CASE("negotiation picks the highest common minor, or says both ranges") {
  belay_host_t host{};
  host.abi_major = BELAY_ABI_MAJOR;
  host.max_minor = BELAY_ABI_MINOR + 5;
  std::uint32_t minor = 99;
  belay_error_t error = empty_error();
  CHECK(belay::sdk::negotiate(host, &minor, &error) == BELAY_OK);
  CHECK(minor == BELAY_ABI_MINOR);
  host.min_minor = BELAY_ABI_MINOR + 1;
  CHECK(belay::sdk::negotiate(host, &minor, &error) == BELAY_ABI_MISMATCH);
  CHECK(error.scope == BELAY_SCOPE_PLUGIN);
  host.min_minor = 0;
  host.abi_major = BELAY_ABI_MAJOR + 1;
  CHECK(belay::sdk::negotiate(host, &minor, &error) == BELAY_ABI_MISMATCH);
  CHECK(std::string(error.message).find("2.") != std::string::npos);
}

}  // namespace
