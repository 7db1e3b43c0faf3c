"""Requests of every API and version, filled by chance: the fields are those of src/wire/messages.h.

	apis(connection)		{key: (lowest, highest version)}, by the server's own ApiVersions
	Maker(rng, **words)		.request(key, version): the bytes of a request, with its header
"""
import os
import re
import struct

from raw import API_VERSIONS, batch

HEADER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'src', 'wire', 'messages.h')
NEVER = 99

STRUCTURES = {}     # name -> [(macro, type or structure, member, min, max, nullable, tag)]
APIS = {}           # key -> (name, first flexible version)


def read_table():
    text = open(HEADER).read().replace('\\\n', ' ')
    for name, body in re.findall(r'#define KW_(\w+)\(F, A, S, O\)(.*)', text):
        fields = []
        for macro, inside in re.findall(r'\b([FASO])\(((?:[^()]|\([^()]*\))*)\)', body):
            words = [word.strip() for word in inside.split(',')][1:]
            if macro in 'FA':
                words = words[1:]
            kind, member, low, high, nullable, tag = words[:6]
            fields.append((macro, kind, member, int(low), int(high), int(nullable), int(tag)))
        STRUCTURES[name] = fields
    for name, key, _, _, flexible in re.findall(r'X\((\w+), (\d+), (\d+), (\d+), (\d+)\)', text):
        APIS[int(key)] = (name, int(flexible))


read_table()


def apis(connection):
    answer = connection.call(API_VERSIONS, 0)
    (count,) = struct.unpack('>i', answer[2:6])
    return {key: (low, high) for key, low, high in struct.iter_unpack('>hhh', answer[6:6 + 6 * count])}


def uvarint(n):
    out = b''
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


# By a field's name: what it should be, mostly.
SIZES = {'INT8': 1, 'BOOL': 1, 'INT16': 2, 'UINT16': 2, 'INT32': 4, 'UINT32': 4, 'INT64': 8, 'FLOAT64': 8}
SMALL = {'acks': (-1, -1, 1, 0, 2), 'timeout_ms': (0, 50, 1000), 'max_wait_ms': (0, 0, 5), 'replica_id': (-1,),
         'max_bytes': (0, 1000, 1 << 20), 'partition_max_bytes': (0, 1000, 1 << 20), 'resource_type': (2, 2, 4, 8, 0),
         'session_timeout_ms': (6000, 10000), 'rebalance_timeout_ms': (100, 1000), 'num_partitions': (1, -1, 3),
         'replication_factor': (1, 1, -1), 'config_operation': (0, 1, 2), 'min_bytes': (0, 1),
         'transaction_timeout_ms': (1000, 60000), 'count': (1, 2, 5)}


class Maker:
    """Plausible requests; with `wild`, as often as it says, a value is anything."""

    def __init__(self, rng, topics=('p',), uuids=(), wild=0.0, most=3, producers=(-1,)):
        self.rng, self.topics, self.uuids, self.wild, self.most, self.producers = rng, topics, uuids, wild, most, producers

    def request(self, key, version, client='fuzz', correlation=1):
        name, flexible = APIS.get(key, (None, NEVER))
        head = struct.pack('>hhih', key, version, correlation, len(client)) + client.encode()
        if version >= flexible:
            head += b'\0'
        return head + (self.structure(name + 'Request', version, version >= flexible) if name else self.rng.randbytes(self.rng.randrange(40)))

    def structure(self, name, version, flexible):
        out, tagged = b'', []
        for field in STRUCTURES[name]:
            macro, kind, member, low, high, nullable, tag = field
            if not low <= version <= high:
                continue
            if tag >= 0:
                if self.rng.random() < 0.3:
                    tagged.append((tag, self.field(field, version, flexible)))
                continue
            out += self.field(field, version, flexible)
        if flexible:
            if self.rng.random() < self.wild:
                tagged.append((self.rng.choice((77, 2 ** 31)), self.rng.randbytes(self.rng.randrange(20))))
            out += uvarint(len(tagged))
            for tag, value in sorted(tagged):
                out += uvarint(tag) + uvarint(len(value)) + value
        return out

    def length(self, n, short, flexible):
        if flexible:
            return uvarint(n + 1)
        return struct.pack('>h' if short else '>i', n)

    def field(self, field, version, flexible):
        macro, kind, member, low, high, nullable, tag = field
        may_be_null = 0 <= nullable <= version
        if macro in 'AS':
            if may_be_null and self.rng.random() < 0.1:
                return self.length(-1, False, flexible)
            count = self.rng.randint(0, self.most)
            if self.rng.random() < self.wild * 0.1:
                count = 300
            items = [self.structure(kind, version, flexible) if macro == 'S' else self.scalar(kind, member, version, flexible)
                     for _ in range(count)]
            return self.length(count, False, flexible) + b''.join(items)
        if macro == 'O':
            if may_be_null:
                return b'\xff' if self.rng.random() < 0.5 else b'\1' + self.structure(kind, version, flexible)
            return self.structure(kind, version, flexible)
        if may_be_null and kind in ('STRING', 'BYTES') and self.rng.random() < 0.3:
            return self.length(-1, kind == 'STRING', flexible)
        return self.scalar(kind, member, version, flexible)

    def scalar(self, kind, member, version, flexible):
        if kind in ('STRING', 'BYTES'):
            value = self.bytes_of(member) if kind == 'BYTES' else self.string_of(member)
            return self.length(len(value), kind == 'STRING', flexible) + value
        if kind == 'UUID':
            return self.rng.choice(self.uuids or (bytes(16),)) if self.rng.random() < 0.8 else self.rng.randbytes(16)
        if kind == 'BOOL':
            return self.rng.choice((b'\0', b'\1'))
        size = SIZES[kind]
        if self.rng.random() < self.wild:
            value = self.rng.choice((-1, 0, 1, 2 ** (8 * size - 1) - 1, -2 ** (8 * size - 1), self.rng.getrandbits(8 * size - 1)))
        elif member in SMALL:
            value = self.rng.choice(SMALL[member])
        elif member in ('producer_id',):
            value = self.rng.choice(self.producers)
        else:
            value = self.rng.choice((-1, 0, 0, 0, 1, 2))
        return (value & (2 ** (8 * size) - 1)).to_bytes(size, 'big')

    def string_of(self, member):
        if self.rng.random() < self.wild:
            return self.rng.choice((b'', b'x' * 300, b'\0', b'p\0q', b'\xff\xfe', b'abc\xf0', b'%s%n', b'"; \'\\', b'.', b'p' * 249,
                                    self.rng.randbytes(self.rng.randrange(30))))
        if member in ('name', 'topic', 'topic_name', 'topics', 'topic_names', 'resource_name', 'coordinator_keys', 'key'):
            return self.rng.choice(self.topics).encode()
        if 'group' in member:
            return self.rng.choice((b'g', b'h'))
        if 'transactional' in member:
            return self.rng.choice((b't', b'u', b''))
        return self.rng.choice((b'', b'a', b'retention.ms', b'1000', b'compact', b'range', b'consumer', b'cleanup.policy'))

    def bytes_of(self, member):
        if member == 'records' and self.rng.random() > self.wild * 0.3:
            return batch([(b'k', b'v')] * self.rng.randint(1, 3), producer=self.rng.choice(self.producers),
                         epoch=self.rng.choice((0, 0, 1)), sequence=self.rng.choice((-1, 0, 1, 2)),
                         attributes=self.rng.choice((0, 0, 0, 0x10)))
        return self.rng.randbytes(self.rng.randrange(50))
