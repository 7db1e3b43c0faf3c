"""What must be in the topic of a captured table, by what the table was told.

A trigger of the test's own notes each change of a row in a table that commits
and rolls back with it (audit).  For each key, in the order in which it was
changed, that gives the records that the topic must hold, neither more nor less.
The rows of snapshots come among them: each is the row as the records before it
have left it.

A row is [id, value, size of its padding]; no two versions of rows have the same
value, so a record has a name: "c:", "u:" and "d:" with the value that it creates,
writes or deletes, "t:" and the value of the delete before a tombstone, "r:", value
and offset of what a snapshot read.  Under these names the records are judged like
all others, as writes of the transactions that changed the rows.

test/history/changes.py
"""
import collections


class Captured:
    """What is known at the end."""

    def __init__(self, audit=(), records=None, base=(), table=()):
        self.audit = audit              # [transaction, row before or None, row after or None] in their order
        self.records = records or {}    # k -> [offset, id, op, before, after, xid]; op "-": a tombstone
        self.base = base                # rows before the table was captured
        self.table = table              # rows at the end


Record = collections.namedtuple('Record', 'k offset name op before after xid')
Change = collections.namedtuple('Change', 'name op before after txn')


def name_of(op, before, after, offset):
    """A tombstone's name is known only to who knows the record before it."""
    if op == '-':
        return '-@%d' % offset
    name = '%s:%s' % (op, (before if op == 'd' else after)[1])
    return '%s@%d' % (name, offset) if op == 'r' else name


class Changes:
    def __init__(self, history, found):
        self.history, self.captured, self.found = history, history.captured, found
        self.records = collections.defaultdict(list)    # id -> [Record]
        self.changes = collections.defaultdict(list)    # id -> [Change] of committed transactions
        self.written = collections.defaultdict(list)    # transaction -> [(id, name)]
        self.base = {row[0]: row for row in self.captured.base}
        self.read_records()
        self.read_audit()

    def read_records(self):
        for k, rows in self.captured.records.items():
            for offset, key, op, before, after, xid in rows:
                name = name_of(op, before, after, offset)
                latest = self.records[key][-1] if self.records[key] else None
                if op == '-' and latest is not None and latest.k == k and latest.op == 'd':
                    name = 't:' + latest.before[1]
                self.records[key].append(Record(k, offset, name, op, before, after, xid))

    def read_audit(self):
        for txn, before, after in self.captured.audit:
            if before is not None and after is not None and before[0] == after[0]:
                self.expect(after[0], 'u', before, after, txn)
                continue
            if before is not None:
                self.expect(before[0], 'd', before, None, txn)
                self.expect(before[0], '-', before, None, txn)
            if after is not None:
                self.expect(after[0], 'c', None, after, txn)

    def expect(self, key, op, before, after, txn):
        name = 't:' + before[1] if op == '-' else name_of(op, before, after, 0)
        self.changes[key].append(Change(name, op, before, after, txn))
        self.written[txn].append((key, name))

    # ---- as writes of transactions

    def tell(self, txn_class):
        """Add what was captured to the transactions' writes, and name tombstones in what was read."""
        places = sorted(self.captured.records)
        where = {key: records[0].k for key, records in self.records.items() if records}
        known = set()
        for txn in self.history.txns:
            changes = self.written.get(txn.name, ())
            known.add(txn.name)
            if changes and txn.outcome != 'ok':
                self.found('witness', '%s changed rows and was told %s' % (txn.name, txn.outcome))
            txn.writes.extend([where.get(key, places[0]), name] for key, name in changes)
        for name in set(self.written) - known:
            self.found('witness', '%s changed rows; nobody knows of it' % name)
        self.history.txns.extend(self.snapshots(txn_class))
        self.name_tombstones()

    def snapshots(self, txn_class):
        """Each range of a snapshot was a transaction."""
        writes = collections.defaultdict(list)
        for record in (r for records in self.records.values() for r in records if r.op == 'r'):
            writes[record.xid].append(record)
        for xid, records in sorted(writes.items()):
            name = 'snapshot:%d' % xid
            yield txn_class(name=name, process=name, outcome='ok',
                            writes=[[r.k, r.name] for r in sorted(records, key=lambda r: (r.k, r.offset))])

    def name_tombstones(self):
        names = {(r.k, r.offset): r.name for records in self.records.values() for r in records}
        reads = [(read['k'], read['rows']) for txn in self.history.txns for read in txn.reads]
        for k, rows in reads + list(self.history.final.items()):
            if k in self.captured.records:
                for row in rows:
                    if row[1].startswith('-@'):
                        row[1] = names.get((k, row[0]), row[1])

    # ---- per key

    def check(self):
        for key in sorted(set(self.records) | set(self.changes)):
            self.check_key(key, self.records.get(key, []), self.changes.get(key, []))
        self.check_quiet()
        self.check_table()

    def check_key(self, key, records, changes):
        places = sorted({record.k for record in records})
        if len(places) > 1:
            self.found('cdc-order', 'key %d is in %s' % (key, ' and '.join(places)))
        expected = {change.name: change for change in changes}
        seen = {}
        for record in records:
            if record.op == 'r':
                continue
            at = '%s at %s@%d' % (record.name, record.k, record.offset)
            if record.name in seen:
                self.found('cdc-twice', '%s is also at %d' % (at, seen[record.name].offset))
                continue
            seen[record.name] = record
            change = expected.get(record.name)
            if change is None:
                self.found('cdc-wrong', '%s of key %d is of no change that was committed' % (at, key))
            elif record.op != '-' and [record.before, record.after] != [change.before, change.after]:
                self.found('cdc-wrong', '%s of %s says %s to %s, and not %s to %s' % (
                    at, change.txn, record.before, record.after, change.before, change.after))
        for change in changes:
            if change.name not in seen:
                self.found('cdc-lost', '%s of %s is not there' % (change.name, change.txn))
        self.check_order(key, [n for n in seen if n in expected], [n for n in expected if n in seen])
        self.check_snapshots(key, records, changes)

    def check_order(self, key, got, expected):
        for one, other in zip(got, expected):
            if one != other:
                self.found('cdc-order', 'key %d: %s comes before %s, which was first' % (key, one, other))
                return

    def check_snapshots(self, key, records, changes):
        """A row is read as it is after the records that precede."""
        row = self.base.get(key)
        ever = [row] + [change.after for change in changes]
        for record in records:
            if record.op == 'r' and record.after != row:
                self.found('cdc-order' if record.after in ever else 'cdc-wrong', '%s at %s@%d, where the row is %s' % (
                    record.name, record.k, record.offset, row))
            row = record.after

    def check_quiet(self):
        """Rows that nobody changed were read by each snapshot once, and the last one is finished."""
        counts = {key: sum(r.op == 'r' for r in self.records.get(key, ())) for key in self.base if key not in self.changes}
        if not counts:
            return
        usual = max(1, collections.Counter(counts.values()).most_common(1)[0][0])
        for key, count in counts.items():
            if count != usual:
                self.found('cdc-lost' if count < usual else 'cdc-twice', 'key %d was read by snapshots %d times, others %d' % (
                    key, count, usual))

    def check_table(self):
        """Who applies the topic from its beginning has the table."""
        applied = {key: records[-1].after for key, records in self.records.items() if records}
        table = {row[0]: row for row in self.captured.table}
        for key in sorted(set(applied) | set(table)):
            if applied.get(key) != table.get(key):
                self.found('cdc-table', 'key %d is %s, by its records %s' % (key, table.get(key), applied.get(key)))
