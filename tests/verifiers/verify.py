"""Judges a corpus with aics-tlog: prints "id accept" or "id reject" for each line.

The library checks keys, signatures and trees. Written out here are the rules that the specifications leave to the
verifier: three lines, the limits, the tlog-proof form (without an "extra" line), strict Ed25519.
"""

import base64
import re
import sys
import unicodedata

from aics_tlog import parse_checkpoint, parse_note, parse_vkey, verify_checkpoint, verify_consistency, verify_inclusion
from aics_tlog.hashing import leaf_hash
from aics_tlog.note import b64_decode, ed25519_public_key_problem


class Refused(Exception):
    pass


def need(condition):
    if not condition:
        raise Refused


def decimal(text):
    need(re.fullmatch("0|[1-9][0-9]*", text) and int(text) < 2**64)
    return int(text)


def sha256(text):
    need(len(decoded := b64_decode(text)) == 32)
    return decoded


def has_control(text):
    return any(unicodedata.category(char) == "Cc" for char in text)


def read_key(vkey):
    vkey = vkey.decode().removesuffix("\n")
    need(re.fullmatch(r"[^+]+\+[0-9a-f]{8}\+.{44}", vkey) and not has_control(vkey))
    return parse_vkey(vkey)


def checkpoint(signed, key):
    need(len(signed) <= 64 * 1024 and signed.endswith(b"\n"))
    note = parse_note(signed)
    lines = signed.decode().rpartition("\n\n")[2].removesuffix("\n").split("\n")
    need("" not in lines and len(lines) <= 80 and note.text.count("\n") == 3)
    for line in note.signatures:
        need(line.signature and not has_control(line.name))
        is_own = (line.name, line.key_id) == (key.name, key.key_id)
        need(not is_own or not (ed25519_public_key_problem(line.signature[:32]) or "").startswith("is a small-order"))
    need(verify_checkpoint(note, key, expected_origin=key.name).ok)
    read = parse_checkpoint(note.text)
    need(read.size < 2**64)
    return read.size, read.root


def judge(kind, vkey, document, about):
    key = read_key(vkey)
    if kind == "checkpoint":
        checkpoint(document, key)
        return
    head, _, signed = document.partition(b"\n\n")
    size, root = checkpoint(signed, key)
    lines = head.decode().split("\n")
    if kind == "inclusion":
        need(lines.pop(0) == "c2sp.org/tlog-proof@v1")
    word = "index " if kind == "inclusion" else "old "
    need(lines[0].startswith(word))
    number, path = decimal(lines[0].removeprefix(word)), [sha256(line) for line in lines[1:]]
    need(len(path) <= 64)
    if kind == "inclusion":
        need(verify_inclusion(leaf_hash(about), number, size, path, root))
        return
    old_size, old_root = checkpoint(about, key)
    need(number == old_size and verify_consistency(old_size, size, old_root, root, path))


for line in sys.stdin:
    number, _class, _expected, kind, *fields = line.split()
    try:
        judge(kind, *(b"" if it == "-" else base64.b64decode(it) for it in fields))
        print(number, "accept")
    except (Refused, ValueError, IndexError):
        print(number, "reject")
