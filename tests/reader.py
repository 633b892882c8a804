#!/usr/bin/env python3
"""Reads an archive from an image of its volume, by docs/formats.md alone.

    python3 tests/reader.py IMAGE        one JSON line for each data block, then one line for the archive
    python3 tests/reader.py --self-test  checks the two checksums against known values

It is no part of the product and shares no code with it: where it and the product differ, one of them or the document is wrong.
It never writes. Needs nothing but Python 3.11.
"""

import json
import os
import struct
import sys
import uuid
from array import array

# ---- CRC-32C (Castagnoli, reflected)

CRC_TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    CRC_TABLE.append(byte)


def crc32c(data):
    crc, table = 0xFFFFFFFF, CRC_TABLE
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


# ---- BLAKE3, 32 bytes of output. Chunks are hashed side by side: one lane of 64 bits each in long integers.

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8


def compress(chain, words, counter, length, flags, ones):
    """One compression in every lane; `ones` has a 1 in each. All arguments but `length` and `flags` are lanes."""
    mask = 0xFFFFFFFF * ones
    v = [*chain, *(ones * iv for iv in IV[:4]), counter & mask, counter >> 32 & mask, ones * length, ones * flags]
    for turn in range(7):
        if turn:
            words = [words[place] for place in PERMUTATION]
        for at, (a, b, c, d) in enumerate(COLUMNS + DIAGONALS):
            for word, right, left in ((words[2 * at], 16, 12), (words[2 * at + 1], 8, 7)):
                v[a] = v[a] + v[b] + word & mask
                x = v[d] ^ v[a]
                v[d] = (x >> right | x << 32 - right) & mask
                v[c] = v[c] + v[d] & mask
                x = v[b] ^ v[c]
                v[b] = (x >> left | x << 32 - left) & mask
    return [v[at] ^ v[at + 8] for at in range(8)]


def lanes(numbers):
    wide = array("Q", numbers)
    if sys.byteorder == "big":
        wide.byteswap()
    return int.from_bytes(wide.tobytes(), "little")


def apart(lane, count):
    wide = array("Q", lane.to_bytes(8 * count, "little"))
    if sys.byteorder == "big":
        wide.byteswap()
    return wide


def ones_of(count):
    return ((1 << 64 * count) - 1) // ((1 << 64) - 1)


def last_chunk(data, number, root):
    chain = list(IV)
    blocks = [data[at : at + 64] for at in range(0, len(data), 64)] or [b""]
    for at, block in enumerate(blocks):
        flags = (CHUNK_START if at == 0 else 0) | (CHUNK_END | root if at == len(blocks) - 1 else 0)
        words = struct.unpack("<16I", block.ljust(64, b"\0"))
        chain = compress(chain, list(words), number, len(block), flags, 1)
    return chain


def blake3(data):
    whole = max(len(data) - 1, 0) // 1024
    if whole == 0:
        return struct.pack("<8I", *last_chunk(data, 0, ROOT))
    words = struct.unpack(f"<{256 * whole}I", data[: 1024 * whole])
    ones = ones_of(whole)
    chain = [ones * iv for iv in IV]
    counter = lanes(range(whole))
    for block in range(16):
        flags = (CHUNK_START if block == 0 else 0) | (CHUNK_END if block == 15 else 0)
        message = [lanes(words[16 * block + word :: 256]) for word in range(16)]
        chain = compress(chain, message, counter, 64, flags, ones)
    rest = last_chunk(data[1024 * whole :], whole, 0)
    nodes = [apart(lane, whole) + array("Q", [word]) for lane, word in zip(chain, rest)]
    while (count := len(nodes[0])) > 1:
        pairs = count // 2
        message = [lanes(node[0 : 2 * pairs : 2]) for node in nodes] + [lanes(node[1 : 2 * pairs : 2]) for node in nodes]
        ones = ones_of(pairs)
        flags = PARENT | (ROOT if count == 2 else 0)
        parents = compress([ones * iv for iv in IV], message, 0, 64, flags, ones)
        # A node without a partner goes up as it is.
        nodes = [apart(lane, pairs) + node[2 * pairs :] for lane, node in zip(parents, nodes)]
    return struct.pack("<8I", *(node[0] for node in nodes))


# ---- Structures on the volume (docs/formats.md)

SECTOR = 4096
NO_HASH = bytes(32)
NO_CHECKPOINT = 2**64 - 1
KINDS = {1: "video", 2: "audio", 3: "metadata"}
DATA, SYSTEM, CHECKPOINT = 1, 2, 3


class Bad(Exception):
    """Bytes that are not what they should be."""


class Superblock:
    def __init__(self, copy, sector):
        if sector[:8] != b"bhsuper\0":
            raise Bad("not ours")
        if crc32c(sector[:12] + bytes(4) + sector[16:]) != struct.unpack_from("<I", sector, 12)[0]:
            raise Bad("checksum")
        if blake3(sector[:10] + b"\0" + sector[11:12] + bytes(4) + sector[16:4064]) != sector[4064:]:
            raise Bad("hash")
        version, number, mode = struct.unpack_from("<HBB", sector, 8)
        if version != 1 or struct.unpack_from("<I", sector, 108)[0] != 0:
            raise Bad("a newer version")
        if number != copy or mode not in (1, 2):
            raise Bad("field")
        self.content = sector[4064:]
        self.ring = mode == 2
        self.archive = sector[16:32]
        self.generation = struct.unpack_from("<Q", sector, 32)[0]
        self.block_bytes, _, self.volume_bytes, self.slots_at, self.slots, self.segment = struct.unpack_from("<IIQQQI", sector, 72)
        powers = [1 << power for power in range(25)]
        fits = (
            self.block_bytes in powers[16:]
            and self.segment in powers[:11]
            and self.slots % self.segment == 0
            and self.slots >= 8 * self.segment
            and self.slots_at % SECTOR == 0
            and self.slots_at + self.slots * self.block_bytes <= self.volume_bytes
        )
        if not fits:
            raise Bad("field")
        self.epoch = struct.unpack_from("<QQ", sector, 120)
        self.epoch_start, self.durable, self.checkpoint = struct.unpack_from("<QQQ", sector, 136)
        self.label = sector[160:224].rstrip(b"\0").decode()
        count = struct.unpack_from("<H", sector, 224)[0]
        if count > 64 or sector[226] > 1 or any(sector[227:232]) or any(sector[256 + 24 * count : 4064]):
            raise Bad("field")
        self.freed = struct.unpack_from("<Q", sector, 232)[0]
        if self.freed % self.segment or self.freed > self.durable or (self.freed and not self.freed <= self.checkpoint < NO_CHECKPOINT):
            raise Bad("field")
        entries = (struct.unpack_from("<QQQ", sector, 256 + 24 * at) for at in range(count))
        self.history = [((counter, nonce), start) for counter, nonce, start in entries]

    def epoch_of(self, sequence):
        fitting = [epoch for epoch, start in self.history if start <= sequence]
        return fitting[-1] if fitting else None


class Header:
    def __init__(self, sector):
        if sector[:8] != b"bhblock\0":
            raise Bad("not ours")
        if crc32c(sector[:12] + bytes(4) + sector[16:]) != struct.unpack_from("<I", sector, 12)[0]:
            raise Bad("checksum")
        version, self.block_kind, self.flags = struct.unpack_from("<HBB", sector, 8)
        if version != 1:
            raise Bad("a newer version")
        if self.block_kind not in (DATA, SYSTEM, CHECKPOINT) or any(sector[136:256]) or any(sector[3584:]):
            raise Bad("field")
        if self.flags > (1 if self.block_kind == DATA else 0):
            raise Bad("field")
        self.archive = sector[16:32]
        self.sequence, self.slot, counter, nonce, self.epoch_start, self.durable = struct.unpack_from("<6Q", sector, 32)
        self.epoch = (counter, nonce)
        self.previous = sector[80:112]
        self.payload_bytes, self.payload_crc = struct.unpack_from("<II", sector, 128)
        self.payload_digest = sector[392:424]
        self.hash = blake3(sector)
        if self.block_kind == DATA:
            self.origin(sector)

    def origin(self, sector):
        kind, container, clock, flags, payload_bytes, self.track_sequence = struct.unpack_from("<4BIQ", sector, 352)
        init_bytes = struct.unpack_from("<H", sector, 456)[0]
        self.origin_archive = sector[256:272]
        self.camera = sector[288:352].rstrip(b"\0").decode()
        self.kind = KINDS.get(kind)
        zero = any(sector[458:464]) or any(sector[496:512]) or any(sector[512 + min(init_bytes, 3072) : 3584])
        if self.kind is None or container > 2 or clock > 2 or flags > 7 or init_bytes > 3072 or zero:
            raise Bad("field")
        if payload_bytes != self.payload_bytes:
            raise Bad("field")
        path, begin, file_bytes, at = struct.unpack_from("<QqQQ", sector, 464)
        if any(sector[464:496]) and (max(file_bytes, at) > 1 << 62 or at + payload_bytes > file_bytes):
            raise Bad("field")


class Archive:
    def __init__(self, file):
        self.file = file
        self.size = file.seek(0, os.SEEK_END)
        self.damaged = {}
        self.superblock = self.newest()

    def read(self, at, length):
        self.file.seek(at)
        data = self.file.read(length)
        if len(data) != length:
            raise Bad("the volume ends")
        return data

    def newest(self):
        end = self.size // SECTOR * SECTOR
        offsets = [1 << 20, 3 << 19, end - (2 << 20), end - (3 << 19)]
        copies = []
        for copy, at in enumerate(offsets):
            try:
                copies.append(Superblock(copy, self.read(at, SECTOR)))
            except (Bad, ValueError) as why:
                print(f"superblock copy {copy}: {why}", file=sys.stderr)
        copies.sort(key=lambda superblock: -superblock.generation)
        for one in copies:
            if any(other.generation == one.generation and other.content != one.content for other in copies):
                sys.exit("two different superblocks claim the same generation")
        for one in copies:
            if sum(other.content == one.content for other in copies) >= 2:
                return one
        if not copies:
            sys.exit("there is no superblock that can be read")
        return copies[0]

    def place(self, sequence):
        return self.superblock.slots_at + sequence % self.superblock.slots * self.superblock.block_bytes

    def header(self, sequence):
        header = Header(self.read(self.place(sequence), SECTOR))
        epoch = self.superblock.epoch_of(sequence)
        here = (
            header.archive == self.superblock.archive
            and header.sequence == sequence
            and header.slot == sequence % self.superblock.slots
            and header.epoch_start <= sequence
            and epoch in (None, header.epoch)
        )
        if not here:
            raise Bad("another block")
        if header.payload_bytes > self.superblock.block_bytes - SECTOR:
            raise Bad("field")
        return header

    def payload(self, sequence, header):
        payload = self.read(self.place(sequence) + SECTOR, header.payload_bytes)
        if crc32c(payload) != header.payload_crc or blake3(payload) != header.payload_digest:
            raise Bad("payload")
        return payload

    def find_head(self):
        """The end of the log: section "Finding the end of the log"."""
        superblock = self.superblock
        base = 0 if superblock.checkpoint == NO_CHECKPOINT else superblock.checkpoint
        segment, slots = superblock.segment, superblock.slots
        window = segment + max(segment // 4, 4) + 2 * min(2 * segment, 32)
        end = min(base + window, base + slots if superblock.ring else superblock.freed + slots)
        headers = {}
        committed = max(base, superblock.epoch_start, superblock.durable)
        for sequence in range(base, end):
            try:
                headers[sequence] = self.header(sequence)
                committed = max(committed, headers[sequence].durable)
            except Bad:
                pass
        last, last_epoch = None, 0
        for sequence in range(base, end):
            header = headers.get(sequence)
            if header is not None:
                linked = last is None or header.previous in (last, NO_HASH)
                known = superblock.epoch_of(sequence) is not None
                if not linked or header.epoch[0] < last_epoch or not (known or header.epoch[0] < superblock.epoch[0]):
                    header = None
            if header is not None and (sequence >= committed or header.block_kind == SYSTEM):
                try:
                    self.payload(sequence, header)
                except Bad:
                    header = None
            if header is None:
                if sequence >= committed:
                    return sequence
                last = None
            else:
                last, last_epoch = header.hash, header.epoch[0]
        return end

    def oldest(self, head):
        if not self.superblock.ring:
            return self.superblock.freed
        segment = self.superblock.segment
        reach = head + 2 * min(2 * segment, 32)
        return max(-(-reach // segment) * segment - self.superblock.slots, self.superblock.freed)

    def blocks(self, head):
        """Every data block, checked; what is damaged is noted."""
        last = None
        for sequence in range(self.oldest(head), head):
            try:
                header = self.header(sequence)
                if last is not None and header.previous not in (last, NO_HASH):
                    raise Bad("does not follow the block before it")
                payload = self.payload(sequence, header)
            except (Bad, ValueError) as why:
                self.damaged[sequence] = str(why)
                last = None
                continue
            last = header.hash
            if header.block_kind == DATA:
                yield sequence, header, payload


def show(path):
    with open(path, "rb") as file:
        archive = Archive(file)
        superblock = archive.superblock
        head = archive.find_head()
        for sequence, header, payload in archive.blocks(head):
            line = {
                "log_sequence": sequence,
                "origin": str(uuid.UUID(bytes=header.origin_archive)),
                "camera": header.camera,
                "kind": header.kind,
                "track_sequence": header.track_sequence,
                "fill": header.flags == 1,
                "payload_bytes": len(payload),
                "payload": header.payload_digest.hex(),
            }
            print(json.dumps(line))
        summary = {
            "archive": str(uuid.UUID(bytes=superblock.archive)),
            "epoch": superblock.epoch[0],
            "head": head,
            "damaged": [{"log_sequence": at, "why": why} for at, why in archive.damaged.items()],
        }
        print(json.dumps(summary))


def self_test():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    # The inputs of BLAKE3's published test vectors: 0, 1, … 250, 0, 1 …
    known = {
        0: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        1: "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
        1024: "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
        1025: "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
        2048: "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a",
        2049: "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030",
        3072: "b98cb0ff3623be03326b373de6b9095218513e64f1ee2edd2525c7ad1e5cffd2",
        8192: "aae792484c8efe4f19e2ca7d371d8c467ffb10748d8a5a1ae579948f718a2a63",
        31744: "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47",
        102400: "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
    }
    for length, digest in known.items():
        data = bytes(at % 251 for at in range(length))
        assert blake3(data).hex() == digest, f"{length} bytes: {blake3(data).hex()}"
    assert blake3(b"abc").hex() == "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
    print("good")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--self-test":
        self_test()
    else:
        show(sys.argv[1])


if __name__ == "__main__":
    main()
