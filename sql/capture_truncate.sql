-- TRUNCATE of captured tables and of parts of them.
\pset format unaligned
CREATE FUNCTION records(topic text) RETURNS bigint LANGUAGE sql AS $$ SELECT latest FROM kstream.list_offsets(topic) $$;
CREATE TABLE root (a int, b int, PRIMARY KEY (a, b)) PARTITION BY LIST (a);
CREATE TABLE middle PARTITION OF root FOR VALUES IN (1) PARTITION BY LIST (b);
CREATE TABLE leaf PARTITION OF middle FOR VALUES IN (1);
CREATE TABLE other PARTITION OF root FOR VALUES IN (2);

-- the whole is captured: all of it or nothing, in any order
SELECT kstream.capture('root', 'root');
TRUNCATE leaf;
TRUNCATE middle, other;
TRUNCATE ONLY leaf;
SELECT records('root');
TRUNCATE root;
TRUNCATE leaf, root;
TRUNCATE root, leaf;
TRUNCATE middle, other, root;
SELECT records('root');
-- what is refused changes nothing
INSERT INTO root VALUES (1, 1), (2, 2);
TRUNCATE other;
SELECT count(*) FROM root;
-- a part in the middle
SELECT kstream.uncapture('root');
SELECT kstream.capture('middle', 'middle');
TRUNCATE leaf;
TRUNCATE other;
TRUNCATE middle;
TRUNCATE root;
TRUNCATE leaf, root;
SELECT records('middle');
-- both
SELECT kstream.capture('root', 'root');
TRUNCATE middle;
TRUNCATE root;
SELECT records('middle'), records('root');

-- within another TRUNCATE, by a trigger of it
CREATE TABLE outside (a int);
CREATE FUNCTION truncate_more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'TRUNCATE ' || TG_ARGV[0]; RETURN NULL; END $$;
CREATE TRIGGER more BEFORE TRUNCATE ON root EXECUTE FUNCTION truncate_more('outside');
TRUNCATE root;
TRUNCATE leaf;
DROP TRIGGER more ON root;
CREATE TRIGGER more BEFORE TRUNCATE ON outside EXECUTE FUNCTION truncate_more('other');
TRUNCATE outside;
DROP TRIGGER more ON outside;
-- by a foreign key
CREATE TABLE referenced (a int PRIMARY KEY);
ALTER TABLE root ADD FOREIGN KEY (a) REFERENCES referenced;
TRUNCATE referenced CASCADE;
SELECT records('middle'), records('root');

-- a subscription's changes are not captured, so nothing is refused
SET session_replication_role = replica;
TRUNCATE leaf;
RESET session_replication_role;
SELECT records('middle'), records('root');

-- an inherited table is not a part
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
SELECT kstream.capture('parent', 'parent');
TRUNCATE child;
TRUNCATE ONLY parent;
TRUNCATE parent;
SELECT records('parent');

DROP TABLE root, outside, referenced, parent CASCADE;
DROP FUNCTION records, truncate_more;
SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
