-- Exactly once: the work and the offsets commit together.
--
-- Repeat this.  poll() returns the records that come next for this session,
-- or waits for some; with "commit" their offsets are committed by the same
-- statement that does the work.  If it fails, or the server does, neither has
-- happened, and the same records come again.
INSERT INTO balance (account, amount)
SELECT kstream.text(r.key), (kstream.json(r.value) ->> 'amount')::numeric
FROM kstream.poll('balances', '{payments}', commit => true, max_wait => '1 s') r;
