-- Each of these went wrong in a peer.
-- Several statements in one query: every one is analysed, BEGIN and COMMIT are kept.
-- only: simple
SELECT 1; INSERT INTO contact (email, label) VALUES ('l1@canary.example', 'lesson'); INSERT INTO contact (email, label) VALUES ('l2@canary.example', 'lesson');
-- only: simple
BEGIN; UPDATE contact SET email = 'l3@canary.example' WHERE label = 'lesson'; ROLLBACK; SELECT email FROM contact WHERE label = 'lesson' ORDER BY id;
-- only: simple
BEGIN; UPDATE contact SET email = 'l4@canary.example' WHERE label = 'lesson'; COMMIT; SELECT email FROM contact WHERE label = 'lesson' ORDER BY id;
-- One that cannot be analysed does not let the others through.
-- only: simple
-- refused
INSERT INTO contact (email, label) VALUES ('l5@canary.example', 'leak'); SELECT soundex(email) FROM auth_user;
-- only: simple
-- refused
SELECT lower(email) FROM auth_user; INSERT INTO contact (email, label) VALUES ('l5@canary.example', 'leak');
SELECT count(*) FROM contact WHERE label = 'leak';
-- RETURNING a constant does not switch sealing off.
INSERT INTO contact (email) VALUES ('l6@canary.example') RETURNING 0;
INSERT INTO contact (email) VALUES ('l7@canary.example') RETURNING 'constant' AS email;
-- Expressions in VALUES are sealed or refused, never stored plain.
INSERT INTO contact (email) VALUES (('l8@canary.example')::text::varchar);
-- refused
INSERT INTO contact (email) VALUES (upper('l9@canary.example'));
INSERT INTO contact (email) VALUES (CASE WHEN true THEN 'l10@canary.example' ELSE 'l11@canary.example' END);
INSERT INTO contact (email) VALUES (COALESCE(NULL, 'l12@canary.example'));
-- refused
INSERT INTO contact (email) VALUES (NULLIF('l13@canary.example', 'x') || 'y');
-- params: 'l14@canary.example'
INSERT INTO contact (email) VALUES (COALESCE($1, 'l15@canary.example'));
-- A rule for one table leaves unrelated tables alone.
SELECT lower(name), name || 'x', weight FROM tag ORDER BY name;
SELECT name FROM tag WHERE name LIKE 'o%' ORDER BY name;
SELECT 'ada at example' AS email, 'x' AS first_name;
SELECT upper(email) FROM (SELECT 'not personal' AS email) t;
CREATE TABLE email (email text, first_name text);
INSERT INTO email VALUES ('plain table', 'called like a column');
SELECT lower(email), first_name FROM email ORDER BY email;
DROP TABLE email;
-- A table of the same name in another schema is another table.
CREATE SCHEMA other;
CREATE TABLE other.auth_user (id int, email text);
INSERT INTO other.auth_user VALUES (1, 'not protected here');
SELECT upper(email) FROM other.auth_user;
SELECT email FROM public.auth_user WHERE id = 1;
SET search_path = other, public;
SELECT upper(email) FROM auth_user;
SELECT email FROM contact WHERE id = 1;
RESET search_path;
SELECT email FROM auth_user WHERE id = 1;
DROP SCHEMA other CASCADE;
-- A temporary table shadows, and is not protected.
CREATE TEMP TABLE contact (id int, email text);
INSERT INTO contact VALUES (1, 'nobody');
SELECT email, length(email) FROM contact WHERE email LIKE 'no%';
SELECT email FROM public.contact WHERE id = 1;
DROP TABLE contact;
SELECT email FROM contact WHERE id = 1;
-- A materialised view holds tokens, and is read like its table.
CREATE MATERIALIZED VIEW mails AS SELECT id, email, username FROM auth_user;
SELECT id, email FROM mails ORDER BY id;
UPDATE auth_user SET email = 'matview@canary.example' WHERE id = 1;
REFRESH MATERIALIZED VIEW mails;
SELECT email, username FROM mails WHERE id = 1;
-- refused
SELECT lower(email) FROM mails;
DROP MATERIALIZED VIEW mails;
-- So is a view made through pgveil.
CREATE VIEW mail_view AS SELECT id, email AS mail FROM auth_user;
SELECT mail FROM mail_view ORDER BY id;
-- refused
SELECT upper(mail) FROM mail_view;
DROP VIEW mail_view;
-- A CTE shadows.
WITH contact AS (SELECT 'cte' AS email) SELECT upper(email) FROM contact;
WITH tag AS (SELECT email FROM contact WHERE id = 1) SELECT email FROM tag;
-- refused
WITH tag AS (SELECT email FROM contact) SELECT upper(email) FROM tag;
-- DDL in a block that is rolled back.
BEGIN;
CREATE TABLE orders_copy AS SELECT * FROM orders;
SELECT upper(note) FROM orders_copy ORDER BY id;
ROLLBACK;
-- Prepared names are reused for other statements.
PREPARE q AS SELECT id FROM orders WHERE id = 1;
EXECUTE q;
DEALLOCATE q;
PREPARE q (int) AS SELECT total FROM orders WHERE id = $1;
EXECUTE q (2);
DEALLOCATE ALL;
-- Comments, odd spacing and odd quoting.
SELECT /* a comment with email = 'x' */ email FROM auth_user -- and another
 WHERE id = 1;
SELECT email/**/FROM/**/auth_user/**/WHERE/**/id=1;
INSERT INTO contact(email)VALUES('tight@canary.example')RETURNING email;
SELECT/* nested /* comment */ */email FROM auth_user WHERE id=2;
SELECT "email" FROM "auth_user" WHERE "id"=1;
-- refused
SELECT U&"\0065mail" FROM auth_user WHERE id = 1;
-- refused
SELECT email FROM U&"auth\005fuser" WHERE id = 1;
-- error: 42703
-- except: H: the server looks for names that are alike
SELECT "Email" FROM auth_user;
-- Over-long statements, many rows, many parameters.
INSERT INTO contact (email) SELECT 'series@canary.example' FROM generate_series(1, 50);
SELECT count(email) FROM contact;
SELECT email, phone, code, nick FROM contact ORDER BY id;
