#!/usr/bin/env bash
# Measures what `loadkms sandbox` answers on one core: bench/sandbox.sh [loadkms]. The sandbox runs on
# core 0, wrk on core 1, each measurement takes SECONDS_EACH seconds and stays on loopback.
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

# The file is there once everything can be reached.
began=$(date +%s%N)
GOMAXPROCS=1 taskset -c 0 "$loadkms" sandbox --port 0 --api-port 0 --env-file "$work/env" >"$work/out" 2>"$work/err" &
sandbox=$!
until [ -e "$work/env" ]; do
  kill -0 "$sandbox" 2>/dev/null || { cat "$work/err" >&2; exit 1; }
  sleep 0.002
done
start=$((($(date +%s%N) - began) / 1000000))
# shellcheck disable=SC1091
. "$work/env"

resident() { awk '/^VmRSS/ {print int($2 / 1024)}' "/proc/$sandbox/status"; }

# measure NAME SCRIPT URL prints one row, and ends the script if an answer was not a good one.
measure() {
  taskset -c 1 wrk -t 1 -c 16 -d "${each}s" -s "$here/$2" "$3" >"$work/wrk" 2>&1 || { cat "$work/wrk" >&2; exit 1; }
  if grep -q 'Non-2xx\|Socket errors' "$work/wrk"; then
    echo "bench/sandbox.sh: $1 had bad answers:" >&2
    cat "$work/wrk" >&2
    exit 1
  fi
  awk -v name="$1" -v goal="$4" -v mib="$(resident)" \
    '/^Requests\/sec/ {printf "%-20s %10d %10s %8d MiB\n", name, $2, goal, mib}' "$work/wrk"
}

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
