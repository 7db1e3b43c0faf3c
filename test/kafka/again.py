"""After a restart of the server: a batch of a producer that is in the log is recognized.

Usage: again.py PORT USER PASSWORD PRODUCER
"""
import sys

from raw import Connection, batch

c = Connection(int(sys.argv[1]), sys.argv[2], sys.argv[3])
sent = batch([(b'k', b'0')], producer=int(sys.argv[4]), epoch=1, sequence=0)
print('ok - a batch from before the crash has its offset' if c.produce('i', 0, sent) == (0, 12)
      else 'not ok - a batch from before the crash')
