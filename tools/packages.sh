# Debian 12 packages by use, and how they get here. Sourced by the other tools.

packages_build="g++ cmake ninja-build pkg-config libboost-dev libboost-program-options-dev libtomlplusplus-dev
  nlohmann-json3-dev libfmt-dev libtbb-dev libhwloc-dev nettle-dev libpcre2-dev libutf8proc-dev
  libjpeg62-turbo-dev libspng-dev libxxhash-dev libzstd-dev liburing-dev"
packages_test="doctest-dev librapidcheck-dev qemu-user binutils python3 git libopenblas0-serial"
packages_check="clang-16 libclang-rt-16-dev clang-format clang-tidy"
packages_model="python3 python3-pip ca-certificates"

# install_packages NAME...: installs what is missing; says so, and what to do when it may not.
install_packages() {
  local missing="" package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
  done
  [ -z "$missing" ] && return 0
  local as_root=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "missing packages:$missing; install them as root, then run this again" >&2; return 1; }
    as_root=sudo
  fi
  echo "installing:$missing" >&2
  $as_root apt-get update -qq >&2
  # shellcheck disable=SC2086 # a list of words
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >&2 </dev/null
}
