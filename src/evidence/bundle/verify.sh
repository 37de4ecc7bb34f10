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
base64url() { base64 -w 0 | tr '+/' '-_' | tr -d '='; }
# The text of a file, which must hold nothing that a variable can't.
text_of() {
  text=$(cat -- "$1"; printf x) text=${text%x}
  [ "$(printf '%s' "$text" | sha256)" = "$(sha256 < "$1")" ] || fail "$1 has stray bytes"
}

# Nothing was changed by accident.
sha256sum --check --strict --quiet SHA256SUMS > "$work/sums" 2>&1 || fail "SHA256SUMS does not match"

# A key: NAME+ID+BASE64(0x01 || public key), and the id is made from the rest. Adds it to those that are trusted.
trusted=()
trust() {
  [[ $1 =~ ^([^+[:space:]]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$ ]] || fail "$2 is no verifier key"
  local key_name=${BASH_REMATCH[1]} id=${BASH_REMATCH[2]} key
  key=$(decode "${BASH_REMATCH[3]}" "$2")
  [ ${#key} -eq 66 ] && [ "${key:0:2}" = 01 ] || fail "$2 is not Ed25519"
  [ "$({ printf '%s\n' "$key_name"; bytes "$key"; } | sha256 | cut -c 1-8)" = "$id" ] || fail "the id of $2 is wrong"
  name=${name:-$key_name}
  [ "$key_name" = "$name" ] || fail "$2 is of another log"
  trusted+=("$id:${key:2}")
}

# A checkpoint: three lines, an empty one, signatures. Sets size, root and lines; `signed` says whether a trusted key
# signed it, and fails when a signature of such a key is wrong.
checkpoint() {
  text_of "$1"
  [[ $text == *$'\n' ]] || fail "$1 is cut off"
  mapfile -t line < "$1"
  [ ${#line[@]} -ge 5 ] && [ -z "${line[3]}" ] || fail "$1 is no checkpoint"
  [ "${line[0]}" = "$name" ] || fail "this is the log ${line[0]}, the key is of $name"
  size=${line[1]}
  [[ $size =~ ^[1-9][0-9]{0,17}$ ]] || fail "the size of $1 is wrong"
  root=$(decode "${line[2]}" "the root of $1")
  [ ${#root} -eq 64 ] || fail "the root of $1 is wrong"
  local entry
  for entry in "${line[@]:4}"; do
    [[ $entry =~ ^$'\xe2\x80\x94'\ [^\ +]+\ ([A-Za-z0-9+/=]{8,})$ ]] || fail "a signature line of $1 is malformed"
    decode "${BASH_REMATCH[1]}" "a signature line of $1" > "$work/signature"
  done
}
signed() {
  local by=$'\xe2\x80\x94 '"$name " entry signature found=1
  printf '%s\n' "${line[@]:0:3}" > "$work/text"
  for entry in "${line[@]:4}"; do
    [ "${entry#"$by"}" != "$entry" ] || continue
    signature=$(decode "${entry#"$by"}" "a signature")
    for key in "${trusted[@]}"; do
      [ "${signature:0:8}" = "${key%:*}" ] || continue
      bytes "${signature:8}" > "$work/signature"
      bytes "302a300506032b6570032100${key#*:}" > "$work/key.der"
      openssl pkeyutl -verify -pubin -inkey "$work/key.der" -keyform DER -rawin -in "$work/text" \
        -sigfile "$work/signature" > "$work/openssl" 2>&1 || fail "a signature is wrong"
      found=0
    done
  done
  return $found
}

# A leaf and its tlog-proof: the audit path leads from the manifest to the root (RFC 9162, 2.1.3.2). Leaves the proof's
# checkpoint in $work/note and the manifest in $manifest.
included() {
  text_of "$1" && manifest=$text
  text_of "$2"
  local proof=$text rest path=() index node last hash sibling
  [[ $proof == c2sp.org/tlog-proof@v1$'\n'* ]] || fail "unknown version of $2"
  printf '%s' "${proof#*$'\n\n'}" > "$work/note"
  checkpoint "$work/note"
  mapfile -t rest <<< "${proof%%$'\n\n'*}"
  [[ ${rest[1]:-} =~ ^index\ (0|[1-9][0-9]{0,17})$ ]] || fail "$2 has no index"
  index=${BASH_REMATCH[1]}
  [[ $manifest == *"\"origin\":\"$name\","*"\"seq\":$index,"* ]] && [ "$index" -lt "$size" ] || fail "$2 is of another leaf"
  node=$index last=$((size - 1))
  hash=$({ printf '\x00'; printf '%s' "$manifest"; } | sha256)
  for sibling in "${rest[@]:2}"; do
    sibling=$(decode "$sibling" "an audit path")
    [ ${#sibling} -eq 64 ] && [ $last -ne 0 ] || fail "the audit path of $2 is wrong"
    if [ $((node & 1)) -eq 1 ] || [ $node -eq $last ]; then
      hash=$(bytes "01$sibling$hash" | sha256)
      while [ $((node & 1)) -eq 0 ] && [ $node -ne 0 ]; do node=$((node >> 1)) last=$((last >> 1)); done
    else
      hash=$(bytes "01$hash$sibling" | sha256)
    fi
    node=$((node >> 1)) last=$((last >> 1))
  done
  [ $last -eq 0 ] && [ "$hash" = "$root" ] || fail "$1 is not in the log"
  seq=$index
}

# One tree extends another (RFC 9162, 2.1.4.2): old size, old root, size, root, file of hashes.
extends() {
  local hashes=() node last old new sibling
  mapfile -t hashes < "$5"
  if [ "$1" -eq "$3" ]; then
    [ ${#hashes[@]} -eq 0 ] && [ "$2" = "$4" ] || fail "two checkpoints of one size"
    return
  fi
  [ "$1" -lt "$3" ] || fail "the newest checkpoint is older than the frame"
  node=$(($1 - 1)) last=$(($3 - 1))
  while [ $((node & 1)) -eq 1 ]; do node=$((node >> 1)) last=$((last >> 1)); done
  if [ $node -eq 0 ]; then old=$2; else old=$(decode "${hashes[0]:-}" consistency) hashes=("${hashes[@]:1}"); fi
  new=$old
  for sibling in "${hashes[@]}"; do
    sibling=$(decode "$sibling" consistency)
    [ ${#sibling} -eq 64 ] && [ $last -ne 0 ] || fail "the consistency proof is wrong"
    if [ $((node & 1)) -eq 1 ] || [ $node -eq $last ]; then
      old=$(bytes "01$sibling$old" | sha256) new=$(bytes "01$sibling$new" | sha256)
      while [ $((node & 1)) -eq 0 ] && [ $node -ne 0 ]; do node=$((node >> 1)) last=$((last >> 1)); done
    else
      new=$(bytes "01$new$sibling" | sha256)
    fi
    node=$((node >> 1)) last=$((last >> 1))
  done
  [ $last -eq 0 ] && [ "$old" = "$2" ] && [ "$new" = "$4" ] || fail "the newest checkpoint is of another history"
}

name=
trust "$vkey" "the verifier key"

leaves=()
if [ -d leaves ]; then mapfile -t leaves < <(printf '%s\n' leaves/*.json | sort -V); fi

# Keys that the one given handed over to. Every handing over is signed by the key that was put in charge before it and by
# the one it names, and the key given is one of these.
given=${trusted[0]} before= linked= newest_rotation=-1
for leaf in "${leaves[@]}"; do
  included "$leaf" "${leaf%.json}.tlog-proof"
  [[ $manifest == *'"type":"key-rotate"'* ]] || continue
  [[ $manifest =~ \"vkey\":\"([^\"]+)\" ]] || fail "$leaf names no key"
  [ "$size" -eq $((seq + 1)) ] || fail "$leaf is not proven to its own checkpoint"
  known=("${trusted[@]}")
  trust "${BASH_REMATCH[1]}" "the key in $leaf"
  own=${trusted[-1]}
  for key in "$own" ${before:+"$before"}; do
    trusted=("$key")
    signed || fail "$leaf is not signed by the keys it hands over between"
  done
  [ "$own" != "$given" ] || linked=1
  trusted=("$given")
  if [ -z "$before" ] && signed; then linked=1; fi
  trusted=("${known[@]}")
  if signed; then trusted+=("$own"); fi
  before=$own newest_rotation=$seq
done
[ -z "$before" ] || [ -n "$linked" ] || fail "the keys that took over from one another are not those of the key you gave"

# The frame's leaf, and a later checkpoint that extends its own.
included manifest.json frame.tlog-proof
frame_manifest=$manifest frame_seq=$seq then_size=$size then_root=$root then_root64=${line[2]}
[ "$size" -eq $((seq + 1)) ] || fail "frame.tlog-proof is not the receipt"
[[ $manifest == *'"type":"frame"'* ]] || fail "the leaf is no frame"
# Whoever signed the newest checkpoint signed this one with it; the other way around nothing would vouch for erasures.
signed || true
checkpoint checkpoint
signed || fail "the newest checkpoint is not signed by the key you gave, nor by one it handed over to"
[ "$newest_rotation" -lt "$size" ] || fail "a leaf is newer than the newest checkpoint"
extends "$then_size" "$then_root" "$size" "$root" consistency
text_of checkpoint && newest=$text now_size=$size now_root64=${line[2]}

# What was erased, by which leaf.
declare -A erased_at erased_why erased_by
for leaf in "${leaves[@]}"; do
  included "$leaf" "${leaf%.json}.tlog-proof"
  [[ $manifest == *'"type":"erasure"'* ]] || continue
  [[ $manifest =~ ^\{\"at\":\"([^\"]+)\",\"frame\":([0-9]+), ]] && [ "${BASH_REMATCH[2]}" = "$frame_seq" ] || fail "$leaf is of another frame"
  at=${BASH_REMATCH[1]}
  [ "$(cat "$work/note"; printf x)" = "${newest}x" ] || fail "$leaf is not proven to the newest checkpoint"
  [[ $manifest =~ \"parts\":\[([^]]*)\] ]] || fail "$leaf erases nothing"
  names=${BASH_REMATCH[1]}
  why=${manifest#*\"reason\":\"} why=${why%%\",\"seq\":*}
  for part in ${names//[\",]/ }; do
    [ -n "${erased_by[$part]:-}" ] || erased_at[$part]=$at erased_why[$part]=$why erased_by[$part]=$seq
  done
done

# Every part is what was committed, or was erased.
committed=${frame_manifest#*\"parts\":\{} committed=${committed%%\},\"previous\":*}
rest= samples= variables=
while [[ $committed =~ ^,?\"([a-z_]+)\":\{\"bytes\":([0-9]+),\"sd\":\"([A-Za-z0-9_-]{43})\"(,\"state\":\"([a-z]+)\")?\} ]]; do
  part=${BASH_REMATCH[1]} sd=${BASH_REMATCH[3]}
  committed=${committed#"${BASH_REMATCH[0]}"}
  if [ -e "disclosures/$part.sd" ]; then
    [ -z "${erased_by[$part]:-}" ] || fail "$part was erased, and is here"
    [ "$(openssl dgst -sha256 -binary "disclosures/$part.sd" | base64url)" = "$sd" ] || fail "$part is not what was committed"
    text_of "disclosures/$part.sd"
    padded=$(printf '%s' "$text" | tr -- '-_' '+/')
    while [ $((${#padded} % 4)) -ne 0 ]; do padded="$padded="; done
    value=$(printf '%s' "$padded" | base64 -d; printf x) value=${value%x}
    [[ $value =~ ^\[\"[A-Za-z0-9_-]{22}\",\"$part\", ]] || fail "$part is disclosed as something else"
    value=${value#"${BASH_REMATCH[0]}"} value=${value%]}
  else
    [ -n "${erased_by[$part]:-}" ] || fail "$part is missing"
    note="{\"at\":\"${erased_at[$part]}\",\"leaf\":${erased_by[$part]},\"reason\":\"${erased_why[$part]}\"}"
    if [ "$part" = samples ]; then
      value="{\"erased\":$note,\"failing\":[],\"healthy\":[]}"
    else
      value="{\"baseline\":[],\"detail\":{},\"distance\":null,\"erased\":$note,\"incident\":[],\"moved\":null,\"p_value\":null,"
      value+="\"reason\":\"erased by leaf ${erased_by[$part]} at ${erased_at[$part]}: ${erased_why[$part]}\",\"state\":\"missing\"}"
    fi
    echo "ERASED: $part, committed as $sd, by leaf ${erased_by[$part]} at ${erased_at[$part]}: ${erased_why[$part]}"
  fi
  case $part in
    frame) rest=$value ;;
    samples) samples=",\"samples\":$value" ;;
    *) variables="$variables${variables:+,}\"$part\":$value" ;;
  esac
done
[ -z "$committed" ] && [ -n "$rest" ] || fail "the manifest's parts are malformed"

# frame.json is the frame's own part with the samples and the variables put in.
text_of frame.json
whole=$text
[ -z "$samples" ] || whole=${whole/"$samples"/}
[ -z "$variables" ] || whole=${whole/",\"variables\":{$variables}"/}
[ "$whole" = "$rest" ] || fail "frame.json is not what was committed"
[[ $rest == *"\"origin\":\"$name\""[,}]* && $rest == *"\"seq\":$frame_seq"[,}]* ]] || fail "the frame names another place in a log"

echo "VERIFIED: frame.json is number $frame_seq of $name, committed at size $then_size, root $then_root64"
echo "Compare with checkpoints that you or an alert remembered: $name $then_size $then_root64"
[ "$now_size" -eq "$then_size" ] || echo "and the newest: $name $now_size $now_root64"
