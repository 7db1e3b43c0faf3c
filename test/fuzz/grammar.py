"""Random queries over kstream.fetch(), or over a topic's table.

Every query returns rows (a bigint, b bigint, c text), in any order, and the
same rows whatever plan PostgreSQL makes of it: a LIMIT stands only on one call
of fetch(), whose records come in the order of their offsets; aggregates and
windows do not depend on the order of equals.  So two ways of reading the same
records can be compared.

test/fuzz/grammar.py
"""

PARTITIONS = 3
RECORDS = 10            # of each partition

# Where the records come from.  A source makes a FROM item of alias {0}, which
# then has the columns of RECORD.
FETCH, TABLE = 'fetch', 'table'

INTEGERS = ['{0}."offset"', '{0}.partition', '{0}."offset" % 3', 'length({0}.key)', 'COALESCE(length({0}.value), -1)',
            '(SELECT count(*) FROM jsonb_object_keys({0}.headers))']
TEXTS = ['kstream.text({0}.key)', "COALESCE(kstream.text({0}.value), 'none')", 'kstream.text({0}.value)',
         '{0}.headers::text', "COALESCE({0}.headers->>'h', 'no header')", '{0}."timestamp"::text', 'md5({0}.value)',
         "CASE WHEN {0}.key IS NULL THEN 'no key' ELSE 'key' END", '{0}::text', 'to_jsonb({0})::text']
WHOLE = 2               # of the last of TEXTS


class Item:
    """Something in FROM: what columns it offers to expressions."""

    def __init__(self, alias, record):
        self.alias, self.record = alias, record

    def integer(self, rng):
        if self.record:
            return rng.choice(INTEGERS).format(self.alias)
        return rng.choice(['{0}.a', '{0}.b', '{0}.a % 3', 'COALESCE({0}.b, {0}.a)', 'length({0}.c)']).format(self.alias)

    def text(self, rng):
        if self.record:
            texts = TEXTS if rng.random() < 0.1 else TEXTS[:-WHOLE]
            return rng.choice(texts).format(self.alias)
        return rng.choice(['{0}.c', "COALESCE({0}.c, 'null')", '{0}.a::text', 'left({0}.c, 4)']).format(self.alias)


class Query:
    """One query: `setup` before it, `sql`, and values of its parameters."""

    def __init__(self, rng, source, depth, prepared):
        self.rng, self.source, self.prepared = rng, source, prepared
        self.names = 0
        self.setup, self.params = [], []
        self.ctes = []
        self.inside = 0         # views and functions, where a CTE of the query is not known
        self.sql = self.select(depth, [])
        if self.ctes:
            self.sql = 'WITH %s %s' % (', '.join(self.ctes), self.sql)

    def chance(self, probability):
        return self.rng.random() < probability

    def name(self, prefix='t'):
        self.names += 1
        return '%s%d' % (prefix, self.names)

    def constant(self, value, local=False):
        if self.prepared and not local and self.chance(0.6):
            self.params.append(value)
            return '$%d' % len(self.params)
        return str(value)

    def integer(self, items):
        if not items or self.chance(0.1):
            return self.constant(self.rng.randint(0, 6)) + '::bigint'
        return self.rng.choice(items).integer(self.rng)

    def column(self, item):
        """What a FULL JOIN can be made on."""
        return item.alias + ('."offset"' if item.record else '.a')

    def text(self, items):
        if not items or self.chance(0.05):
            return "'const'"
        return self.rng.choice(items).text(self.rng)

    # ---------- what stands in FROM ----------

    def fetch(self, outer):
        """A call of fetch(): its arguments may be another item's columns."""
        def argument(top):
            if outer and self.chance(0.5):
                return 'abs(COALESCE(%s, 0) %% %d)' % (self.rng.choice(outer).integer(self.rng), top + 1)
            if self.chance(0.1):
                return '(SELECT %s %% %d)' % (self.constant(self.rng.randint(0, 99)), top + 1)
            return self.constant(self.rng.randint(0, top))
        rows = '' if self.chance(0.3) else ', max_records => 1 + (%s)::int' % argument(7)
        size = ', max_bytes => %d' % self.rng.choice([1, 40, 200]) if self.chance(0.1) else ''
        return "kstream.fetch('fuzz', (%s)::int, (%s)::bigint%s%s)" % (argument(PARTITIONS - 1), argument(RECORDS), rows, size)

    def record(self, outer):
        """A FROM item of records, and how it is named."""
        alias = self.name('r')
        if self.source == TABLE:
            # the topic's table, or a table of which it is a partition
            return '%s %s' % ('{parent}' if self.chance(0.2) else '{table}', alias), Item(alias, True)
        if self.chance(0.06):
            return '%s WITH ORDINALITY %s' % (self.fetch(outer), alias), Item(alias, True)
        if self.chance(0.04):
            return ('ROWS FROM (%s, generate_series(1, 3)) %s(topic, partition, "offset", "timestamp", key, value, headers, n)'
                    % (self.fetch(outer), alias), Item(alias, True))
        return '%s %s' % (self.fetch(outer), alias), Item(alias, True)

    def body(self, depth):
        """A query that stands elsewhere: without parameters and CTEs."""
        prepared, self.prepared = self.prepared, False
        self.inside += 1
        text = self.select(depth - 1, [])
        self.inside -= 1
        self.prepared = prepared
        return text

    def view(self, depth):
        name = self.name('v')
        body = self.body(depth)
        options = ' WITH (security_barrier)' if self.chance(0.4) else ''
        self.setup.append('CREATE TEMP VIEW %s%s AS %s' % (name, options, body))
        return name

    def function(self, depth):
        """A function in SQL, which is inlined where it is STABLE."""
        name = self.name('f')
        body = self.body(depth)
        kind = self.rng.choice(['STABLE', 'STABLE', 'VOLATILE'])
        self.setup.append('CREATE FUNCTION pg_temp.%s() RETURNS TABLE (a bigint, b bigint, c text) LANGUAGE sql %s AS $f$ %s $f$'
                          % (name, kind, body))
        return 'pg_temp.%s()' % name

    def cte(self, depth):
        name = self.name('w')
        body = self.select(depth - 1, [])
        how = self.rng.choice(['', 'MATERIALIZED ', 'NOT MATERIALIZED '])
        self.ctes.append('%s AS %s(%s)' % (name, how, body))
        return name

    def item(self, depth, outer):
        """Another FROM item; outer: those before it that it may refer to."""
        if depth <= 0 or self.chance(0.45):
            if self.chance(0.15):
                alias = self.name()
                return 'fuzz_rows %s' % alias, Item(alias, False)
            return self.record(outer)
        alias = self.name()
        kind = self.rng.choice(['sub', 'sub', 'union', 'union', 'lateral', 'lateral', 'view', 'function', 'cte', 'limited'])
        if kind == 'view':
            text = self.view(depth)
        elif kind == 'function':
            text = self.function(depth)
        elif kind == 'cte' and not self.inside:
            text = self.cte(depth)
        elif kind == 'union':
            text = '(%s)' % self.union(depth - 1, outer)
        elif kind == 'limited' and self.source == FETCH:
            text = '(%s)' % self.limited(outer)
        else:
            text = '(%s)' % self.select(depth - 1, outer if kind == 'lateral' else [])
        if text.startswith('(') and outer:
            text = 'LATERAL ' + text
        return '%s %s' % (text, alias), Item(alias, False)

    def limited(self, outer):
        """The first records of one call, which come in their order."""
        alias = self.name('r')
        item = Item(alias, True)
        return 'SELECT %s AS a, %s AS b, %s AS c FROM %s %s LIMIT %s OFFSET %s' % (
            self.integer([item]), self.integer([item]), self.text([item]), self.fetch(outer), alias,
            self.constant(self.rng.randint(0, 5)), self.constant(self.rng.randint(0, 2)))

    def union(self, depth, outer):
        word = self.rng.choice(['UNION ALL', 'UNION ALL', 'UNION ALL', 'UNION', 'EXCEPT', 'INTERSECT', 'EXCEPT ALL'])
        return (' %s ' % word).join(self.select(depth, outer, plain=True) for _ in range(self.rng.randint(2, 3)))

    # ---------- a level ----------

    def condition(self, depth, items):
        kind = self.rng.random()
        if depth > 0 and kind < 0.12:
            return '%sEXISTS (%s)' % (self.rng.choice(['', 'NOT ']), self.select(depth - 1, items, correlate=True))
        if depth > 0 and kind < 0.2:
            return '%s IN (SELECT s.a FROM (%s) s)' % (self.integer(items), self.select(depth - 1, items if self.chance(0.3) else []))
        if kind < 0.5:
            return '%s %s %s' % (self.integer(items), self.rng.choice(['=', '<', '>=', '<>']), self.integer(items))
        if kind < 0.65:
            return '%s %s' % (self.text(items), self.rng.choice(['IS NULL', 'IS NOT NULL', "LIKE '%1%'", "> 'k'"]))
        if kind < 0.72 and self.source == TABLE and items[0].record:
            # what the table can turn into a narrower reading
            minute = "'2020-01-01 00:00:00+00'::timestamptz + '%d min'" % self.rng.randint(0, 20)
            return '%s.%s' % (items[0].alias, self.rng.choice(
                ["key = 'k1'", "key IN ('k0', 'k3')", "partition = ANY ('{0,2}')", '"timestamp" >= ' + minute, '"timestamp" < ' + minute]))
        return '%s BETWEEN %s AND %s' % (self.integer(items), self.constant(self.rng.randint(0, 4)), self.constant(self.rng.randint(3, 12)))

    def source_list(self, depth, outer):
        items, text = [], ''
        for i in range(self.rng.choice([1, 1, 1, 2, 2, 3] if depth > 0 else [1, 1, 2])):
            join = self.rng.choice([',', 'JOIN', 'LEFT JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN'])
            # what a RIGHT or FULL JOIN completes cannot be referred to
            before = outer + (items if join in (',', 'JOIN', 'LEFT JOIN') else [])
            more, item = self.item(depth, before)
            if i == 0:
                text = more
            elif join == ',':
                text = '%s CROSS JOIN %s' % (text, more)
            elif join == 'FULL JOIN':
                text = '%s FULL JOIN %s ON %s = %s' % (text, more, self.column(items[-1]), self.column(item))
            else:
                on = '%s = %s' % (self.rng.choice(items).integer(self.rng), item.integer(self.rng))
                text = '%s %s %s ON %s' % (text, join, more, on)
            items.append(item)
        return items, text

    def select(self, depth, outer, correlate=False, plain=False):
        if depth > 0 and not plain and not correlate and self.chance(0.15):
            return self.union(depth - 1, outer)
        items, text = self.source_list(depth, outer)
        conditions = [self.condition(depth, items + outer) for _ in range(self.rng.choice([0, 0, 1, 1, 2]))]
        if correlate:
            conditions.append('%s = %s' % (self.integer(items), self.integer(outer)))
        where = ' WHERE ' + ' AND '.join(conditions) if conditions else ''
        kind = self.rng.random()
        a, b, c = self.integer(items), self.integer(items), self.text(items)
        if depth > 0 and self.chance(0.15):
            a = '(SELECT count(*) + COALESCE(sum(s.a), 0) FROM (%s) s)' % self.select(depth - 1, items, correlate=True)
        if kind < 0.55:
            return 'SELECT %s AS a, %s AS b, %s AS c FROM %s%s' % (a, b, c, text, where)
        if kind < 0.62:
            return 'SELECT DISTINCT %s AS a, %s AS b, %s AS c FROM %s%s' % (a, b, c, text, where)
        inner = 'SELECT %s AS a, %s AS b, %s AS c FROM %s%s' % (a, b, c, text, where)
        if kind < 0.72:
            return ('SELECT s.a, %s AS b, %s AS c FROM (%s) s'
                    % (self.rng.choice(['sum(s.b) OVER (PARTITION BY s.a)', 'rank() OVER (ORDER BY s.b, s.a)', 'count(*) OVER (PARTITION BY s.c)']),
                       self.rng.choice(['s.c', 'min(s.c) OVER (PARTITION BY s.b)']), inner))
        group, having = self.rng.choice(['s.a', 's.a', 'GROUPING SETS ((s.a), ())', 'GROUPING SETS ((s.a), (s.b))', 'ROLLUP (s.a, s.b)',
                                         'CUBE (s.a, s.b)', '']), ''
        if group and self.chance(0.2):
            having = ' HAVING count(*) > 1'
        first = 's.a' if group else 'max(s.a)'
        last = 's.b::text' if '.b' in group else self.rng.choice(["string_agg(s.c, ',' ORDER BY s.c)", 'max(s.c)', 'count(s.c)::text'])
        return ('SELECT %s AS a, %s AS b, %s AS c FROM (%s) s%s%s'
                % (first, self.rng.choice(['count(*)', 'sum(s.b)', 'count(DISTINCT s.c)', 'min(s.b)']), last, inner,
                   ' GROUP BY ' + group if group else '', having))
