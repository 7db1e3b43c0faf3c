-- Who may capture, and whose right it is that a trigger produces with.
\pset format unaligned
CREATE ROLE kstream_owner;
CREATE ROLE kstream_writer;
CREATE ROLE kstream_other;
CREATE ROLE kstream_member IN ROLE kstream_owner;
CREATE SCHEMA app AUTHORIZATION kstream_owner;
GRANT USAGE ON SCHEMA app TO PUBLIC;
SET ROLE kstream_owner;
CREATE TABLE app.t (id int PRIMARY KEY, v text);
GRANT ALL ON app.t TO kstream_writer;
-- to make the topic takes the right to make topics
SELECT kstream.capture('app.t');
RESET ROLE;
GRANT CREATE ON SCHEMA kstream_topic TO kstream_owner;
SET ROLE kstream_other;
SELECT kstream.capture('app.t');
SELECT kstream.uncapture('app.t');
SELECT count(*) FROM kstream.captures;
SET ROLE kstream_writer;
SELECT kstream.capture('app.t');
SET ROLE kstream_owner;
SELECT kstream.capture('app.t');
RESET ROLE;
SELECT topic, owner FROM kstream.topics;

-- who writes the table needs no right on the topic
SET ROLE kstream_writer;
INSERT INTO app.t VALUES (1, 'by writer');
SELECT kstream.produce('app.t', 'k', 'v');
SELECT relation, topic FROM kstream.captures;
RESET ROLE;
SELECT kstream.json(value)->'after'->>'v' AS v FROM kstream.fetch('app.t', 0, 0);
-- nor on the schemas of the functions that write the row
CREATE SCHEMA private;
CREATE EXTENSION hstore SCHEMA private;
ALTER TABLE app.t ADD h private.hstore DEFAULT 'a=>1';
REVOKE USAGE ON SCHEMA kstream FROM PUBLIC;
SET ROLE kstream_writer;
INSERT INTO app.t VALUES (10, 'by writer');
RESET ROLE;
GRANT USAGE ON SCHEMA kstream TO PUBLIC;
SELECT kstream.json(value)->'after'->>'h' AS h FROM kstream.fetch('app.t', 0, 1);
ALTER TABLE app.t DROP h;
DROP EXTENSION hstore;
DROP SCHEMA private;
-- and the statement that writes gets none by it
SET ROLE kstream_writer;
BEGIN;
INSERT INTO app.t VALUES (2, 'by writer');
SELECT kstream.produce('app.t', 'k', 'v');
ROLLBACK;
RESET ROLE;

-- a topic that is another's: INSERT on it is needed when capture() is called, and later
SELECT kstream.create_topic('foreign');
SET ROLE kstream_owner;
SELECT kstream.capture('app.t', 'foreign');
RESET ROLE;
GRANT INSERT ON kstream_topic.foreign TO kstream_owner;
SET ROLE kstream_owner;
SELECT kstream.capture('app.t', 'foreign');
INSERT INTO app.t VALUES (3, 'to both');
SELECT topic, records FROM kstream.last_produced() ORDER BY 1;
RESET ROLE;
REVOKE INSERT ON kstream_topic.foreign FROM kstream_owner;
INSERT INTO app.t VALUES (4, 'refused, whoever writes');
SET ROLE kstream_owner;
SELECT kstream.uncapture('app.t', 'foreign');
-- as a member of the owner; a superuser's topic is the owner's as well
SET ROLE kstream_member;
SELECT kstream.capture('app.t', 'members');
RESET ROLE;
SELECT kstream.capture('app.t', 'superusers');
SELECT topic, owner FROM kstream.topics ORDER BY topic;
-- no membership, no right any more
REVOKE kstream_owner FROM kstream_member;
INSERT INTO app.t VALUES (5, 'refused');
-- the role gets another name, and another role gets this one: as with everything a role has
GRANT INSERT ON kstream_topic.members TO kstream_member;
ALTER ROLE kstream_member RENAME TO kstream_renamed;
CREATE ROLE kstream_member;
INSERT INTO app.t VALUES (50, 'accepted');
REVOKE INSERT ON kstream_topic.members FROM kstream_renamed;
GRANT INSERT ON kstream_topic.members TO kstream_member;
INSERT INTO app.t VALUES (5, 'refused');
REVOKE INSERT ON kstream_topic.members FROM kstream_member;
DROP ROLE kstream_member;
-- no role: it cannot be dropped but in another database
DROP ROLE kstream_renamed;
UPDATE kstream.capture SET role = 99999999 WHERE topic = 'members';
SELECT kstream.uncapture('app.t', 'superusers');
INSERT INTO app.t VALUES (5, 'refused');
SELECT topic, status FROM kstream.captures ORDER BY topic;
SET ROLE kstream_owner;
SELECT kstream.capture('app.t', 'members');
INSERT INTO app.t VALUES (5, 'accepted');
RESET ROLE;
DROP ROLE kstream_renamed;
SELECT kstream.capture('app.t', 'superusers');
SET ROLE kstream_owner;
SELECT topic, records FROM kstream.last_produced() ORDER BY 1;
SELECT kstream.uncapture('app.t', 'members'), kstream.uncapture('app.t', 'superusers');
-- the table gets another owner; the capture stays the act of who made it
RESET ROLE;
ALTER TABLE app.t OWNER TO kstream_other;
INSERT INTO app.t VALUES (6, 'other owner');
SELECT topic, records FROM kstream.last_produced() ORDER BY 1;
SET ROLE kstream_owner;
SELECT kstream.uncapture('app.t');
SET ROLE kstream_other;
SELECT relation, topic FROM kstream.captures;
SELECT kstream.uncapture('app.t');

--
-- A trigger made by hand captures nothing: not by itself, not with a capture's name, not for a partition's parent.
--
RESET ROLE;
GRANT CREATE ON SCHEMA public, app TO kstream_other;
SELECT kstream.create_topic('victim');
SET ROLE kstream_other;
CREATE TABLE app.fake (id int PRIMARY KEY, v text);
CREATE TRIGGER fake AFTER INSERT ON app.fake FOR EACH ROW EXECUTE FUNCTION kstream.capture_trigger();
INSERT INTO app.fake VALUES (1);
ALTER TRIGGER fake ON app.fake RENAME TO "!kstream:victim:insert";
DROP TRIGGER fake ON app.fake;
CREATE TRIGGER "!kstream:victim:insert" AFTER INSERT ON app.fake FOR EACH ROW EXECUTE FUNCTION kstream.capture_trigger('victim');
INSERT INTO app.fake VALUES (1);
-- uncapture() removes what belongs to no capture
SELECT kstream.uncapture('app.fake');
INSERT INTO app.fake VALUES (1);
SELECT kstream.uncapture('app.fake');
INSERT INTO kstream.capture VALUES ('app.fake', 'victim', 'postgres', '{}');
SELECT * FROM kstream.capture;
SELECT kstream.capture_trigger();
RESET ROLE;
SELECT count(*) FROM kstream.fetch('victim', 0, 0);
-- one that is not what capture() makes, with the row there
SELECT kstream.capture('app.fake', 'victim');
DROP TRIGGER "!kstream:victim:insert" ON app.fake;
SELECT count(*) FROM kstream.captures;
SELECT kstream.capture('app.fake', 'victim');
SET ROLE kstream_other;
CREATE TRIGGER "!kstream:victim:enter" BEFORE INSERT ON app.fake FOR EACH ROW EXECUTE FUNCTION kstream.capture_trigger();
INSERT INTO app.fake VALUES (2);
CREATE TRIGGER "!kstream:victim:leave" AFTER UPDATE ON app.fake FOR EACH ROW EXECUTE FUNCTION kstream.capture_trigger();
UPDATE app.fake SET v = v;
RESET ROLE;

--
-- Where nothing may be produced.
--
SELECT kstream.uncapture('app.fake');
SELECT kstream.capture('app.fake', 'victim');
BEGIN READ ONLY;
SELECT kstream.capture('app.fake', 'victim');
ROLLBACK;
BEGIN;
INSERT INTO app.fake VALUES (3);
PREPARE TRANSACTION 'p';
CREATE FUNCTION app.sneak(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN INSERT INTO app.fake VALUES ($1 + 100); RETURN $1; END $$;
CREATE TABLE app.indexed (a int);
INSERT INTO app.indexed VALUES (1);
CREATE INDEX ON app.indexed (app.sneak(a));
SELECT count(*) FROM app.fake WHERE id > 100;

DROP SCHEMA app CASCADE;
SELECT kstream.drop_topic(topic) FROM kstream.topics ORDER BY topic;
REVOKE CREATE ON SCHEMA kstream_topic FROM kstream_owner;
REVOKE CREATE ON SCHEMA public FROM kstream_other;
DROP ROLE kstream_owner, kstream_writer, kstream_other;
