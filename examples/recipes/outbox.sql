-- Outbox: a change of the business's data and the event that tells of it.
--
-- Both commit together or not at all, so there is no table of events to write,
-- to poll and to empty, and no connector.
INSERT INTO purchase (customer, amount) VALUES ('ada', 12.50)
RETURNING id, kstream.produce('purchases', customer,
                              jsonb_build_object('event', 'placed', 'id', id, 'amount', amount)) AS partition;
