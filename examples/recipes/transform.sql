-- Consume, transform, produce: from one topic into another, exactly once.
--
-- Repeat this.  The offsets of what was consumed and the records that are made
-- of it commit together, so each payment has its receipt, once.
SELECT count(kstream.produce('receipts', r.key,
                             jsonb_build_object('received', kstream.json(r.value) -> 'amount')))
FROM kstream.poll('receipts', '{payments}', commit => true, max_wait => '1 s') r;
