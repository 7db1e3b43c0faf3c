"""Hostile bytes for the Kafka listener: requests of every API and version that the server says it
knows, as they should be, with odd values, and mutated; and noise.  Authenticated and not.

Usage: fuzz.py PORT USER PASSWORD SECONDS [SEED]

The server must neither crash nor stop to answer others: another client produces all the
time, over one connection.  Prints the seed, so that a run can be repeated, and "ok - " or
"not ok - ".
"""
import os
import random
import socket
import struct
import sys
import time

from messages import Maker, apis
from raw import METADATA, SASL_AUTHENTICATE, SASL_HANDSHAKE, API_VERSIONS, Connection, Refused, batch, string

port, user, password, seconds = int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
seed = int(sys.argv[5]) if len(sys.argv) > 5 else int.from_bytes(os.urandom(4), 'big')
rng = random.Random(seed)
print('# seed %d' % seed, flush=True)

EXTREMES = [b'\xff\xff\xff\xff', b'\x7f\xff\xff\xff', b'\x80\x00\x00\x00', b'\x00\x00\x00\x00', b'\xff\xff', b'\x00', b'\xff',
            b'\xff\xff\xff\xff\x0f', b'\x80\x80\x80\x80\x80\x80']
BEFORE_LOGIN = (SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE)
witness = Connection(port, user, password, client='witness')


def uuids():
    """The ids of the topics that there are, by Metadata 10: 16 bytes behind each name."""
    answer = witness.call(METADATA, 10, bytes(6))
    found = []
    for name in (b'p', b'i'):
        at = answer.find(bytes([len(name) + 1]) + name)
        if at >= 0:
            found.append(answer[at + 1 + len(name):at + 17 + len(name)])
    return found


known = apis(witness)
maker = Maker(rng, topics=('p', 'p', 'i', 'nosuch', 'fuzz.a', 'fuzz.b', 'kept'), uuids=uuids(), wild=0.05, producers=(-1, 5, 6))


def mutate(frame):
    frame = bytearray(frame)
    for _ in range(rng.randint(1, 6)):
        at = rng.randint(0, len(frame))
        kind = rng.randint(0, 4)
        if kind == 0 and frame:
            frame[min(at, len(frame) - 1)] = rng.randint(0, 255)
        elif kind == 1:
            frame[at:at] = rng.choice(EXTREMES)
        elif kind == 2:
            del frame[at:at + rng.randint(1, 8)]
        elif kind == 3:
            piece = frame[at:at + rng.randint(1, 40)]
            frame[at:at] = piece * rng.randint(1, 3)
        else:
            extreme = rng.choice(EXTREMES)
            frame[at:at + len(extreme)] = extreme
    return bytes(frame)


def request(authenticated):
    key = rng.choice(sorted(known) if authenticated or rng.random() < 0.1 else BEFORE_LOGIN)
    if authenticated and key in (SASL_HANDSHAKE, SASL_AUTHENTICATE) and rng.random() < 0.9:
        key = METADATA      # it ends the connection
    low, high = known[key]
    version = rng.randint(low, high) if rng.random() < 0.97 else rng.randint(-2, 40)
    maker.wild = rng.choice((0, 0.05, 0.3))
    frame = maker.request(key, version)
    what = rng.random()
    if what < 0.75:
        return frame
    if what < 0.99:
        return mutate(frame)
    return rng.randbytes(rng.randrange(200))


answered = {}


def attack(authenticated):
    try:
        c = Connection(port, user, password, timeout=5, login=authenticated)
    except (OSError, EOFError, Refused):
        return 0
    sent = 0
    try:
        for _ in range(rng.randint(1, 40)):
            frame = request(authenticated)
            length = len(frame) if rng.random() < 0.97 else rng.choice((-1, 0, 2 ** 31 - 1, len(frame) + 5))
            c.socket.sendall(struct.pack('>i', length) + frame)
            sent += 1
            c.socket.settimeout(0.01)
            try:
                if not c.socket.recv(65536):
                    break
                answered[frame[:2]] = answered.get(frame[:2], 0) + 1
            except socket.timeout:
                pass
    except OSError:
        pass
    finally:
        c.close()
    return sent


end = time.monotonic() + seconds
frames, alive, slowest = 0, True, 0
while time.monotonic() < end and alive:
    frames += attack(rng.random() < 0.8)
    began = time.monotonic()
    try:
        # no topic or configuration that the fuzz may have changed
        alive = witness.produce('witness', 0, batch([(b'k', b'alive')]))[0] == 0
    except (OSError, EOFError) as gone:
        print('# the other client: %r' % gone)
        alive = False
    slowest = max(slowest, time.monotonic() - began)
print('# %d frames; answers by API: %s' % (frames, ' '.join(
    '%d:%d' % (key, answered.get(struct.pack('>h', key), 0)) for key in sorted(known))))
print('%sok - another client is served all the time' % ('' if alive else 'not '))
print('%sok - and waits less than 10 s (%.2f s)' % ('' if slowest < 10 else 'not ', slowest))
error, base = Connection(port, user, password).produce('p', 0, batch([(b'k', b'alive')]))
print('%sok - the server answers after it all' % ('' if error in (0, 10) else 'not '))
silent = [key for key in known if key not in BEFORE_LOGIN and not answered.get(struct.pack('>h', key))]
print('%sok - every API has answered%s' % (('', '') if frames < 3000 or not silent else ('not ', ': %r' % silent)))
