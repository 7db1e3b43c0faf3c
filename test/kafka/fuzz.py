"""Hostile bytes for the Kafka listener: mutated requests of every API and version, and noise.

Usage: fuzz.py PORT USER PASSWORD SECONDS [SEED]

The server must neither crash nor stop to answer others, and no session may keep
memory.  Prints the seed, so that a run can be repeated, and "ok - " or "not ok - ".
"""
import os
import random
import socket
import struct
import sys
import time

from raw import API_VERSIONS, Connection, Refused, batch, string

port, user, password, seconds = int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
seed = int(sys.argv[5]) if len(sys.argv) > 5 else int.from_bytes(os.urandom(4), 'big')
rng = random.Random(seed)
print('# seed %d' % seed, flush=True)


def served():
    """What the server says that it serves: (key, lowest version, highest)."""
    c = Connection(port, user, password)
    answer = c.call(API_VERSIONS, 0)
    c.close()
    error, count = struct.unpack('>hi', answer[:6])
    assert error == 0 and count >= 30, (error, count)
    return [struct.unpack_from('>hhh', answer, 6 + 6 * n) for n in range(count)]


APIS = served()
EXTREMES = [b'\xff\xff\xff\xff', b'\x7f\xff\xff\xff', b'\x80\x00\x00\x00', b'\x00\x00\x00\x00', b'\xff\xff', b'\x00', b'\xff',
            b'\xff\xff\xff\xff\x0f', b'\x80\x80\x80\x80\x80\x80']


def plausible():
    """Something like a body: strings, counts, numbers, a batch."""
    parts = []
    for _ in range(rng.randint(0, 12)):
        parts.append(rng.choice((
            lambda: string(rng.choice(('p', 'i', 'nosuch', '', 'x' * 300))),
            lambda: struct.pack('>i', rng.choice((-1, 0, 1, 2, 3, 1000, 2 ** 31 - 1, -2 ** 31))),
            lambda: struct.pack('>h', rng.choice((-1, 0, 1, 5, 32767))),
            lambda: struct.pack('>q', rng.choice((-5, -1, 0, 1, 2 ** 62, -2 ** 63))),
            lambda: bytes([rng.randint(0, 255)]),
            lambda: batch([(b'k', b'v')] * rng.randint(0, 3)),
            lambda: bytes([2]) + b'p',
            lambda: rng.choice(EXTREMES)))())
    return b''.join(parts)


def mutate(frame):
    frame = bytearray(frame)
    for _ in range(rng.randint(0, 6)):
        at = rng.randint(0, len(frame))
        kind = rng.randint(0, 3)
        if kind == 0 and frame:
            frame[min(at, len(frame) - 1)] = rng.randint(0, 255)
        elif kind == 1:
            frame[at:at] = rng.choice(EXTREMES)
        elif kind == 2:
            del frame[at:at + rng.randint(1, 8)]
        else:
            extreme = rng.choice(EXTREMES)
            frame[at:at + len(extreme)] = extreme
    return bytes(frame)


def group():
    """A JoinGroup, or what is like one: most other calls of groups begin alike."""
    body = string(rng.choice(('f', 'g', ''))) + struct.pack('>ii', rng.choice((6000, 10000, -1, 2 ** 31 - 1)), rng.choice((0, 1, 6000, -1)))
    body += string(rng.choice(('', 'fuzz-1', 'x' * 2000))) + rng.choice((b'\xff\xff', string('static'))) + string('consumer')
    body += struct.pack('>i', rng.choice((1, 1, 2, 0, 100000)))
    for _ in range(rng.randint(1, 2)):
        body += string('range') + rng.choice((struct.pack('>i', -1), struct.pack('>i', 3) + b'abc'))
    return body


def valid(c):
    return rng.choice((
        lambda: c.produce_body([('p', rng.randint(0, 2), batch([(b'k', b'v')] * rng.randint(1, 3), producer=rng.choice((-1, 5)),
                                                                epoch=rng.choice((-1, 0, 1)), sequence=rng.randint(-1, 9)))]),
        group,
        lambda: struct.pack('>iiiib', -1, 0, 0, 1000, 0) + struct.pack('>i', 1) + string('p') + struct.pack('>iiqi', 1, 0, 0, 1000),
        plausible))()


def request(c):
    key, low, high = rng.choice(APIS)
    version = rng.randint(low, high) if rng.random() < 0.95 else rng.randint(-2, 40)
    head = struct.pack('>hhi', key, version, 1) + rng.choice((string('fuzz'), struct.pack('>h', -1), b''))
    if rng.random() < 0.5:
        head += b'\x00'
    return mutate(head + valid(c))


def attack(authenticated):
    try:
        c = Connection(port, user, password, timeout=5, login=authenticated)
    except (OSError, EOFError, Refused):
        return 0
    sent = 0
    try:
        for _ in range(rng.randint(1, 20)):
            frame = request(c)
            length = len(frame) if rng.random() < 0.95 else rng.choice((-1, 0, 2 ** 31 - 1, len(frame) + 5))
            c.socket.sendall(struct.pack('>i', length) + frame)
            sent += 1
            c.socket.settimeout(0.02)
            try:
                if not c.socket.recv(65536):
                    break
            except socket.timeout:
                pass
    except OSError:
        pass
    finally:
        c.close()
    return sent


end = time.monotonic() + seconds
frames = 0
while time.monotonic() < end:
    frames += attack(rng.random() < 0.8)
print('# %d frames' % frames)
check = Connection(port, user, password)
error, base = check.produce('p', 0, batch([(b'k', b'alive')]))
print('%sok - the server answers after it all' % ('' if error == 0 else 'not '))
