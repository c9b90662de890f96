// nvrtcc: one .cu to PTX for compute_61 and to machine code for sm_61, by NVRTC, which is loaded at run time:
// no CUDA header and no toolkit is needed. Writes PREFIX.ptx, PREFIX.cubin and PREFIX.txt, what ptxas says of
// registers and memory.
//
//   nvrtcc LIBNVRTC SOURCE PREFIX [OPTION...]     options are NVRTC's, for example -Ifolder
//   nvrtcc LIBNVRTC --version
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using Program = void*;

[[noreturn]] void stop(const std::string& message) {
  std::fprintf(stderr, "nvrtcc: %s\n", message.c_str());
  std::exit(1);
}

class Nvrtc {
 public:
  explicit Nvrtc(const char* path) : library_(dlopen(path, RTLD_NOW)) {
    if (library_ == nullptr) stop(dlerror());
  }
  template <class Function>
  [[nodiscard]] Function* find(const char* name) const {
    auto* const function = reinterpret_cast<Function*>(dlsym(library_, name));
    if (function == nullptr) stop(std::string("this NVRTC has no ") + name);
    return function;
  }
  // Something of a program that comes as a size and that many bytes: nvrtcGet<What>Size, nvrtcGet<What>.
  [[nodiscard]] std::string get(Program program, const std::string& what) const {
    std::size_t size = 0;
    find<int(Program, std::size_t*)>(("nvrtcGet" + what + "Size").c_str())(program, &size);
    std::string bytes(size, '\0');
    find<int(Program, char*)>(("nvrtcGet" + what).c_str())(program, bytes.data());
    return bytes;
  }

 private:
  void* library_;
};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) stop("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) stop("cannot write " + path);
}

struct Output {
  std::string bytes;
  std::string log;
};

struct Source {
  std::string path;
  std::string text;
};

Output compile(const Nvrtc& nvrtc, const Source& source, const std::string& architecture,
               const std::string& what, std::vector<std::string> options) {
  Program program = nullptr;
  auto* const create =
      nvrtc.find<int(Program*, const char*, const char*, int, const char* const*, const char* const*)>(
          "nvrtcCreateProgram");
  if (create(&program, source.text.c_str(), source.path.c_str(), 0, nullptr, nullptr) != 0)
    stop("nvrtcCreateProgram failed");
  for (const char* own : {"--std=c++17", "--ptxas-options=-v"}) options.emplace_back(own);
  options.push_back("--gpu-architecture=" + architecture);
  std::vector<const char*> pointers;
  pointers.reserve(options.size());
  for (const std::string& option : options) pointers.push_back(option.c_str());
  auto* const run = nvrtc.find<int(Program, int, const char* const*)>("nvrtcCompileProgram");
  const int status = run(program, static_cast<int>(pointers.size()), pointers.data());
  Output output{{}, nvrtc.get(program, "ProgramLog")};
  output.log.resize(output.log.find_last_not_of('\0') + 1);
  if (status != 0) stop(source.path + " for " + architecture + ":\n" + output.log);
  output.bytes = nvrtc.get(program, what);
  nvrtc.find<int(Program*)>("nvrtcDestroyProgram")(&program);
  return output;
}

std::string version(const Nvrtc& nvrtc) {
  int major = 0;
  int minor = 0;
  nvrtc.find<int(int*, int*)>("nvrtcVersion")(&major, &minor);
  return std::to_string(major) + "." + std::to_string(minor);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) stop("usage: nvrtcc LIBNVRTC SOURCE PREFIX [OPTION...]");
  const Nvrtc nvrtc(argv[1]);
  const Source source{argv[2], read(argv[2])};
  const std::string prefix = argv[3];
  const std::vector<std::string> options(argv + 4, argv + argc);
  const Output ptx = compile(nvrtc, source, "compute_61", "PTX", options);
  const Output cubin = compile(nvrtc, source, "sm_61", "CUBIN", options);
  write(prefix + ".ptx", ptx.bytes);
  write(prefix + ".cubin", cubin.bytes);
  write(prefix + ".txt", "NVRTC " + version(nvrtc) + "\n" + cubin.log);
}
