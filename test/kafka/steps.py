"""A client that a test leads step by step: each line that it reads is an expression, whose value it prints.

Usage: steps.py PORT USER PASSWORD [tls].  Known are c (a connection that has logged in) and what raw.py has.
A connection that was closed prints "closed".
"""
import os
import ssl
import sys
import threading

from raw import *  # noqa: F403: for the expressions
from txn import *  # noqa: F403
from words import *  # noqa: F403: for the expressions

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
c = Connection(port, timeout=60)
if sys.argv[4:] == ['tls']:
    c.socket = ssl._create_unverified_context().wrap_socket(c.socket)
c.authenticate(user, password)
print('in', flush=True)


def together(*bodies, version=7):
    """Send Produce requests in one piece; the errors of their first partitions."""
    frames = b''
    for n, body in enumerate(bodies):
        frame = struct.pack('>hhi', PRODUCE, version, 1000 + n) + string('raw') + body
        frames += struct.pack('>i', len(frame)) + frame
    c.socket.sendall(frames)
    return [c.produce_answer(c.receive()[1])[0][2] for _ in bodies]


def one(topic, partition, producer, sequence, n=5, epoch=0, acks=-1, timeout=30000, **wrong):
    """The body of a Produce request of n records."""
    sent = batch([(b'k', b'%d' % (sequence + i)) for i in range(n)], producer=producer, epoch=epoch, sequence=sequence, **wrong)
    return c.produce_body([(topic, partition, sent)], acks, timeout)


def error_of(api, version, body, at):
    """The error number at a place of an answer."""
    return struct.unpack('>h', c.call(api, version, body)[at:at + 2])[0]


def metadata(topic):
    """The error of a topic in Metadata 1."""
    answer = c.call(METADATA, 1, struct.pack('>i', 1) + string(topic))
    at = answer.index(string(topic))
    return struct.unpack('>h', answer[at - 2:at])[0]


def create(topic):
    """The error of CreateTopics 2."""
    return error_of(19, 2, struct.pack('>i', 1) + string(topic) + struct.pack('>ihiiib', 1, 1, 0, 0, 10000, 0),
                    4 + 4 + 2 + len(topic))


def fetch_wide(count, wait):
    """The error of a Fetch of many partitions of the topic wide, in which nothing comes."""
    body = struct.pack('>iiiib', -1, wait, 1, 1 << 20, 0) + struct.pack('>i', 1) + string('wide') + struct.pack('>i', count)
    body += b''.join(struct.pack('>iqi', n, 0, 1 << 20) for n in range(count))
    answer = c.call(FETCH, 4, body)
    return struct.unpack('>h', answer[4 + 4 + 2 + 4 + 4 + 4:][:2])[0]


def flood_of_frames(count):
    """Send requests for ApiVersions in one piece; how many were answered."""
    frame = struct.pack('>hhi', API_VERSIONS, 0, 1) + string('raw')
    piece = (struct.pack('>i', len(frame)) + frame) * count
    sender = threading.Thread(target=c.socket.sendall, args=(piece,))
    sender.start()
    got = 0
    while got < count:
        c.receive()
        got += 1
    sender.join()
    return got


def fetch_by_id(topic_id):
    """The error of partition 0 in Fetch 13, which names a topic by its id."""
    partition = struct.pack('>iiqiqib', 0, -1, 0, -1, -1, 1 << 20, 0)
    body = struct.pack('>iiiibii', -1, 0, 0, 1 << 20, 0, 0, -1) + b'\2' + topic_id + b'\2' + partition + b'\0' + b'\1\1\0'
    answer = c.call(FETCH, 13, b'\0' + body)
    # tags, throttle, error, session, topics, id, partitions, partition
    return struct.unpack('>h', answer[1 + 4 + 2 + 4 + 1 + 16 + 1 + 4:][:2])[0]


def cluster(topic):
    return cluster_of(c, topic)


def coordinator(group):
    return coordinator_of(c, group)


def fetch_in_rack(topic, rack):
    return fetch_of_rack(c, topic, rack)


def create_with(name, replicas):
    return creation(c, 'r%d' % name, replicas)


def assign_to(topic, node):
    return creation(c, topic, -1, node)


many = []


def connect_many(port, count, kept):
    """Connect so many times, keep the last ones open."""
    for n in range(count):
        try:
            many.append(socket.create_connection(('127.0.0.1', port), 30))
        except ConnectionError:
            pass
        if len(many) > kept:
            many.pop(0).close()
    return count


def disconnect_many():
    for one in many:
        one.close()
    many.clear()
    return 0


for line in sys.stdin:
    try:
        print(repr(eval(line)), flush=True)
    except (EOFError, ConnectionError):
        print('closed', flush=True)
        os._exit(0)
