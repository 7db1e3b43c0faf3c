"""A Kafka client for tests: frames as bytes, versions of our choice, nothing hidden.

Only what the tests ask: SCRAM over a plain socket, requests in versions before the
flexible ones, and record batches made by hand.
"""
import base64
import hashlib
import hmac
import os
import socket
import struct

PRODUCE, FETCH, LIST_OFFSETS, METADATA = 0, 1, 2, 3
SASL_HANDSHAKE, API_VERSIONS, INIT_PRODUCER_ID, SASL_AUTHENTICATE = 17, 18, 22, 36


class Refused(Exception):
    """The server said no to our authentication."""


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack('>h', len(data)) + data


def data(value):
    return struct.pack('>i', len(value)) + value


class Connection:
    def __init__(self, port, user=None, password=None, host='127.0.0.1', timeout=30, login=True, source=None, client='raw'):
        self.socket = socket.create_connection((host, port), timeout, source and (source, 0))
        self.correlation = 0
        self.client = client
        if login and user is not None:
            self.authenticate(user, password)

    def close(self):
        self.socket.close()

    # -- frames --

    def frame(self, api, version, body=b''):
        """A request with the old form of the header, its length in front."""
        self.correlation += 1
        frame = struct.pack('>hhi', api, version, self.correlation) + string(self.client) + body
        return struct.pack('>i', len(frame)) + frame

    def send(self, api, version, body=b''):
        """Send a request; returns its number."""
        self.socket.sendall(self.frame(api, version, body))
        return self.correlation

    def receive_exactly(self, n):
        got = b''
        while len(got) < n:
            part = self.socket.recv(n - len(got))
            if not part:
                raise EOFError('the server closed the connection')
            got += part
        return got

    def receive(self):
        (length,) = struct.unpack('>i', self.receive_exactly(4))
        frame = self.receive_exactly(length)
        return struct.unpack('>i', frame[:4])[0], frame[4:]

    def call(self, api, version, body=b''):
        number = self.send(api, version, body)
        got, answer = self.receive()
        assert got == number, (got, number)
        return answer

    # -- SASL --

    def handshake(self, mechanism='SCRAM-SHA-256', version=1):
        answer = self.call(SASL_HANDSHAKE, version, string(mechanism))
        return struct.unpack('>h', answer[:2])[0]

    def token(self, message):
        answer = self.call(SASL_AUTHENTICATE, 0, data(message))
        (error, text_len) = struct.unpack('>hh', answer[:4])
        rest = answer[4 + max(text_len, 0):]
        if error != 0:
            raise Refused(error, answer)
        return rest[4:4 + struct.unpack('>i', rest[:4])[0]]

    def authenticate(self, user, password):
        assert self.handshake() == 0
        nonce = base64.b64encode(os.urandom(18)).decode()
        name = user.replace('=', '=3D').replace(',', '=2C')
        bare = 'n=%s,r=%s' % (name, nonce)
        first = self.token(('n,,' + bare).encode()).decode()
        fields = dict(part.split('=', 1) for part in first.split(','))
        assert fields['r'].startswith(nonce)
        salted = hashlib.pbkdf2_hmac('sha256', password.encode(), base64.b64decode(fields['s']), int(fields['i']))
        key = hmac.digest(salted, b'Client Key', 'sha256')
        without = 'c=biws,r=' + fields['r']
        signed = ','.join((bare, first, without)).encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), signed, 'sha256')
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        last = self.token((without + ',p=' + proof).encode()).decode()
        server = hmac.digest(hmac.digest(salted, b'Server Key', 'sha256'), signed, 'sha256')
        assert last == 'v=' + base64.b64encode(server).decode(), 'the server does not know the secret'

    # -- requests --

    def produce_body(self, batches, acks=-1, timeout=30000):
        """Produce 7 of [(topic, partition, batch bytes)]."""
        body = struct.pack('>h', -1) + struct.pack('>hi', acks, timeout) + struct.pack('>i', len(batches))
        for topic, partition, batch in batches:
            body += string(topic) + struct.pack('>ii', 1, partition) + data(batch)
        return body

    @staticmethod
    def produce_answer(answer):
        """[(topic, partition, error, base offset)] of Produce 7."""
        out = []
        (count,) = struct.unpack('>i', answer[:4])
        at = 4
        for _ in range(count):
            (n,) = struct.unpack('>h', answer[at:at + 2])
            topic = answer[at + 2:at + 2 + n].decode()
            at += 2 + n
            (partitions,) = struct.unpack('>i', answer[at:at + 4])
            at += 4
            for _ in range(partitions):
                partition, error, base = struct.unpack('>ihq', answer[at:at + 14])
                at += 14 + 8 + 8
                out.append((topic, partition, error, base))
        return out

    def produce(self, topic, partition, batch, acks=-1):
        """(error, base offset)"""
        answer = self.call(PRODUCE, 7, self.produce_body([(topic, partition, batch)], acks))
        return self.produce_answer(answer)[0][2:]

    def init_producer_id(self):
        answer = self.call(INIT_PRODUCER_ID, 0, struct.pack('>hi', -1, 60000))
        _, error, producer, epoch = struct.unpack('>ihqh', answer[:16])
        assert error == 0, error
        return producer, epoch

    def fetch(self, topic, partition, offset, max_wait=0, min_bytes=0, max_bytes=1 << 20):
        """(error, high watermark, bytes) of Fetch 4."""
        body = struct.pack('>iiiib', -1, max_wait, min_bytes, max_bytes, 0)
        body += struct.pack('>i', 1) + string(topic) + struct.pack('>iiqi', 1, partition, offset, max_bytes)
        answer = self.call(FETCH, 4, body)
        at = 4 + 4 + 2 + len(topic.encode()) + 4
        _, error, high, _, aborted = struct.unpack('>ihqqi', answer[at:at + 26])
        at += 26 + 16 * max(aborted, 0)
        (length,) = struct.unpack('>i', answer[at:at + 4])
        return error, high, answer[at + 4:at + 4 + max(length, 0)]


# ---------- record batches ----------

def crc32c(payload, table=[]):
    if not table:
        for n in range(256):
            for _ in range(8):
                n = (n >> 1) ^ (0x82f63b78 if n & 1 else 0)
            table.append(n)
    crc = 0xffffffff
    for byte in payload:
        crc = table[(crc ^ byte) & 0xff] ^ (crc >> 8)
    return crc ^ 0xffffffff


def varint(n):
    n = (n << 1) ^ (n >> 63)
    out = b''
    while n & ~0x7f:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def optional(value):
    return varint(-1) if value is None else varint(len(value)) + value


def record(delta, key, value, headers=(), time_delta=0, attributes=0):
    body = bytes([attributes]) + varint(time_delta) + varint(delta) + optional(key) + optional(value) + varint(len(headers))
    for name, content in headers:
        body += varint(len(name)) + name + optional(content)
    return varint(len(body)) + body


def batch(records, producer=-1, epoch=-1, sequence=-1, time=1700000000000, attributes=0, count=None, deltas=None,
          max_time=None, magic=2, crc=None):
    """A RecordBatch of [(key, value)]; whatever is given by name may be wrong."""
    payload = b''.join(record(n if deltas is None else deltas[n], key, value) for n, (key, value) in enumerate(records))
    n = len(records) if count is None else count
    tail = struct.pack('>hiqqqhii', attributes, n - 1, time, time if max_time is None else max_time,
                       producer, epoch, sequence, n) + payload
    head = struct.pack('>ibI', -1, magic, crc32c(tail) if crc is None else crc)
    return struct.pack('>qi', 0, len(head) + len(tail)) + head + tail
