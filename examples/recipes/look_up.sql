-- Exactly once, and looking at tables.
--
-- A record that was polled may speak of rows that committed after this
-- statement began.  The next statement sees them, at READ COMMITTED; so poll
-- into a table of the transaction first, then join.
BEGIN;
CREATE TEMPORARY TABLE polled ON COMMIT DROP AS
SELECT kstream.text(r.key) AS account, kstream.json(r.value) AS payment
FROM kstream.poll('statements', '{payments}', max_wait => '1 s') r;
INSERT INTO statement_line
SELECT a.owner, (p.payment ->> 'amount')::numeric FROM polled p JOIN account a USING (account);
SELECT * FROM kstream.commit('statements');
COMMIT;
