#!/usr/bin/env bash
# Installs what bench measures loadkms beside: bench/peers.sh [FOLDER]. Debian's packages go where Debian has them
# (as root only), the others into FOLDER, the user's cache unless told. What cannot be installed is said here and
# in bench's tables, and is no error.
#
# k6 is not installed, as it is under the AGPL: who wants it measured puts a k6 of his own into the PATH. vegeta is built
# from the module that loadkms itself uses.
set -euo pipefail
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/loadkms/peers}
bombardier=v1.2.6
artillery=2.0.21

mkdir -p "$folder/bin"
missing() { echo "bench/peers.sh: $1 is not installed: $2" >&2; }

need=()
command -v wrk >/dev/null || need+=(wrk)
command -v h2load >/dev/null || need+=(nghttp2-client)
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || need+=(nginx-light)
command -v taskset >/dev/null || need+=(util-linux)
if [ ${#need[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    # RUNLEVEL keeps Debian from starting a server on port 80 at once, where its scripts heed it.
    { apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${need[@]}"; } >/dev/null ||
      missing "${need[*]}" "apt-get refused"
  else
    missing "${need[*]}" "ask Debian, as root: apt-get install ${need[*]}"
  fi
fi

# installed NAME VERSION says whether that version is there; the file is written once it is.
installed() { [ "$(cat "$folder/$1.version" 2>/dev/null)" = "$2" ]; }

if ! installed bombardier "$bombardier"; then
  if GOBIN="$folder/bin" go install "github.com/codesenberg/bombardier@$bombardier" 2>"$folder/bombardier.log"; then
    echo "$bombardier" >"$folder/bombardier.version"
  else
    missing bombardier "$(tail -n 1 "$folder/bombardier.log")"
  fi
fi

if ! installed artillery "$artillery"; then
  if ! command -v npm >/dev/null; then
    missing artillery "there is no npm"
  elif npm install --prefix "$folder" "artillery@$artillery" --ignore-scripts --no-audit --no-fund --silent >"$folder/artillery.log" 2>&1; then
    echo "$artillery" >"$folder/artillery.version"
  else
    missing artillery "$(tail -n 1 "$folder/artillery.log")"
  fi
fi

command -v k6 >/dev/null || missing k6 "one in the PATH would be measured"
