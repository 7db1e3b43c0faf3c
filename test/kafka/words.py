"""What answers say in words, and requests to be refused."""
import os
import re

from raw import *  # noqa: F403: for those who import this


def words(answer):
    """The longest text in an answer that has its length of two bytes in front."""
    found = ['']
    for at in range(len(answer) - 2):
        (n,) = struct.unpack('>h', answer[at:at + 2])
        text = answer[at + 2:at + 2 + max(n, 0)]
        if n == len(text) and re.fullmatch(rb'[\x20-\x7e]*', text):
            found.append(text.decode())
    return max(found, key=len)


def packed(payload):
    """A batch of one record that says that its payload is gzip."""
    tail = struct.pack('>hiqqqhii', 1, 0, 0, 0, -1, -1, -1, 1) + payload
    head = struct.pack('>ibI', -1, 2, crc32c(tail))
    return struct.pack('>qi', 0, len(head) + len(tail)) + head + tail


def compact_delete(*topics):
    """The body of DeleteTopics 5, and what its header has more than the old one."""
    return b'\0' + bytes([len(topics) + 1]) + b''.join(bytes([len(t) + 1]) + t.encode() for t in topics) + struct.pack('>i', 10000) + b'\0'


def from_elsewhere():
    """Print whether a client at another address of this machine gets in."""
    c = Connection(int(os.environ['KAFKA_PORT']), login=False, source='127.0.0.2')
    try:
        c.call(API_VERSIONS, 0)
        print('in')
    except (EOFError, ConnectionError):
        print('closed')
