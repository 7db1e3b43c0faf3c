#-------------------------------------------------------------------------
#
# 095_secrets.pl
#	What is in records stays out of the server's log and of error messages.
#
# The log is at its loudest.  Records are produced, read, refused, spilled and
# found corrupt in every way; none of their keys, values and headers may show
# up.  (That a statement's own text is logged is the user's setting: here the
# payloads come from a table.)
#
# test/t/095_secrets.pl
#
#-------------------------------------------------------------------------
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use KstreamTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => <<'CONF');
log_min_messages = debug5
log_min_error_statement = panic
log_error_verbosity = verbose
client_min_messages = debug5
max_prepared_transactions = 2
kstream.worker = on
kstream.worker_naptime = 100ms
CONF
my $session = session($node);
my $said = '';

# Run SQL that may fail; keep all that the client is told.
sub try
{
	my ($sql, $expected) = @_;
	my $result = $session->run($sql);

	$said .= $result->{err};
	is($result->{sqlstate}, $expected, substr $sql, 0, 60);
	return $result->{out};
}

# The payloads, never written out in a statement.
$node->safe_psql('postgres', q{
	CREATE TABLE secret AS SELECT 'mar' || 'ker-key' AS k, 'mar' || 'ker-value' AS v, jsonb_build_object('mar' || 'ker-header', 'mar' || 'ker-hv') AS h;
	SELECT kstream.create_topic(t, 1, o) FROM (VALUES ('plain', '{}'::jsonb), ('zipped', '{"compression": "zstd"}'), ('keyed', '{"cleanup_policy": "compact", "segment_bytes": "1MB", "min_cleanable_dirty_ratio": 0}'),
		('small', '{"max_message_bytes": 100}'), ('typed', '{}')) x(t, o);
	CREATE TABLE source (k text PRIMARY KEY, v text);
	SELECT kstream.capture('source', 'captured');
});
try("SELECT kstream.produce(t, k, v, h) FROM secret, unnest('{plain,zipped,keyed,typed}'::text[]) t", '');
# what was produced before a type was set stays as it is
$node->safe_psql('postgres', q{SELECT kstream.alter_topic('typed', '{"value_type": "jsonb", "key_type": "text"}')});
try("SELECT kstream.produce('typed', k, v, h) FROM secret", '22P02');
try("SELECT kstream.produce('typed', k, convert_to(v, 'UTF8') || '\\xff', h) FROM secret", '22P02');
try("SELECT kstream.produce('typed', convert_to(k, 'UTF8') || '\\xff', '1', h) FROM secret", '22021');
try("INSERT INTO source SELECT k, v FROM secret", '');
try("UPDATE source SET v = v || v; DELETE FROM source", '');
try("SELECT kstream.produce('small', k, repeat(v, 20), h) FROM secret", '54000');
try("SELECT kstream.produce('keyed', NULL, v, h) FROM secret", 'KS087');
try("SELECT kstream.produce('plain', k, v, to_jsonb(ARRAY[v])) FROM secret", '22023');
try("SELECT kstream.produce('plain', k, v, jsonb_build_object(v, 1)) FROM secret", '22023');
try("SELECT kstream.produce('nothing', k, v, h) FROM secret", '42704');
try("SELECT kstream.produce('plain', k, v, h, partition => 9) FROM secret", '22023');
try("BEGIN; SELECT kstream.produce('plain', k, v, h) FROM secret; PREPARE TRANSACTION 'x'", '0A000');
try("ROLLBACK", '');
try("BEGIN READ ONLY; SELECT kstream.produce('plain', k, v, h) FROM secret", '25006');
try("ROLLBACK", '');
try("SELECT kstream.json(r.value) FROM kstream.fetch('plain', 0, 0) r", '22P02');
try("SELECT kstream.text(r.value || '\\xff') FROM kstream.fetch('plain', 0, 0) r", '22021');
try("SELECT count(*) FROM kstream_topic.typed WHERE key IS NOT NULL", '');
try("SELECT value FROM kstream_topic.typed", '22P02');
try("INSERT INTO kstream_topic.plain (key, value) SELECT convert_to(k, 'UTF8'), convert_to(v, 'UTF8') FROM secret", '');
try("SET kstream.produce_buffer_size = '64kB'; SELECT count(kstream.produce('plain', k, repeat(v, 100), h)) FROM secret, generate_series(1, 300)", '');
try("SELECT count(*) FROM kstream.poll('g', '{plain,zipped,typed}', commit => true)", '');
try("SELECT * FROM kstream.commit('g', 'plain', 0, 1000000)", 'KS001');
try("SELECT count(*) FROM kstream.fetch('plain', 0, 999999)", 'KS001');
try("CALL kstream.run_maintenance()", '');
my $log_table = $session->query("SELECT relation FROM kstream.segments WHERE topic = 'zipped' ORDER BY segment LIMIT 1");
try("UPDATE $log_table SET batch = overlay(batch placing '\\x00'::bytea from length(batch) - 2)", '');
try("SELECT count(*) FROM kstream.fetch('zipped', 0, 0)", 'KS002');
try("SELECT problem FROM kstream.verify('zipped')", '');
try("SELECT kstream.delete_records('plain', 0, -1), kstream.drop_topic('zipped')", '');

$session->quit;
$node->stop;
my $log = slurp_file($node->logfile);
cmp_ok(length $log, '>', 100000, 'the log is loud');
unlike($log, qr/marker-/, 'no payload is in the log');
unlike($said, qr/marker-/, 'no payload is in what clients are told beside their rows');
done_testing();
