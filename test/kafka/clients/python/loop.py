"""The loop of judge.py's protocol for clients in Python: a class Kafka with a method for each command."""
import os
import sys
import traceback

BOOTSTRAP, USER, PASSWORD = (os.environ['KAFKA_' + name] for name in ('BOOTSTRAP', 'USER', 'PASSWORD'))
WAIT = 20000  # ms that a fetch may wait


def decoded(text):
    return None if text == '-' else bytes.fromhex(text)


def coded(data):
    return '-' if data is None else bytes(data).hex()


def record_of(line):
    partition, _, time, key, value, headers = line.rstrip('\n').split('\t')
    pairs = [] if headers == '.' else [pair.split('=') for pair in headers.split(',')]
    return int(partition), int(time), decoded(key), decoded(value), [(bytes.fromhex(n).decode(), decoded(v)) for n, v in pairs]


def say(line):
    print(line, flush=True)


def complain(problem):
    """What a member goes on after: who reads on will read it again."""
    print(problem, file=sys.stderr, flush=True)


def say_record(partition, offset, time, key, value, headers):
    pairs = ','.join('%s=%s' % (n.encode().hex(), coded(v)) for n, v in headers or []) or '.'
    say('\t'.join(map(str, (partition, offset, time, coded(key), coded(value), pairs))))


def answer(kafka, words):
    if words[0] == 'has':
        say(kafka.HAS)
    elif words[0] == 'produce':
        topic, codec, acks, idempotent, many = words[1:]
        records = [record_of(sys.stdin.readline()) for _ in range(int(many))]
        for partition, offset in kafka.produce(topic, codec, acks, idempotent == '1', records):
            say('%d %d' % (partition, offset))
    elif words[0] == 'consume':
        topic, partition, first, many = words[1:]
        kafka.consume(topic, int(partition), first, int(many))
    elif words[0] == 'transact':
        kafka.transact(words[1], words[2], int(words[3]))
    elif words[0] == 'etl':
        kafka.etl(words[1], words[2], words[3], words[4], int(words[5]))
    elif words[0] == 'member':
        kafka.member(*words[1:5], int(words[5]))
    else:
        numbers = {'create': [1], 'grow': [1], 'trim': [1, 2]}.get(words[0], [])
        for line in getattr(kafka, words[0])(*[int(w) if n in numbers else w for n, w in enumerate(words[1:])]) or []:
            say(line)


def run(kafka):
    for line in iter(sys.stdin.readline, ''):
        try:
            answer(kafka, line.rstrip('\n').split('\t'))
            say('ok')
        except Exception as problem:
            traceback.print_exc()
            say('error %s' % repr(problem).replace('\n', ' '))
