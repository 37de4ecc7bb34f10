#!/usr/bin/env bash
# Checks the freeze frame beside this script: bash, openssl 3 and coreutils only. Exit 0 verified, 1 not, 2 usage.
# The verifier key is an argument, because a key that comes with what it proves, proves nothing.
set -euo pipefail
export LC_ALL=C

fail() { echo "NOT VERIFIED: $1" >&2; exit 1; }

[ $# -eq 1 ] || { echo "usage: bash verify.sh 'VKEY' | @FILE" >&2; exit 2; }
vkey=$1
[ "${vkey#@}" = "$vkey" ] || vkey=$(cat -- "${vkey#@}")
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -r -- "$work"' EXIT

hex_of_file() { od -An -v -tx1 -- "$1" | tr -d ' \n'; }
bytes() { local hex=$1 i; for ((i = 0; i < ${#hex}; i += 2)); do printf "\\x${hex:i:2}"; done; }
sha256() { sha256sum | cut -d ' ' -f 1; }
# Base64 has exactly one spelling here: what does not encode to itself again is refused.
decode() {
  printf '%s' "$1" | base64 -d > "$work/decoded" 2> "$work/error" || fail "bad base64 in $2"
  [ "$(base64 -w 0 < "$work/decoded")" = "$1" ] || fail "bad base64 in $2"
  hex_of_file "$work/decoded"
}

# The key: NAME+ID+BASE64(0x01 || public key), and the id is made from the rest.
[[ $vkey =~ ^([^+[:space:]]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$ ]] || fail "this is no verifier key"
name=${BASH_REMATCH[1]} id=${BASH_REMATCH[2]}
key=$(decode "${BASH_REMATCH[3]}" "the verifier key")
[ ${#key} -eq 66 ] && [ "${key:0:2}" = 01 ] || fail "the verifier key is not Ed25519"
[ "$({ printf '%s\n' "$name"; bytes "$key"; } | sha256 | cut -c 1-8)" = "$id" ] || fail "the verifier key's id is wrong"

# The frame is the one in the manifest.
manifest=$(cat manifest.json)
[ "$(printf '%s' "$manifest" | sha256)" = "$(sha256 < manifest.json)" ] || fail "manifest.json has stray bytes"
[[ $manifest =~ \"frame_sha256\":\"([0-9a-f]{64})\" ]] || fail "the manifest names no frame"
[ "$(sha256 < frame.json)" = "${BASH_REMATCH[1]}" ] || fail "frame.json is not what was committed"

# The proof: version, index, audit path, empty line, checkpoint.
mapfile -t line < frame.tlog-proof
[ "${line[0]:-}" = "c2sp.org/tlog-proof@v1" ] || fail "unknown proof version"
[[ ${line[1]:-} =~ ^index\ (0|[1-9][0-9]{0,17})$ ]] || fail "the proof has no index"
index=${BASH_REMATCH[1]} at=2 path=()
while [ -n "${line[at]:-}" ]; do
  hash=$(decode "${line[at]}" "the audit path")
  [ ${#hash} -eq 64 ] || fail "bad hash in the audit path"
  path+=("$hash") at=$((at + 1))
done
[ ${#line[@]} -eq $((at + 6)) ] && [ -z "${line[at + 4]}" ] || fail "the proof has no checkpoint of five lines"
origin=${line[at + 1]} size=${line[at + 2]} root64=${line[at + 3]} signature=${line[at + 5]}
{ printf '%s\n' "${line[@]:0:at+6}"; } > "$work/proof"
[ "$(sha256 < "$work/proof")" = "$(sha256 < frame.tlog-proof)" ] || fail "the proof has stray bytes"
printf '%s\n' "$origin" "$size" "$root64" "" "$signature" > "$work/checkpoint"
[ "$(sha256 < "$work/checkpoint")" = "$(sha256 < checkpoint)" ] || fail "checkpoint is not the proof's"
[ "$origin" = "$name" ] || fail "this is the log $origin, the key is of $name"
[[ $size =~ ^[1-9][0-9]{0,17}$ ]] && [ "$index" -lt "$size" ] || fail "the index is outside the log"
[[ $manifest == *"\"seq\":$index,"* ]] || fail "the manifest is of another leaf"

# The audit path leads from the manifest to the root (RFC 9162, 2.1.3.2).
node=$index last=$((size - 1))
hash=$({ printf '\x00'; printf '%s' "$manifest"; } | sha256)
for sibling in "${path[@]}"; do
  [ $last -ne 0 ] || fail "the audit path is too long"
  if [ $((node & 1)) -eq 1 ] || [ $node -eq $last ]; then
    hash=$(bytes "01$sibling$hash" | sha256)
    while [ $((node & 1)) -eq 0 ] && [ $node -ne 0 ]; do node=$((node >> 1)) last=$((last >> 1)); done
  else
    hash=$(bytes "01$hash$sibling" | sha256)
  fi
  node=$((node >> 1)) last=$((last >> 1))
done
[ $last -eq 0 ] && [ "$hash" = "$(decode "$root64" "the root")" ] || fail "the leaf is not in the log"

# The checkpoint is signed by the key.
dash=$'\xe2\x80\x94'
[ "${signature#"$dash $name "}" != "$signature" ] || fail "the signature is not by $name"
signed=$(decode "${signature#"$dash $name "}" "the signature")
[ ${#signed} -eq 136 ] && [ "${signed:0:8}" = "$id" ] || fail "the signature is by another key"
printf '%s\n' "$origin" "$size" "$root64" > "$work/text"
bytes "${signed:8}" > "$work/signature"
bytes "302a300506032b6570032100${key:2}" > "$work/key.der"
openssl pkeyutl -verify -pubin -inkey "$work/key.der" -keyform DER -rawin -in "$work/text" \
  -sigfile "$work/signature" > "$work/openssl" 2>&1 || fail "the signature is wrong"

echo "VERIFIED: frame.json is number $index of $origin, committed at size $size, root $root64"
echo "Compare this checkpoint with one that you or an alert remembered: $origin $size $root64"
