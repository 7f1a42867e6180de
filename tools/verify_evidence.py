#!/usr/bin/env python3
"""Checks syncpay's receipts, consistency proofs and checkpoints, without syncpay.

Written from the specifications alone: C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy,
tlog-proof and tlog-witness (https://c2sp.org), and RFC 9162 section 2.1 for the proofs. Ed25519 is that
of the PyPI package `cryptography`, hashing that of the standard library.

    verify_evidence.py receipt RECEIPT POLICY
    verify_evidence.py consistency OLD_CHECKPOINT PROOF POLICY
    verify_evidence.py checkpoint CHECKPOINT POLICY

Prints what is proven and exits with 0, or says why not and exits with 1.
"""
import base64, hashlib, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Unproven(Exception):
    pass


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def key(text):
    """A verifier key, `name+id+base64` (signed-note, "Verifier keys"): name, id, kind, public key."""
    name, given, rest = text.split("+", 2)
    raw = base64.b64decode(rest, validate=True)
    identity = sha256(name.encode(), b"\n", raw)[:4]
    if identity.hex() != given or raw[0] not in (1, 4) or len(raw) != 33:
        raise Unproven(f"malformed key {text}")
    return name, identity, raw[0], Ed25519PublicKey.from_public_bytes(raw[1:])


def policy(path):
    """tlog-policy: keys of logs, witnesses and groups by name, and the name of the quorum."""
    logs, members, quorum = [], {}, None
    for line in open(path, encoding="utf-8"):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "log":
            logs.append(key(words[1]))
        elif words[0] == "witness":
            members[words[1]] = key(words[2])
        elif words[0] == "group":
            count = {"all": len(words) - 3, "any": 1}.get(words[2]) or int(words[2])
            members[words[1]] = (count, words[3:])
        elif words[0] == "quorum":
            quorum = words[1]
        else:
            raise Unproven(f"policy: unknown line {line!r}")
    return logs, members, quorum


def note(text):
    """A signed note: its text, and its signatures as (name, key id, bytes)."""
    body, tail = text.rsplit("\n\n", 1)
    signatures = []
    for line in tail.splitlines():
        dash, name, blob = line.split(" ")
        raw = base64.b64decode(blob, validate=True)
        if dash != "\u2014":
            raise Unproven("malformed signature line")
        signatures.append((name, raw[:4], raw[4:]))
    return body + "\n", signatures


def signed(verifier, text, signatures):
    """Whether a key has signed; a signature that claims to be its and is not ends it all."""
    name, identity, kind, public = verifier
    for who, which, raw in signatures:
        if (who, which) != (name, identity):
            continue
        message = text.encode()
        if kind == 4:  # tlog-cosignature: a time, then the signature
            time = int.from_bytes(raw[:8], "big")
            message, raw = f"cosignature/v1\ntime {time}\n{text}".encode(), raw[8:]
        try:
            public.verify(raw, message)
        except InvalidSignature:
            raise Unproven(f"false signature of {name}")
        return True
    return False


def checkpoint(text, trust):
    """Verifies a checkpoint under a policy: origin, size, root, and who has witnessed it."""
    logs, members, quorum = trust
    body, signatures = note(text)
    origin, size, root = body.splitlines()[:3]
    if not any(log[0] == origin and signed(log, body, signatures) for log in logs):
        raise Unproven("no trusted log has signed it")
    present = {n for n, m in members.items() if len(m) == 4 and signed(m, body, signatures)}

    def holds(name):
        member = members[name]
        return name in present if len(member) == 4 else sum(map(holds, member[1])) >= member[0]

    if quorum != "none" and not holds(quorum):
        raise Unproven("too few witnesses")
    return origin, int(size), base64.b64decode(root, validate=True), sorted(present)


def rise(node, last):
    while node % 2 == 0 and node:
        node, last = node >> 1, last >> 1
    return node, last


def inclusion(leaf, index, size, path):
    """The root that a leaf and its path lead to (RFC 9162, 2.1.3.2)."""
    if index >= size:
        raise Unproven("index beyond the tree")
    node, last = index, size - 1
    for sibling in path:
        if not last:
            raise Unproven("path too long")
        if node % 2 or node == last:
            leaf = sha256(b"\1", sibling, leaf)
            node, last = rise(node, last)
        else:
            leaf = sha256(b"\1", leaf, sibling)
        node, last = node >> 1, last >> 1
    return leaf if not last else None


def consistency(old, size, path, root):
    """The roots of both trees that a proof leads to (RFC 9162, 2.1.4.2)."""
    if old == size:
        return root, root
    nodes = path if old & (old - 1) else [root] + path
    node, last = old - 1, size - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    first = second = nodes[0]
    for sibling in nodes[1:]:
        if not last:
            raise Unproven("path too long")
        if node % 2 or node == last:
            first, second = sha256(b"\1", sibling, first), sha256(b"\1", sibling, second)
            node, last = rise(node, last)
        else:
            second = sha256(b"\1", second, sibling)
        node, last = node >> 1, last >> 1
    return first, (second if not last else None)


def main(command, *files):
    text = [open(name, encoding="utf-8").read() for name in files[:-1]]
    trust = policy(files[-1])
    if command == "receipt":
        head, tail = text[0].split("\n\n", 1)
        lines = head.splitlines()
        if lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra "):
            raise Unproven("no receipt")
        record = base64.b64decode(lines[1][6:], validate=True)
        index = int(lines[2].removeprefix("index "))
        origin, size, root, names = checkpoint(tail, trust)
        path = [base64.b64decode(line, validate=True) for line in lines[3:]]
        if inclusion(sha256(b"\0", record), index, size, path) != root:
            raise Unproven("the event is not in the tree")
        print(f"proven: event {index + 1} of {size} of {origin}, signed by {', '.join(names)}")
    elif command == "consistency":
        _, old, old_root, _ = checkpoint(text[0], trust)
        head, tail = text[1].split("\n\n", 1)
        origin, size, root, names = checkpoint(tail, trust)
        path = [base64.b64decode(line, validate=True) for line in head.splitlines()[1:]]
        if int(head.splitlines()[0].removeprefix("old ")) != old or old > size:
            raise Unproven("the proof is of other sizes")
        if consistency(old, size, path, old_root) != (old_root, root):
            raise Unproven("the older log is not the beginning of the newer one")
        print(f"proven: {old} events are the beginning of {size} of {origin}")
    else:
        origin, size, _, names = checkpoint(text[0], trust)
        print(f"proven: {origin} with {size} events, signed by {', '.join(names)}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Unproven, ValueError, IndexError, KeyError) as problem:
        sys.exit(f"not proven: {problem}")
