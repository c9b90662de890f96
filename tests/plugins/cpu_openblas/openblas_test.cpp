// Which OpenBLAS the plugin takes, and what it says of the others.
#include "plugins/cpu_openblas/openblas.hpp"

#include "tests/support/doctest.hpp"

#include <dlfcn.h>
#include <sys/resource.h>

#include <fstream>
#include <string>
#include <string_view>

using belay::openblas::OpenBlas;
namespace sdk = belay::sdk;

namespace {

// A host whose CPU has every feature but the one that `context` names.
belay_host_t host_without(const char* feature) {
  belay_host_t table{};
  table.struct_size = sizeof table;
  table.context = const_cast<char*>(feature);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  table.has_cpu_feature = [](void* context, belay_str_t name) -> std::uint32_t {
    return sdk::view(name) != static_cast<const char*>(context) ? 1 : 0;
  };
  return table;
}

std::string fake(const std::string& name) { return BELAY_TEST_FAKES "/" + name + ".so"; }

struct Refusal {
  belay_status_t code = BELAY_OK;
  std::string text;

  [[nodiscard]] bool says(std::string_view words) const { return text.find(words) != std::string::npos; }
};

template <class Body>
Refusal refusal_of(const Body& body) {
  try {
    body();
    return {};
  } catch (const sdk::Error& error) {
    return {error.code(), error.what()};
  }
}

Refusal refusal(const std::string& library, const char* missing_feature = "") {
  const belay_host_t table = host_without(missing_feature);
  return refusal_of([&] { const OpenBlas opened(sdk::Host(&table), library.c_str()); });
}

int& number(const std::string& library, const char* name) {
  void* opened = dlopen(library.c_str(), RTLD_NOW | RTLD_NOLOAD);
  REQUIRE(opened != nullptr);
  return *static_cast<int*>(dlsym(opened, name));
}

// A limit of this process's address space for as long as it lives.
class AddressLimit {
 public:
  explicit AddressLimit(rlim_t bytes) {
    getrlimit(RLIMIT_AS, &before_);
    const rlimit limit = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_AS, &limit);
  }
  ~AddressLimit() { setrlimit(RLIMIT_AS, &before_); }
  AddressLimit(const AddressLimit&) = delete;
  AddressLimit& operator=(const AddressLimit&) = delete;

 private:
  rlimit before_ = {};
};

rlim_t mapped_bytes() {
  std::ifstream file("/proc/self/statm");
  rlim_t pages = 0;
  file >> pages;
  return pages * 4096;
}

}  // namespace

TEST_CASE("a library that is not there, or is another one, is refused with what to do") {
  const Refusal missing = refusal("libbelay_no_such_openblas.so.0");
  CHECK(missing.code == BELAY_NO_DRIVER);
  CHECK(missing.says("libbelay_no_such_openblas.so.0: cannot open shared object file"));
  CHECK(missing.says("install OpenBLAS"));
  const Refusal other = refusal(fake("no_gemm"));
  CHECK(other.code == BELAY_NO_DRIVER);
  CHECK(other.says("has no cblas_sgemm"));
}

TEST_CASE("a build whose threads or integers do not fit is refused") {
  const Refusal openmp = refusal(fake("openmp"));
  CHECK(openmp.code == BELAY_NO_DRIVER);
  CHECK(openmp.says("OpenMP"));
  const Refusal long_integers = refusal(fake("long_integers"));
  CHECK(long_integers.code == BELAY_NO_DRIVER);
  CHECK(long_integers.says("64-bit integers"));
}

TEST_CASE("kernels are taken only where the CPU is known to have what they need") {
  CHECK(refusal(fake("good")).code == BELAY_OK);
  const Refusal masked = refusal(fake("good"), "avx2");
  CHECK(masked.code == BELAY_UNSUPPORTED);
  CHECK(masked.says("for Haswell; they need avx2"));
  CHECK(masked.says("OPENBLAS_CORETYPE"));
  const Refusal unknown = refusal(fake("unknown_kernels"));
  CHECK(unknown.code == BELAY_UNSUPPORTED);
  CHECK(unknown.says("Bulldozer"));
  CHECK(unknown.says("OPENBLAS_CORETYPE"));
}

TEST_CASE("the library is set to one thread") {
  REQUIRE(refusal(fake("good")).code == BELAY_OK);
  CHECK(number(fake("good"), "fake_threads") == 1);
}

TEST_CASE("memory for every call is mapped at once, or refused where there is no room") {
  const belay_host_t table = host_without("");
  const OpenBlas blas(sdk::Host(&table), fake("good").c_str());
  blas.reserve(3);
  CHECK(number(fake("good"), "fake_most_in_use") == 3);
  CHECK(number(fake("good"), "fake_in_use") == 0);
  const Refusal no_room = refusal_of([&] {
    const AddressLimit limit(mapped_bytes() + (rlim_t{200} << 20U));  // room for one call
    blas.reserve(4);
  });
  CHECK(no_room.code == BELAY_OOM_HOST);
  CHECK(no_room.says("room for 1"));
  CHECK(number(fake("good"), "fake_most_in_use") == 3);
}
