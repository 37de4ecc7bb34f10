"""Both roles of C2SP tlog-witness against aics-witness 0.1.0: it cosigns a sidecar's log, finds out a copy of it, and is
cosigned by a sidecar. Run by tests/witness/run; prints a line a check and exits 1 at the first that fails."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

from aics_tlog import (
    Checkpoint, MerkleTree, format_vkey, parse_note, parse_vkey, sign_checkpoint, verify_checkpoint, vkey_from_ed25519,
)
from aics_witness.feeder import WitnessClient, WitnessRejected, merge_cosignatures
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FREEZEFRAME = str(Path(sys.argv[1]).resolve())
AICS = str(Path(sys.executable).with_name("aics-witness"))
TOKEN = "secret"
PATIENCE_SECONDS = 30


def check(what, holds, found=""):
    print(f"{'ok  ' if holds else 'FAIL'} {what} {found if not holds else ''}".rstrip(), flush=True)
    if not holds:
        sys.exit(1)


def get(url):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def eventually(what, look):
    """Looks until it is true; what was seen last is shown."""
    end, seen = time.monotonic() + PATIENCE_SECONDS, None
    while time.monotonic() < end:
        try:
            seen = look()
            if seen:
                return check(what, True)
        except (OSError, urllib.error.HTTPError) as error:
            seen = error
        time.sleep(0.2)
    check(what, False, seen)


@contextmanager
def process(*command, **options):
    child = subprocess.Popen(command, **options)
    try:
        yield child
    finally:
        child.terminate()
        child.wait()


@contextmanager
def sidecar(home, evidence):
    """A sidecar with its data below `home`; yields the URL of its admin listener."""
    anywhere = {"endpoint": "127.0.0.1:0"}
    config = home / "freezeframe.yaml"
    config.write_text(json.dumps({
        "receiver": {"otlp": {"grpc": anywhere, "http": anywhere}}, "health": anywhere, "data_dir": str(home / "data"),
        "admin": {"endpoint": "127.0.0.1:0", "token": TOKEN}, "evidence": evidence,
    }))
    with (home / "log").open("a") as log, process(
        FREEZEFRAME, "run", "--config", str(config), stdout=subprocess.PIPE, stderr=log, text=True
    ) as child:
        yield "http://" + json.loads(child.stdout.readline())["admin"]


def freeze(url, minute):
    """One more frame: an alert that somebody else fired."""
    alert = {"status": "firing", "labels": {"alertname": "X"}, "annotations": {}, "startsAt": f"2026-11-22T02:{minute:02}:00Z"}
    body = json.dumps({"version": "4", "alerts": [alert]}).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url + "/api/v1/alertmanager", body, headers), timeout=30).read()


def cosigned(url, size, log, witness):
    """Whether aics-tlog accepts the log's cosigned checkpoint at `size` with a quorum of one."""
    result = verify_checkpoint(parse_note(get(url + "/log/cosigned")), parse_vkey(log), [parse_vkey(witness)], 1)
    return result.ok and result.size == size and result.cosignature_count == 1


def contradictions(url, kind):
    lines = get(url + "/metrics").splitlines()
    return [line for line in lines if line.startswith("freezeframe_witness_contradictions_total{") and f'"{kind}"' in line]


def aics_cosigns_a_sidecar(home):
    ours, config = home / "ours", home / "witness.json"
    ours.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        listen = "127.0.0.1:%d" % probe.getsockname()[1]
    with sidecar(ours, {}) as url:
        log = get(url + "/log/vkey").strip()
    run = lambda *command: subprocess.run([AICS, *command], check=True, capture_output=True, text=True).stdout
    witness = run("init", "--config", str(config), "--name", "witness.example/aics", "--listen", listen).strip()
    run("add-log", "--config", str(config), "--origin", parse_vkey(log).name, "--vkey", log)
    evidence = {"witnesses": [{"url": f"http://{listen}", "vkey": witness}]}
    with ExitStack() as running:
        running.enter_context(process(AICS, "serve", "--config", str(config), stderr=subprocess.DEVNULL))
        url = running.enter_context(sidecar(ours, evidence))
        eventually("aics-witness cosigns the first checkpoint", lambda: cosigned(url, 1, log, witness))
        for minute in range(3):
            freeze(url, minute)
        eventually("and the fourth, after growth", lambda: cosigned(url, 4, log, witness))
        theirs = home / "copy"
        shutil.copytree(ours, theirs)
        for minute in range(3, 5):
            freeze(url, minute)
        eventually("and the sixth", lambda: cosigned(url, 6, log, witness))
        copy = running.enter_context(sidecar(theirs, evidence))
        eventually("a copy that is behind is told that it was rolled back", lambda: contradictions(copy, "rolled_back"))
        for minute in range(10, 12):
            freeze(copy, minute)
        eventually("once as long, that it forked", lambda: contradictions(copy, "forked"))
        freeze(copy, 12)
        freeze(url, 20)
        eventually("the first history is cosigned on", lambda: cosigned(url, 7, log, witness))
        check("the second never was", cosigned(copy, 4, log, witness), get(copy + "/log/cosigned"))
        check("and the first never contradicted", not contradictions(url, "forked") + contradictions(url, "rolled_back"))
    kept = run("evidence", "--config", str(config))
    check("aics-witness kept the fork as evidence", parse_vkey(log).name in kept, kept)


def a_sidecar_cosigns_aics(home):
    ours = home / "witness"
    ours.mkdir()
    key, name = Ed25519PrivateKey.generate(), "log.example/aics"
    log = vkey_from_ed25519(name, key.public_key())
    tree, fork = (MerkleTree([b"%d %d" % (leaf, which if leaf > 20 else 0) for leaf in range(100)]) for which in range(2))

    def note(of, size):
        return sign_checkpoint(Checkpoint(origin=name, size=size, root=of.root(size)), key, name).to_bytes()

    for sizes in ([1, 2, 3, 7, 8, 64], [65, 65, 99]):
        # The second time after a restart.
        with sidecar(ours, {"witness": {"logs": [format_vkey(log)]}}) as url:
            witness = parse_vkey(get(url + "/witness/vkey").strip())
            client = WitnessClient(url, witness)
            for size in sizes:
                signed = note(tree, size)
                merged = merge_cosignatures(signed, client.submit(signed, tree.consistency_proof))
                check(f"a sidecar cosigns {size} leaves of aics-tlog", verify_checkpoint(parse_note(merged), log, [witness], 1).ok)
            for size in (sizes[-1], sizes[-1] + 1):
                try:
                    client.submit(note(fork, size), fork.consistency_proof)
                    check("a sidecar cosigns no fork", False, size)
                except WitnessRejected as refused:
                    check(f"and no fork of {size}", "422" in str(refused), refused)
    check("the fork is kept as evidence", len(list((ours / "data" / "peers").glob("*/conflict"))) == 1)


with tempfile.TemporaryDirectory() as scratch:
    aics_cosigns_a_sidecar(Path(scratch))
    (Path(scratch) / "reverse").mkdir()
    a_sidecar_cosigns_aics(Path(scratch) / "reverse")
