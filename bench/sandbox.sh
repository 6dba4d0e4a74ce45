#!/usr/bin/env bash
# Measures what `loadkms sandbox` answers on one core: bench/sandbox.sh [loadkms]. The sandbox runs on
# core 0, wrk on core 1, each measurement takes SECONDS_EACH seconds and stays on loopback. With a data
# directory (under TMPDIR) 64 clients share the waits for the disk; it is killed and started again.
set -euo pipefail
loadkms=${1:-./loadkms}
each=${SECONDS_EACH:-5}
here=$(cd "$(dirname "$0")" && pwd)

for tool in wrk taskset curl; do
  command -v "$tool" >/dev/null || { echo "bench/sandbox.sh: no $tool; Debian has it" >&2; exit 1; }
done
if [ "$(nproc)" -lt 2 ]; then
  echo "bench/sandbox.sh: one core; the sandbox and wrk take one each" >&2
  exit 1
fi

work=$(mktemp -d)
sandbox=
finish() {
  if [ -n "$sandbox" ]; then
    kill -INT "$sandbox" 2>/dev/null || true
    wait "$sandbox" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT

# launch ARGUMENTS starts a sandbox, and sets start to the milliseconds until everything can be reached,
# which is when the file is there.
launch() {
  local began
  rm -f "$work/env"
  began=$(date +%s%N)
  GOMAXPROCS=1 taskset -c 0 "$loadkms" sandbox --port 0 --api-port 0 --env-file "$work/env" "$@" >"$work/out" 2>"$work/err" &
  sandbox=$!
  until [ -e "$work/env" ]; do
    kill -0 "$sandbox" 2>/dev/null || { cat "$work/err" >&2; exit 1; }
    sleep 0.002
  done
  start=$((($(date +%s%N) - began) / 1000000))
  # shellcheck disable=SC1091
  . "$work/env"
}

# end SIGNAL ends the sandbox.
end() {
  kill "-$1" "$sandbox"
  wait "$sandbox" 2>/dev/null || true
  sandbox=
}

resident() { awk '/^VmRSS/ {print int($2 / 1024)}' "/proc/$sandbox/status"; }

# measure NAME SCRIPT URL GOAL [CLIENTS] prints one row, and ends the script if an answer was not a good one.
measure() {
  taskset -c 1 wrk -t 1 -c "${5:-16}" -d "${each}s" -s "$here/$2" "$3" >"$work/wrk" 2>&1 || { cat "$work/wrk" >&2; exit 1; }
  if grep -q 'Non-2xx\|Socket errors' "$work/wrk"; then
    echo "bench/sandbox.sh: $1 had bad answers:" >&2
    cat "$work/wrk" >&2
    exit 1
  fi
  awk -v name="$1" -v goal="$4" -v mib="$(resident)" \
    '/^Requests\/sec/ {printf "%-20s %10d %10s %8d MiB\n", name, $2, goal, mib}' "$work/wrk"
}

launch
printf 'start: %d ms, goal under 200\n\n' "$start"
printf '%-20s %10s %10s %12s\n' request per-second goal resident
measure 'POST /record' post.lua "$LOADKMS_TARGET" 10000
measure 'GET /record/{id}' get.lua "$LOADKMS_TARGET" 30000

# One ciphertext under the stack's key, by a request as an SDK would send it.
kms() {
  curl -fsS "$AWS_ENDPOINT_URL" -H "X-Amz-Target: TrentService.$1" -H 'Content-Type: application/x-amz-json-1.1' \
    -H 'Authorization: AWS4-HMAC-SHA256 Credential=sandbox/20261123/eu-west-2/kms/aws4_request, SignedHeaders=host, Signature=00' -d "$2"
}
CIPHERTEXT=$(kms Encrypt '{"KeyId":"alias/qldb-kms-poc","Plaintext":"aGVsbG8="}' | sed 's/.*"CiphertextBlob":"\([^"]*\)".*/\1/')
export CIPHERTEXT
measure 'KMS Decrypt' decrypt.lua "$AWS_ENDPOINT_URL" 10000
end INT

printf '\nwith a data directory\n'
launch --data-dir "$work/data"
measure 'POST, 16 clients' post.lua "$LOADKMS_TARGET" 2000
end KILL
rm -r "$work/data"
launch --data-dir "$work/data"
# As many records as the goal for the start speaks of; wrk sends for a time, not a number.
until [ "$(awk '/requests in/ {n += $1} END {print n + 0}' "$work"/wrk.* 2>/dev/null || echo 0)" -ge 100000 ]; do
  measure 'POST, 64 clients' post.lua "$LOADKMS_TARGET" 5000 64
  cp "$work/wrk" "$work/wrk.$SECONDS"
done
end KILL
records=$(awk '/requests in/ {n += $1} END {print n}' "$work"/wrk.*)
launch --data-dir "$work/data"
printf 'start with %d records after a kill: %d ms, goal under 2000 for 100,000\n' "$records" "$start"
measure 'GET /record/{id}' get.lua "$LOADKMS_TARGET" 30000
