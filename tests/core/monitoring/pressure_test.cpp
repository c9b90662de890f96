#include "core/monitoring/pressure.hpp"

#include "tests/support/doctest.hpp"

#include <fstream>

using belay::monitoring::Pressure;
using belay::monitoring::read_pressure;

namespace {

// A /proc of its own.
class FakeProc {
 public:
  FakeProc() {
    std::filesystem::create_directories(root_ / "self");
    std::filesystem::create_directories(root_ / "pressure");
  }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;
  ~FakeProc() { std::filesystem::remove_all(root_); }

  void write(const char* file, const char* text) const { std::ofstream(root_ / file) << text; }
  [[nodiscard]] Pressure read() const { return read_pressure(root_); }

 private:
  std::filesystem::path root_ = "pressure_test.proc";
};

}  // namespace

TEST_CASE("each sign is read from its file") {
  const FakeProc proc;
  proc.write("meminfo", "MemTotal:       24610812 kB\nMemAvailable:   1000 kB\n");
  proc.write("self/status", "Name:\tbelay\nVmSwap:\t      12 kB\n");
  proc.write("self/stat", "17 (be) lay (x)) S 1 17 17 0 -1 4194304 100 0 42 0 5 6\n");
  proc.write("self/io", "rchar: 6976\nread_bytes: 4096\nwrite_bytes: 1\n");
  proc.write("pressure/memory",
             "some avg10=1.25 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.50 avg60=0.00\n");
  const Pressure pressure = proc.read();
  CHECK(pressure.available_bytes == 1000 * 1024U);
  CHECK(pressure.swap_bytes == 12 * 1024U);
  CHECK(pressure.major_faults == 42U);
  CHECK(pressure.disk_read_bytes == 4096U);
  CHECK(pressure.stall_percent == 1.25);
}

TEST_CASE("what is missing or not a number is unknown") {
  const FakeProc proc;
  proc.write("meminfo", "MemAvailable: lots\n");
  proc.write("self/status", "VmSwap: 99999999999999999999 kB\n");
  proc.write("self/stat", "17 (belay) S 1\n");
  proc.write("self/io", "cancelled_read_bytes: 7\n");
  const Pressure pressure = proc.read();
  CHECK_FALSE(pressure.available_bytes);
  CHECK_FALSE(pressure.swap_bytes);
  CHECK_FALSE(pressure.major_faults);
  CHECK_FALSE(pressure.disk_read_bytes);
  CHECK_FALSE(pressure.stall_percent);
}
