#!/usr/bin/env bash
# Judges a corpus with bash, openssl 3 and coreutils: prints "id accept" or "id reject" for each line of the file $1.
# The same steps as the script in a bundle, for signatures of many and for consistency, too.
set -uo pipefail
export LC_ALL=C
work=$(mktemp -d)
declare -A sextet=([=]=0)
alphabet=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/
for ((i = 0; i < 64; i++)); do sextet[${alphabet:i:1}]=$i; done
trap 'rm -r -- "$work"' EXIT

refuse() { exit 1; }
# As few processes as can be, because there are thousands of cases: the results are in $sum and $hex.
sha256_of() { sum=$(sha256sum < "$1") && sum=${sum%% *}; }
hex_of() { hex=$(od -An -v -tx1 "$1") && hex=${hex//[ $'\n']/}; }
# Canonical base64 only, which the caller has made sure of.
decode() {
  local i j group value
  hex=''
  for ((i = 0; i < ${#1}; i += 4)); do
    group=${1:i:4} value=0
    for ((j = 0; j < 4; j++)); do value=$((value << 6 | ${sextet[${group:j:1}]})); done
    printf -v group '%06x' "$value"
    hex+=$group
  done
  [[ $1 != *= ]] || hex=${hex%??}
  [[ $1 != *== ]] || hex=${hex%??}
}
bytes() {
  local escaped='' i
  for ((i = 0; i < ${#1}; i += 2)); do escaped+="\\x${1:i:2}"; done
  printf '%b' "$escaped"
}
node_of() { bytes "01$1$2" > "$work/node" && sha256_of "$work/node"; }

# Base64 as it is written: no spare bit set (RFC 4648, 3.5).
b64='[A-Za-z0-9+/]' b64_4='[AEIMQUYcgkosw048]' b64_2='[AQgw]'
canonical="^($b64{4})*($b64{2}$b64_4=|$b64$b64_2==)?$"
hash_form="^$b64{42}$b64_4=$"
vkey_form="^([^+]+)\+([0-9a-f]{8})\+($b64{44})$"
decimal_form='^(0|[1-9][0-9]*)$'
# What a name may not hold: spaces and control characters of Unicode, and a plus.
no_name=$'[\x01-\x20\x7f+]|\xc2[\x80-\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80'
# UTF-8 without control characters but newline, in hex.
utf8='^([2-7].|0a|(c[2-9a-f]|d.)[89ab].|e0[ab].[89ab].|e[1-9a-cef]([89ab].){2}|ed[89].[89ab].'
utf8+='|f0[9ab].([89ab].){2}|f[123]([89ab].){3}|f48.([89ab].){2})*$'
# The points of small order: nobody's key, and no honest signature's R.
small='^(0[01](00){30}[08]0|ec(ff){30}[7f]f|26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc[08]5'
small+='|c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03[7f]a)$'

# $text becomes the whole of a file of text, last newlines included.
read_text() {
  hex_of "$1"
  [[ $hex =~ $utf8 ]] || refuse
  IFS= read -r -d '' text < "$1" || true
}

at_most() { [ ${#1} -lt ${#2} ] || { [ ${#1} -eq ${#2} ] && [[ ! $1 > $2 ]]; }; }

read_key() {
  read_text "$work/vkey"
  [[ ${text%$'\n'} =~ $vkey_form ]] || refuse
  name=${BASH_REMATCH[1]} id=${BASH_REMATCH[2]}
  decode "${BASH_REMATCH[3]}"
  key=$hex
  [[ ! $name =~ $no_name && ${key:0:2} == 01 && ! ${key:2} =~ $small ]] || refuse
  { printf '%s\n' "$name"; bytes "$key"; } > "$work/key"
  sha256_of "$work/key"
  [ "${sum:0:8}" = "$id" ] || refuse
}

# Opens the signed checkpoint in $1: $size and $root.
checkpoint() {
  local dash=$'\xe2\x80\x94 ' signed=$1 line lines cosigner encoded signature='' origin rest
  [[ ${#signed} -le 65536 && $signed == *$'\n\n'* ]] || refuse
  text=${signed%$'\n\n'*} rest=${signed##*$'\n\n'}
  [[ $rest == *$'\n' ]] || refuse
  mapfile -t lines <<< "${rest%$'\n'}"
  [ ${#lines[@]} -le 80 ] || refuse
  for line in "${lines[@]}"; do
    [[ $line == "$dash"*' '* ]] || refuse
    line=${line#"$dash"} cosigner=${line%% *} encoded=${line#* }
    [[ -n $cosigner && ! $cosigner =~ $no_name && $encoded =~ $canonical ]] || refuse
    [ ${#encoded} -ge 8 ] && [[ $encoded != ??????== ]] || refuse
    [ "$cosigner" = "$name" ] || continue
    decode "$encoded"
    [ "${hex:0:8}" = "$id" ] || continue
    [ -z "$signature" ] && [ ${#hex} -eq 136 ] || refuse
    signature=${hex:8}
  done
  [ -n "$signature" ] && [[ ! ${signature:0:64} =~ $small ]] || refuse
  mapfile -t lines <<< "$text"
  [ ${#lines[@]} -eq 3 ] && [ "${lines[0]}" = "$name" ] && [[ ${lines[2]} =~ $hash_form ]] || refuse
  size=${lines[1]}
  [[ $size =~ $decimal_form ]] && at_most "$size" 18446744073709551615 || refuse
  printf '%s\n' "$text" > "$work/text"
  bytes "$signature" > "$work/signature"
  bytes "302a300506032b6570032100${key:2}" > "$work/key.der"
  openssl pkeyutl -verify -pubin -inkey "$work/key.der" -keyform DER -rawin -in "$work/text" \
    -sigfile "$work/signature" > /dev/null 2>&1 || refuse
  decode "${lines[2]}"
  root=$hex
}

# RFC 9162, 2.1.3.2 and 2.1.4.2: climbs from $node below $last along $path; $hash is the new root, $old_hash the old.
climb() {
  local sibling
  for sibling in "${path[@]}"; do
    [ "$last" -ne 0 ] || refuse
    if [ $((node & 1)) -eq 1 ] || [ "$node" -eq "$last" ]; then
      [ -z "$old_hash" ] || { node_of "$sibling" "$old_hash" && old_hash=$sum; }
      node_of "$sibling" "$hash" && hash=$sum
      while [ $((node & 1)) -eq 0 ] && [ "$node" -ne 0 ]; do node=$((node >> 1)) last=$((last >> 1)); done
    else
      node_of "$hash" "$sibling" && hash=$sum
    fi
    node=$((node >> 1)) last=$((last >> 1))
  done
  [ "$last" -eq 0 ] && [ "$hash" = "$root" ] || refuse
}

included() {
  [ "$number" -lt "$size" ] || refuse
  { printf '\x00'; cat "$work/about"; } > "$work/leaf"
  sha256_of "$work/leaf"
  node=$number last=$((size - 1)) old_hash='' hash=$sum
  climb
}

consistent() {
  local new_size=$size new_root=$root old_root
  read_text "$work/about"
  checkpoint "$text"
  [ "$size" = "$number" ] && at_most "$number" "$new_size" || refuse
  old_root=$root root=$new_root
  if [ "$number" = "$new_size" ] || [ "$number" = 0 ]; then
    [ "$number" = "$new_size" ] || { sha256_of /dev/null && root=$sum; }
    [ ${#path[@]} -eq 0 ] && [ "$old_root" = "$root" ] || refuse
    return
  fi
  node=$((number - 1)) last=$((new_size - 1))
  while [ $((node & 1)) -eq 1 ]; do node=$((node >> 1)) last=$((last >> 1)); done
  [ "$node" -ne 0 ] || path=("$old_root" "${path[@]}")
  [ ${#path[@]} -gt 0 ] || refuse
  hash=${path[0]} old_hash=$hash path=("${path[@]:1}")
  climb
  [ "$old_hash" = "$old_root" ] || refuse
}

judge() {
  local line number head text hex sum name id key size root node last hash old_hash path=()
  read_key
  read_text "$work/document"
  [ "$1" != checkpoint ] || { checkpoint "$text"; return; }
  [[ $text == *$'\n\n'* ]] || refuse
  head=${text%%$'\n\n'*}
  line=${text:${#head}+2}
  mapfile -t head <<< "$head"
  checkpoint "$line"
  at_most "$size" 9223372036854775807 || refuse
  if [ "$1" = inclusion ]; then
    [ "${head[0]}" = c2sp.org/tlog-proof@v1 ] && [[ ${head[1]:-} == 'index '* ]] || refuse
    number=${head[1]#index } head=("${head[@]:2}")
  else
    [[ ${head[0]} == 'old '* ]] || refuse
    number=${head[0]#old } head=("${head[@]:1}")
  fi
  [[ $number =~ $decimal_form ]] && at_most "$number" 9223372036854775807 && [ ${#head[@]} -le 64 ] || refuse
  for line in "${head[@]}"; do
    [[ $line =~ $hash_form ]] || refuse
    decode "$line"
    path+=("$hex")
  done
  if [ "$1" = inclusion ]; then included; else consistent; fi
}

while read -r number _ _ kind vkey document about; do
  for field in vkey document about; do
    base64 -d <<< "${!field#-}" > "$work/$field"
  done
  if (judge "$kind"); then echo "$number accept"; else echo "$number reject"; fi
done < "$1"
