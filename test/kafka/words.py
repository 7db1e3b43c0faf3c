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


class Reader:
    """Takes an answer apart."""

    def __init__(self, answer):
        self.answer, self.at = answer, 0

    def take(self, form):
        values = struct.unpack_from('>' + form, self.answer, self.at)
        self.at += struct.calcsize('>' + form)
        return values if len(values) > 1 else values[0]

    def text(self):
        n = self.take('h')
        self.at += max(n, 0)
        return self.answer[self.at - n:self.at].decode() if n >= 0 else None

    def list(self, function):
        return [function() for _ in range(self.take('i'))]


def cluster_of(c, topic):
    """Of Metadata 1: the nodes, the controller, and of a topic's partition its leader, replicas and those in sync."""
    answer = Reader(c.call(METADATA, 1, struct.pack('>i', 1) + string(topic)))
    nodes = answer.list(lambda: (answer.take('i'), answer.text(), answer.take('i'), answer.text()))
    controller = answer.take('i')
    answer.take('ih')
    answer.text()
    answer.take('bi')
    _, _, leader = answer.take('hii')
    return nodes, controller, leader, answer.list(lambda: answer.take('i')), answer.list(lambda: answer.take('i'))


def fetch_of_rack(c, topic, rack):
    """Of Fetch 11 by a reader in a rack: the error, the node to read from instead, whether there are records."""
    body = struct.pack('>iiiibii', -1, 0, 0, 1 << 20, 0, 0, -1) + struct.pack('>i', 1) + string(topic)
    body += struct.pack('>iiiqqi', 1, 0, -1, 0, -1, 1 << 20) + struct.pack('>i', 0) + string(rack)
    answer = Reader(c.call(FETCH, 11, body))
    answer.take('ihii')
    answer.text()
    _, _, error, _, _, _, aborted = answer.take('iihqqqi')
    return error, answer.take('i'), answer.take('i') > 0


def coordinator_of(c, group):
    """Of FindCoordinator 1: the node."""
    answer = Reader(c.call(10, 1, string(group) + b'\0'))
    answer.take('ih')
    answer.text()
    return answer.take('i'), answer.text(), answer.take('i')


def creation(c, topic, replicas, node=None):
    """The error of CreateTopics 2, with so many replicas or on a node."""
    assigned = struct.pack('>i', 0) if node is None else struct.pack('>iiii', 1, 0, 1, node)
    answer = c.call(19, 2, struct.pack('>i', 1) + string(topic) + struct.pack('>ih', 1 if node is None else -1, replicas) + assigned
                    + struct.pack('>iib', 0, 10000, 0))
    return struct.unpack_from('>h', answer, 4 + 4 + 2 + len(topic))[0]
