"""A partition's log, as a program that can be read: what may be read from it.

The model knows each committed record by its offset (a session is told the offsets
after its COMMIT) and the rules by which records go: delete_records(), retention,
compaction.  Whoever reads while maintenance is at work may see a record or not if
a rule lets it go; all others must be there, whole, at their own place and time.

test/model/log_model.py
"""
from common import check

ANY = None          # a time that only the server knows (LogAppendTime)


class Record:
    __slots__ = ('key', 'value', 'time')

    def __init__(self, key, value, time):
        self.key, self.value, self.time = key, value, time


class Log:
    def __init__(self, name, number):
        self.name, self.number = name, number
        self.records = {}               # offset -> Record
        self.latest = {}                # key -> its latest offset
        self.start = self.end = 0       # the greatest that were seen
        self.deleted = 0                # delete_records() asked for that much
        self.compacted = False          # now or once
        self.retention = None           # the least that was ever asked for, ms
        self.limited = False            # retention_bytes was ever set
        self.gone = set()               # seen to be gone

    def __repr__(self):
        return '%s/%d' % (self.name, self.number)

    def add(self, base, records):
        """Committed at these offsets; none was given before, to anybody."""
        check(base >= self.end, '%r: offset %d was given, the end was %d', self, base, self.end)
        for offset, record in enumerate(records, base):
            check(offset not in self.records, '%r: offset %d was given twice', self, offset)
            self.records[offset] = record
            if record.key is not None:
                self.latest[record.key] = offset
        self.end = base + len(records)

    def bounds(self, start, end):
        """Start and end as they are told: neither goes back, and start does not pass the end."""
        check(start <= end, '%r: starts at %d, ends at %d', self, start, end)
        check(start >= self.start, '%r: start went back from %d to %d', self, self.start, start)
        check(end >= self.end, '%r: end went back from %d to %d', self, self.end, end)
        self.start, self.end = start, end

    def may_go(self, offset, now):
        """Is there a rule by which this record may be gone?"""
        record = self.records[offset]
        if offset < self.deleted or self.limited:
            return True
        if self.retention is not None and offset < self.start and (record.time is ANY or record.time < now - self.retention):
            return True
        if not self.compacted or record.key is None:
            return False
        return self.latest[record.key] > offset or record.value is None

    def compare(self, start, rows, now):
        """rows: (offset, time, key, value) of all from start on, in order."""
        before, got = -1, {}
        for offset, time, key, value in rows:
            check(offset > before, '%r: offset %d comes after %d', self, offset, before)
            check(offset >= start, '%r: offset %d, asked for %d', self, offset, start)
            before = offset
            got[offset] = True
            record = self.records.get(offset)
            check(record is not None, '%r: offset %d was never committed: %r', self, offset, value)
            check(offset not in self.gone, '%r: offset %d was gone, and is there again', self, offset)
            check((record.key, record.value) == (key, value), '%r: offset %d holds %r, not %r', self, offset,
                  (key, value and value[:30]), (record.key, record.value and record.value[:30]))
            if record.time is ANY:
                record.time = time
            check(record.time == time, '%r: offset %d has time %d, not %d', self, offset, time, record.time)
        for offset in self.records:
            if offset < start or offset in got:
                continue
            check(self.may_go(offset, now), '%r: offset %d is gone, and no rule says so', self, offset)
            self.gone.add(offset)
        if self.compacted:
            self.check_states(start, got)

    def check_states(self, start, got):
        """Who reads a compacted log from its beginning comes to each key's state."""
        states = {}
        for offset in got:
            if self.records[offset].key is not None:
                states[self.records[offset].key] = offset
        for key, offset in states.items():
            latest = self.latest[key]
            check(offset == latest or latest < start or self.is_passed(latest), '%r: key %r is at %d, though its latest record, at %d, is gone',
                  self, key, offset, latest)

    def is_passed(self, offset):
        return offset < self.deleted or self.limited

    def first_since(self, since, before, after, offset):
        """list_offsets(since): the first record that is not before that time; maintenance works meanwhile."""
        if offset is not None:
            check(offset in before, '%r: list_offsets() names %d, which is not there', self, offset)
            check(self.records[offset].time >= since, '%r: list_offsets(%d) names %d, of %d', self, since, offset, self.records[offset].time)
        missed = [o for o in after if self.records[o].time >= since and (offset is None or o < offset)]
        check(not missed, '%r: list_offsets(%d) says %s; record %s is not before that', self, since, offset, missed[:1])

    def chosen(self, what, wanted, before, after, got):
        """SELECT with a condition: all of the records that were there all the time, and no others."""
        got = set(got)
        for offset in got:
            check(offset in before and wanted(self.records[offset]), '%r: %s gives %d', self, what, offset)
        missed = [o for o in after if wanted(self.records[o]) and o not in got]
        check(not missed, '%r: %s does not give %s', self, what, missed[:3])
