-- Blocks, savepoints, strings of several statements, waiting writers.
BEGIN;
INSERT INTO contact (email) VALUES ('t1@canary.example');
SELECT email FROM contact WHERE id = (SELECT max(id) FROM contact);
ROLLBACK;
SELECT count(*) FROM contact;
START TRANSACTION ISOLATION LEVEL REPEATABLE READ;
UPDATE auth_user SET email = 't2@canary.example' WHERE id = 1;
SAVEPOINT one;
UPDATE auth_user SET email = 't3@canary.example' WHERE id = 1;
SELECT email FROM auth_user WHERE id = 1;
ROLLBACK TO SAVEPOINT one;
SELECT email FROM auth_user WHERE id = 1;
RELEASE one;
COMMIT;
SELECT email FROM auth_user WHERE id = 1;
-- An error inside: the block is aborted until its end.
BEGIN;
-- error: 22012
SELECT 1 / 0;
-- error: 25P02
SELECT email FROM auth_user;
-- error: 25P02
INSERT INTO contact (email) VALUES ('t4@canary.example');
COMMIT;
-- A refusal aborts as any error does.
BEGIN;
INSERT INTO contact (email) VALUES ('t5@canary.example');
-- refused
SELECT lower(email) FROM auth_user;
-- error: 25P02
SELECT 1;
-- refused
SELECT lower(email) FROM auth_user;
ROLLBACK;
SELECT count(*) FROM contact;
BEGIN;
SAVEPOINT s;
-- refused
SELECT id FROM auth_user ORDER BY email;
ROLLBACK TO s;
SELECT email FROM auth_user WHERE id = 2;
COMMIT;
-- Several statements in one string.
-- only: simple
BEGIN; INSERT INTO contact (email, label) VALUES ('t6@canary.example', 'multi'); SELECT email FROM contact WHERE label = 'multi'; COMMIT;
-- only: simple
SELECT 1; SELECT email FROM auth_user WHERE id = 2; SELECT 'three';
-- only: simple
UPDATE contact SET email = 't7@canary.example' WHERE id = 1; UPDATE contact SET phone = 'tel Canaryson 41' WHERE id = 1; SELECT email, phone FROM contact WHERE id = 1;
-- only: simple
;
-- only: simple
SELECT email FROM auth_user WHERE id = 2;; ; SELECT 2;
-- What stands before an error in the string is rolled back.
-- only: simple
-- error: 22012
INSERT INTO contact (email, label) VALUES ('t8@canary.example', 'gone'); SELECT 1 / 0; SELECT 3;
SELECT count(*) FROM contact WHERE label = 'gone';
-- only: simple
-- error: 42703
INSERT INTO contact (email, label) VALUES ('t8@canary.example', 'gone'); SELECT missing FROM auth_user;
SELECT count(*) FROM contact WHERE label = 'gone';
-- In the extended protocol a string of several is a syntax error.
-- only: extended
-- error: 42601
SELECT 1; SELECT 2;
-- only: extended
SELECT email FROM auth_user WHERE id = 1;
-- Two-phase and chained.
BEGIN;
UPDATE contact SET email = 't9@canary.example' WHERE id = 2;
COMMIT AND CHAIN;
SELECT email FROM contact WHERE id = 2;
END;
SELECT email FROM contact WHERE id = 2;
-- Warnings outside a block.
COMMIT;
BEGIN;
BEGIN;
COMMIT;
-- error: 25P01
SAVEPOINT nowhere;
-- Two sessions: the second writer waits for the first, and sees what it wrote.
BEGIN;
UPDATE auth_user SET email = 't10@canary.example' WHERE id = 4;
-- session: b
SELECT email FROM auth_user WHERE id = 4;
-- waits
UPDATE auth_user SET last_name = 'Canaryson the second' WHERE id = 4 RETURNING email, last_name;
-- session: a
COMMIT;
-- session: b
SELECT email, last_name FROM auth_user WHERE id = 4;
BEGIN;
SELECT id, email FROM auth_user WHERE id = 4 FOR UPDATE;
-- session: a
-- error: 55P03
SELECT email FROM auth_user WHERE id = 4 FOR UPDATE NOWAIT;
SELECT id, email FROM auth_user WHERE id IN (4, 5) ORDER BY id FOR UPDATE SKIP LOCKED;
-- waits
DELETE FROM contact WHERE user_id = (SELECT id FROM auth_user WHERE id = 4 FOR UPDATE);
-- session: b
COMMIT;
-- session: a
SELECT count(*) FROM contact;
-- Two sessions race for one unique value: the second waits, then fails as on a plain table.
-- mode: deterministic
BEGIN;
INSERT INTO newsletter_subscriber (email) VALUES ('race@canary.example');
-- session: b
-- waits
-- error: 23505
INSERT INTO newsletter_subscriber (email) VALUES ('race@canary.example');
-- session: a
COMMIT;
BEGIN;
INSERT INTO newsletter_subscriber (email, confirmed) VALUES ('upsert@canary.example', false);
-- session: b
-- waits
INSERT INTO newsletter_subscriber (email, confirmed) VALUES ('upsert@canary.example', true) ON CONFLICT (email) DO UPDATE SET confirmed = excluded.confirmed RETURNING email, confirmed;
-- session: a
COMMIT;
-- session: b
SELECT confirmed FROM newsletter_subscriber WHERE email = 'upsert@canary.example';
-- Compare and set: only one wins.
-- session: a
BEGIN;
UPDATE auth_user SET email = 'won@canary.example' WHERE id = 2 AND email = 'bob@canary.example';
-- session: b
-- waits
UPDATE auth_user SET email = 'lost@canary.example' WHERE id = 2 AND email = 'bob@canary.example';
-- session: a
COMMIT;
-- session: b
SELECT email FROM auth_user WHERE id = 2;
-- After a change of the catalog nothing of ours comes before what must be first in a block.
-- session: a
CREATE TEMP TABLE changed (id int);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT email FROM auth_user WHERE id = 1;
COMMIT;
DROP TABLE changed;
START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY;
SELECT email FROM auth_user WHERE id = 1;
ROLLBACK;
