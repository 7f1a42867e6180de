#!/usr/bin/env python3
"""Reads syncpay segments with nothing but Format.md, Ledger.md and the standard library: a second reader
that shares no code with the first. Verifies every check, hash, link and Merkle root (not LZ4's own checksums:
`lz4 -t` does), and prints each event as JSON. Exit status: 0 all is whole, 1 something is not.   tools/read_segment.py node1/data/log/*.lz4"""
import hashlib, json, struct, sys
sha = lambda data: hashlib.sha256(data).digest()
CLOCK, REFERENCE = ["unsynchronized", "synchronized", "holdover", "disrupted"], ["local", "cluster", "external"]
CROCKFORD, INDEX = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", (b"STXN", b"SACC")

def need(condition, what):
    if not condition: raise ValueError(what)
def lz4_block(data):
    """LZ4 block format 1.6.4."""
    out, at = bytearray(), 0
    def length(count):
        nonlocal at
        more = 255 if count == 15 else 0
        while more == 255:
            more, at = data[at], at + 1
            count += more
        return count
    while at < len(data):
        token, at = data[at], at + 1
        count = length(token >> 4)
        out, at = out + data[at:at + count], at + count
        if at >= len(data): break
        offset, at = data[at] | data[at + 1] << 8, at + 2
        need(0 < offset <= len(out), "an LZ4 match before the start")
        for _ in range(length(token & 15) + 4): out.append(out[-offset])
    return bytes(out)
def lz4_frame(data):
    """One LZ4 frame of independent blocks with their checksums, and content size."""
    magic, flags, _, size, _ = struct.unpack_from("<IBBQB", data)
    need(magic == 0x184D2204 and flags & 0x78 == 0x78, "not an LZ4 frame of ours")
    out, at = b"", 15
    while (word := struct.unpack_from("<I", data, at)[0]):
        block = data[at + 4:at + 4 + (word & 0x7FFFFFFF)]
        out, at = out + (block if word >> 31 else lz4_block(block)), at + 8 + len(block)
    need(len(out) == size and at + 4 == len(data), "an LZ4 frame of another length")
    return out

class Fields:
    """Little-endian fields and LEB128 varints of one record."""
    def __init__(self, data): self.data, self.at = data, 0
    def take(self, count):
        self.at += count
        need(self.at <= len(self.data), "a record ends early")
        return self.data[self.at - count:self.at]
    def number(self, form): return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]
    def varint(self):
        value = shift = 0
        while (byte := self.take(1)[0]) & 128: value, shift = value | (byte & 127) << shift, shift + 7
        return value | byte << shift
    def signed(self): return ((n := self.varint()) >> 1) ^ -(n & 1)
    def text(self, count): return self.take(count).decode()
    def stamp(self):
        clock, node, epoch, raw = self.number("B"), self.varint(), self.varint(), self.number("q")
        correction, bound, ahead, logical = self.signed(), self.varint(), self.signed(), self.varint()
        return {"raw_ns": raw, "correction_ns": correction, "bound_ns": bound, "node": node, "epoch": epoch,
                "hlc_wall_ns": raw + correction + ahead, "hlc_logical": logical,
                "status": CLOCK[clock & 3], "reference": REFERENCE[clock >> 2]}

def payment(fields):
    flags, stamp, minor, currency = fields.number("B"), fields.stamp(), fields.varint(), fields.text(3)
    if flags & 1: name = fields.text(fields.number("B"))
    else:
        bits = int.from_bytes(fields.take(16), "big")
        name = "txn_" + "".join(CROCKFORD[bits >> 5 * place & 31] for place in range(25, -1, -1))
    event = {"stamp": stamp, "transaction_id": name, "currency": currency, "minor_units": minor,
             "exponent": flags >> 2, "sender": fields.text(fields.varint()), "receiver": fields.text(fields.varint())}
    return event | ({"reference": fields.text(fields.varint())} if flags & 2 else {})
def clock_report(fields):
    event = {"stamp": fields.stamp(), "drift_ppb": fields.signed()}
    return event | {"sources": [[fields.number("B"), fields.varint(), fields.signed(), fields.varint(),
                                 fields.varint(), fields.number("B")] for _ in range(fields.varint())]}
def membership(fields):
    event = {"stamp": fields.stamp()}
    for name in ("voters", "outgoing", "learners"):
        event[name] = [fields.number("H") for _ in range(fields.number("B"))]
    return event | {"members": [[fields.number("H"), fields.text(fields.number("B")), fields.text(fields.number("B")),
                                 fields.number("Q")] for _ in range(fields.number("B"))]}
def log_progress(fields):
    event = {"stamp": fields.stamp(), "monotonic_ns": fields.varint(), "start": [fields.varint() for _ in range(5)]}
    at, marks = list(event["start"]), []
    for _ in range(fields.number("H")):
        flags, clock = fields.number("B"), [fields.signed() for _ in range(4)]
        for bit, places in enumerate([(0, 1), (2,), (3,), (4,)]):
            if flags >> bit & 1:
                for place in places: at[place] += fields.signed()
        marks.append(clock + at)
    return event | {"marks": marks}
KINDS = {1: ("payment", payment), 2: ("clock_report", clock_report), 3: ("beacon", lambda f: {"stamp": f.stamp()}),
         5: ("members", membership), 6: ("policy", lambda f: {"stamp": f.stamp(), "key": f.number("H"), "value": f.signed()}),
         7: ("leadership", lambda f: {"stamp": f.stamp(), "target": f.number("H")}), 8: ("clock_measurement", lambda f: {
             "stamp": f.stamp(), "monotonic_ns": f.varint(), "source": [f.number("B"), f.varint(), f.signed(), f.varint(),
                                                                        f.varint(), f.number("B")]}),
         9: ("log_progress", log_progress), 10: ("occurrence", lambda f: {
             "stamp": f.stamp(), "topic": f.number("B"), "peer": f.varint(), "number": f.varint(),
             "transaction_id": f.text(f.number("B")), "word": f.text(f.number("B"))})}
class Tree:
    """RFC 6962 section 2.1, by its right edge."""
    def __init__(self): self.size, self.edge, self.tiles = 0, [], []
    def add(self, leaf):
        digest, level = sha(b"\0" + leaf), 0
        while self.size >> level & 1:
            digest, level = sha(b"\1" + self.edge.pop() + digest), level + 1
            if level == 8: self.tiles.append(digest)
        self.edge.append(digest)
        self.size += 1
    def root(self):
        digest = self.edge[-1] if self.edge else sha(b"")
        for left in reversed(self.edge[:-1]): digest = sha(b"\1" + left + digest)
        return digest

def read(path, before):
    """One segment; `before` is (index, sequence, hash, tree) after the one before it, or None."""
    data = open(path, "rb").read()
    need(data[:4] == b"P*M\x18" and data[8:12] == b"SPFH" and data[88:96] == sha(data[8:88])[:8], "file header")
    index, sequence, previous = *struct.unpack_from("<QQ", data, 32), data[48:80]
    tree = before[3] if before else Tree() if sequence == 1 else None
    need(not before or before[:3] == (index, sequence, previous), "it does not continue the one before")
    if tree: tree.tiles = []
    start, at, marks = (index, sequence, tree and list(tree.edge)), 96, []
    while data[at + 8:at + 12] == b"SPBH":
        header = data[at:at + 212]
        need(header[:8] == b"P*M\x18\xcc\0\0\0" and header[204:] == sha(header[8:204])[:8], f"header of batch {index}")
        flags, number, _, events_from, count, size = struct.unpack_from("<HQQQII", header, 14)
        frame = data[at + 212:at + 212 + struct.unpack_from("<I", header, 200)[0]]
        records, place = lz4_frame(frame) if frame else b"", 0
        need((number, events_from, header[136:168]) == (index, sequence, previous), f"chain at batch {index}")
        need(sha(header[8:168] + records) == header[168:200] and len(records) == size, f"hash of batch {index}")
        if not marks or at - marks[-1] >= 65536: marks.append(at)
        for _ in range(count):
            end = place + 2 + struct.unpack_from("<H", records, place)[0]
            fields, (kind, decode) = Fields(records[place + 3:end]), KINDS[records[place + 2]]
            print(json.dumps({"sequence": sequence, "index": index, "kind": kind} | decode(fields)))
            need(fields.at == len(fields.data), f"the record of event {sequence}")
            if tree: tree.add(records[place:end])
            place, sequence = end, sequence + 1
        need(place == len(records), f"the records of batch {index}")
        index, previous, at = index + 1, header[168:200], at + 212 + len(frame)
    if at < len(data): footer(data[at:], start, (index, sequence, previous), tree, marks)
    return index, sequence, previous, tree

def footer(data, start, end, tree, marks):
    at, sections, checked = 192, {}, data[8:192]
    while at < len(data) - 40:
        tag, size = data[at:at + 4], struct.unpack_from("<I", data, at + 4)[0]
        content = sections[tag] = data[at + 8:at + 8 + size]
        need(tag not in INDEX or sha(content[56:]) == content[16:48], "footer's index")
        checked, at = checked + data[at:at + (64 if tag in INDEX else 8 + size)], at + 8 + size
    need(data[8:12] == b"SPFT" and data[-4:] == b"SPFE" and data[-40:-8] == sha(checked), "footer")
    offsets = [struct.unpack_from("<Q", sections[b"SIDX"], n + 32)[0] for n in range(0, len(sections[b"SIDX"]), 40)]
    need(struct.unpack_from("<QQQQ", data, 16) == (start[0], end[0] - 1, start[1], end[1] - 1), "footer's range")
    need(data[72:104] == end[2] and offsets == marks, "footer's last hash or sparse index")
    hashes = [sections[b"STRE"][n:n + 32] for n in range(0, len(sections[b"STRE"]), 32)]
    need(not tree or hashes == [tree.root()] + start[2] + tree.edge + tree.tiles, "footer's Merkle tree")

if __name__ == "__main__":
    state = None
    for name in sorted(sys.argv[1:]):
        try: state = read(name, state)
        except (ValueError, KeyError, IndexError, struct.error) as problem: sys.exit(f"{name}: {problem}")
    if state: print(f"{state[0] - 1} batches, {state[1] - 1} events, last hash {state[2].hex()}, "
                    f"root {state[3].root().hex() if state[3] else 'unknown'}", file=sys.stderr)
