# Functions shared by the scripts of this folder. To be sourced by sh or bash, with `set -eu` on and the
# repository root as the current directory.
# shellcheck shell=sh

# Debian 12's names. What a build needs, and in addition what the tests need.
# shellcheck disable=SC2034 # used by those who source this
BUILD_PACKAGES="g++ cmake ninja-build pkg-config
  libuv1-dev node-llhttp libssl-dev zlib1g-dev nlohmann-json3-dev libspdlog-dev libfmt-dev
  libcli11-dev scdoc"
# shellcheck disable=SC2034
TEST_PACKAGES="doctest-dev clang clang-format clang-tidy libclang-rt-14-dev shellcheck
  curl git openssl python3 e2fsprogs mount strace systemd gunicorn uvicorn tzdata"

say() {
  printf '%s\n' "$*"
}

# "quickstart: what failed, on which thing, what to do"
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Debian's Node packages, if there is no node or npm of whatever origin.
node_packages() {
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
  # npm speaks TLS and Debian's packages only recommend the certificates.
  [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
}

is_installed() {
  case $(dpkg-query --show --showformat='${db:Status-Abbrev}' "$1" 2>/dev/null) in
    ii*) return 0 ;;
    *) return 1 ;;
  esac
}

# Of the packages $@, those that are not installed, on one line.
missing_packages() {
  missing=
  for package in "$@"; do
    is_installed "$package" || missing="$missing $package"
  done
  echo "${missing# }"
}

# The prefix that makes root of a command: nothing for root itself, else sudo if it needs no password.
root_prefix() {
  if [ "$(id -u)" -eq 0 ]; then
    echo env
  elif sudo -n true 2>/dev/null; then
    echo sudo -n env
  else
    return 1
  fi
}

# Installs those of the packages $@ that are missing, and says which.
ensure_packages() {
  command -v dpkg-query >/dev/null ||
    die "this is no Debian: install by hand what Debian 12 calls" "$@"
  wanted=$(missing_packages "$@")
  [ -n "$wanted" ] || return 0

  prefix=$(root_prefix) ||
    die "these Debian packages are missing, and only root can install them: run as root:
  apt-get update && apt-get install --no-install-recommends $wanted"

  say "Installing the Debian packages: $wanted"
  # shellcheck disable=SC2086 # both are lists of words
  {
    $prefix apt-get -q -o DPkg::Lock::Timeout=120 update </dev/null ||
      die "apt-get update failed, see above: the packages $wanted cannot be fetched"
    $prefix DEBIAN_FRONTEND=noninteractive \
      apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends $wanted </dev/null ||
      die "apt-get could not install $wanted, see above"
  }
}

# `npm ci` in folder $1, unless its node_modules already came from the very lock file it has now.
npm_ci() {
  if cmp -s "$1/package-lock.json" "$1/node_modules/.installed-lock.json"; then
    say "$1: node_modules is up to date"
    return 0
  fi
  say "$1: npm ci"
  (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null) ||
    die "npm ci failed in $1, see above"
  cp "$1/package-lock.json" "$1/node_modules/.installed-lock.json"
}

# Unpacks the Debian package $1 below build/$1 instead of installing it: for programs whose packages start
# services. Root is needed only where the lists of packages are missing or old.
unpack_package() {
  if [ -e "build/$1/.unpacked" ]; then
    say "build/$1 is there"
    return 0
  fi
  mkdir -p "build/$1"
  download_package "$1" || {
    prefix=$(root_prefix) && $prefix apt-get -q -o DPkg::Lock::Timeout=120 update </dev/null &&
      download_package "$1"
  } || die "the Debian package $1 cannot be fetched, see above: run as root: apt-get update"
  dpkg -x "build/$1/$1"_*.deb "build/$1" || die "the Debian package $1 cannot be unpacked, see above"
  touch "build/$1/.unpacked"
}

# Into build/$1.
download_package() {
  (cd "build/$1" && rm -f "$1"_*.deb && apt-get -q download "$1" </dev/null)
}

# Configures and builds preset $1; further arguments go to the configuration.
build_preset() {
  preset=$1
  shift
  cmake --preset "$preset" "$@" || die "cmake could not configure build/$preset, see above"
  cmake --build --preset "$preset" || die "build/$preset does not build, see above"
}
