#!/usr/bin/env python3
"""Checks an exported file against its manifest, by docs/formats.md alone. Python's standard library only.

    tests/manifest.py MANIFEST FILE

Prints what was checked as JSON and ends with 0, or says what is wrong and ends with 1.
"""

import json
import os
import struct
import sys

from reader import blake3

NO_HASH = "0" * 64
PACKET = 188


class Wrong(Exception):
    pass


def fits(true, what):
    if not true:
        raise Wrong(what)


def is_splice(data):
    """Null packets and packets without payload that announce a discontinuity."""
    packets = [data[at : at + PACKET] for at in range(0, len(data), PACKET)]
    null = [packet[0] == 0x47 and packet[1] & 0x1F == 0x1F and packet[2] == 0xFF for packet in packets]
    jump = [packet[0] == 0x47 and packet[3] & 0x30 == 0x20 and packet[4] == 183 and packet[5] == 0x80 for packet in packets]
    return data and len(data) % PACKET == 0 and all(one or other for one, other in zip(null, jump))


class Check:
    def __init__(self, file):
        self.file = file
        self.head = None
        self.end = None
        self.offset = 0
        self.init = b""
        self.fillers = []
        self.last = {}
        self.jumps = []
        self.holes = []
        self.left_out = 0
        self.blocks = self.payload_bytes = 0

    def read(self, offset, length):
        fits(offset == self.offset, f"byte {self.offset} of the file is in no line of the manifest")
        data = self.file.read(length)
        fits(len(data) == length, "the file is too short")
        self.offset += length
        return data

    def line(self, line):
        fits(self.end is None, "there are lines behind the end")
        if "blockhaul_manifest" in line:
            fits(self.head is None and line["blockhaul_manifest"] == 1, "it is a manifest of another kind")
            self.head = line
            return
        fits(self.head is not None, "it is no manifest")
        if "block" in line:
            self.block(line["block"])
        elif "filler" in line:
            before = [what for what, _ in self.fillers]
            fits(before == [] or (before == ["init"] and line["filler"]["what"] == "splice"), "filler follows filler")
            data = self.read(line["filler"]["offset_bytes"], line["filler"]["bytes"])
            self.fillers.append((line["filler"]["what"], data))
        elif "hole" in line:
            origin = line["hole"].get("origin", self.head["origin"])
            self.holes.append((origin, line["hole"]["from"], line["hole"]["to"]))
        elif "left_out" in line:
            fits(line["left_out"]["why"] == "covered", "a reason that is not known")
            self.holes.append((line["left_out"]["origin"], line["left_out"]["from"], line["left_out"]["to"]))
            self.left_out += line["left_out"]["to"] - line["left_out"]["from"]
        elif "end" in line:
            self.end = line["end"]
        else:
            raise Wrong(f"a line that is not known: {line}")

    def block(self, block):
        number = block["track_sequence"]
        part = bytes.fromhex(block["origin_part"])
        if "init" in block:
            self.init = bytes.fromhex(block["init"])
        fits(len(part) == 256 and len(self.init) <= 3072, f"block {number}: the origin part has another length")
        digest = blake3(part + self.init.ljust(3072, b"\0")).hex()
        fits(digest == block["origin_hash"], f"block {number}: the origin part does not fit its hash")
        kind, _, _, _, payload_bytes, sequence = struct.unpack_from("<4BIQ", part, 96)
        begin, end = struct.unpack_from("<qq", part, 112)
        told = (sequence, payload_bytes, begin, end, part[136:168].hex(), part[168:200].hex())
        said = [block[name] for name in ("track_sequence", "bytes", "begin_utc_ns", "end_utc_ns", "payload_blake3", "previous")]
        fits(list(told) == said, f"block {number}: the origin part says something else than the line")
        fits(struct.unpack_from("<H", part, 200)[0] == len(self.init), f"block {number}: the init data has another length")
        camera = part[32:96].rstrip(b"\0").decode()
        whose = block.get("origin", self.head["origin"])
        origin = whose.replace("-", "")
        fits(camera == self.head["camera"] and part[:16].hex() == origin, f"block {number}: it is of another track")
        fits({1: "video", 2: "audio", 3: "metadata"}.get(kind) == self.head["kind"], f"block {number}: it is of another kind")
        for what, data in self.fillers:
            right = data == self.init if what == "init" else is_splice(data)
            fits(right, f"block {number}: what is put in front of it is not what it should be")
        self.fillers = []
        if whose in self.last:
            before, before_hash, place = self.last[whose]
            fits(number > before, f"block {number}: out of order")
            if number == before + 1:
                fits(block["previous"] in (before_hash, NO_HASH), f"block {number}: it does not follow the one before it")
            else:
                self.jumps.append((whose, before + 1, number, place == self.blocks))
        payload = self.read(block["offset_bytes"], block["bytes"])
        fits(blake3(payload).hex() == block["payload_blake3"], f"block {number}: the payload in the file is another one")
        self.blocks += 1
        self.last[whose] = (number, block["origin_hash"], self.blocks)
        self.payload_bytes += block["bytes"]

    def finish(self):
        fits(self.end is not None, "it has no end")
        size = os.fstat(self.file.fileno()).st_size
        fits(self.offset == size == self.end["file_bytes"], "the file is longer or shorter than the manifest says")
        fits((self.blocks, self.payload_bytes) == (self.end["blocks"], self.end["bytes"]), "the numbers at its end are others")
        for whose, first, behind, is_direct in self.jumps:
            at = first
            for _, begin, end in sorted(hole for hole in self.holes if hole[0] == whose):
                if begin <= at < end:
                    at = min(end, behind)
            # What one origin lacks another has: its blocks stand between.
            fits(at == behind or not is_direct, f"blocks {first} to {behind - 1} are missing without a reason")
        told = {"good": True, "blocks": self.blocks, "bytes": self.payload_bytes, "holes": len(self.holes)}
        several = len(self.last) > 1 or self.left_out > 0
        return {**told, "origins": len(self.last), "left_out": self.left_out} if several else told


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as manifest, open(sys.argv[2], "rb") as file:
        check = Check(file)
        try:
            for line in manifest:
                check.line(json.loads(line))
            print(json.dumps(check.finish()))
        except (Wrong, ValueError, KeyError, struct.error) as why:
            sys.exit(f"{sys.argv[2]} is not what {sys.argv[1]} says: {why}")


if __name__ == "__main__":
    main()
