-- Names: quoting, case, length, search paths, views, partitions, comments in odd places.
-- mode: all
-- Names are cut at 63 bytes, columns of derived tables as well.
SELECT email AS a234567890123456789012345678901234567890123456789012345678901234567890 FROM auth_user WHERE id = 1;
SELECT t.a23456789012345678901234567890123456789012345678901234567890123 FROM (SELECT email AS a23456789012345678901234567890123456789012345678901234567890123xyz FROM auth_user WHERE id = 1) t;
SELECT a23456789012345678901234567890123456789012345678901234567890123zzz.email FROM auth_user a23456789012345678901234567890123456789012345678901234567890123 WHERE id = 2;
SELECT email AS "ñññññññññññññññññññññññññññññññññññ" FROM auth_user WHERE id = 1;
CREATE TABLE b23456789012345678901234567890123456789012345678901234567890123456 (email text);
SELECT upper(email) FROM b23456789012345678901234567890123456789012345678901234567890123;
DROP TABLE b23456789012345678901234567890123456789012345678901234567890123456;
-- Case and quotes.
SELECT "u"."email", U.FIRST_NAME, u."id" FROM "auth_user" u ORDER BY u.ID;
SELECT EMAIL "eMail" FROM Public.Auth_User WHERE Id = 1;
SELECT t."select", t."a""b", t." " FROM (SELECT email AS "select", phone AS "a""b", id AS " " FROM contact) t ORDER BY t." ";
SELECT email AS "MIXED", email AS mixed FROM contact WHERE id = 1;
SELECT postgres.email FROM auth_user postgres WHERE postgres.id = 1;
SELECT "public"."contact"."email" FROM "public"."contact" ORDER BY "public"."contact"."id";
SELECT c.email value, c.phone name, c.code type FROM contact c ORDER BY c.id;
SELECT contact.email FROM contact, tag WHERE tag.name = 'new' ORDER BY contact.id;
-- error: 42P01
SELECT email FROM "Auth_User";
-- error: 42P01
SELECT email FROM nowhere.auth_user;
-- error: 42P01
SELECT "Contact".email FROM contact;
-- error: 42703
SELECT u.contact FROM auth_user u;
-- An alias with columns of its own.
SELECT a, e FROM contact AS k (a, b, c, e) ORDER BY a;
SELECT k.id, k.label FROM contact AS k (id, u, label, phone, email) WHERE k.phone IS NULL ORDER BY k.id;
-- refused
SELECT id FROM contact AS k (id, u, l, x) WHERE upper(x) = 'A';
-- error: 42702
SELECT email FROM contact AS k (id, email) ORDER BY id;
-- Comments and spaces.
SELECT--
email--x
FROM/*'*/auth_user/*"*/WHERE/*$$*/id=1--;
;
/* first */ SELECT /* /* ' */ " */ email, 'not -- a comment', '/* nor this */' FROM auth_user WHERE id = 1 /* last */;
/* email = 'a' */ UPDATE contact /*+ hint */ SET /**/ email /**/ = /**/ 'co1@canary.example' /**/ WHERE id = 1 /**/ RETURNING /**/ email /**/;
INSERT/**/INTO/**/contact/**/(id,email)/**/VALUES(970,'co2@canary.example')/**/RETURNING/**/email,id;
-- refused: randomized
SELECT id FROM contact WHERE email/* = */=/* 'x' */'ada@canary.example'/**/ORDER/**/BY/**/id;
-- refused: randomized
SELECT id FROM contact WHERE email IN(/* one */'ada@canary.example'/*,*/,/* two */'co1@canary.example') ORDER BY id;
SELECT
	email
,	id	FROM	contact
	ORDER
BY id;
-- A schema of the client's, before and behind public.
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema".contact (id int, email text, "E-Mail" text);
INSERT INTO "Odd Schema".contact VALUES (1, 'plain one', 'x');
SET search_path = "Odd Schema", public;
SELECT upper(email), "E-Mail" || '!' FROM contact;
SELECT email FROM public.contact WHERE id = 1;
SELECT o.email, c.email FROM contact o JOIN public.contact c USING (id);
-- refused
SELECT upper(email) FROM public.contact;
SET search_path = public, "Odd Schema";
SELECT email FROM contact WHERE id = 1;
-- refused
SELECT upper(email) FROM contact;
BEGIN;
SET LOCAL search_path = "Odd Schema";
SELECT upper(email) FROM contact;
-- error: 42P01
SELECT email FROM auth_user;
ROLLBACK;
SELECT email FROM contact WHERE id = 1;
BEGIN;
SET search_path = "Odd Schema";
SELECT lower(email) FROM contact;
ROLLBACK;
SELECT id, email FROM contact WHERE id = 2;
SELECT set_config('search_path', '"Odd Schema"', false);
SELECT upper(email) FROM contact;
RESET search_path;
-- refused
SELECT c.id FROM contact c JOIN "Odd Schema".contact o ON o.email = c.email;
DROP SCHEMA "Odd Schema" CASCADE;
SET search_path = '';
SELECT email FROM public.contact WHERE id = 1;
-- error: 42P01
SELECT email FROM contact;
RESET search_path;
-- Views over views, with columns renamed, joined and computed.
CREATE VIEW mail_v (who, mail) AS SELECT id, email FROM auth_user WHERE is_active;
CREATE VIEW mail_vv AS SELECT v.mail AS m, o.total FROM mail_v v JOIN orders o ON o.user_id = v.who;
SELECT m, total FROM mail_vv ORDER BY total;
SELECT * FROM mail_vv v JOIN mail_v w ON v.total > w.who ORDER BY v.total, w.who;
SELECT count(m) FROM mail_vv;
-- refused
SELECT m || '' FROM mail_vv;
-- refused: randomized
SELECT total FROM mail_vv WHERE m = 'ada@canary.example' ORDER BY total;
UPDATE mail_v SET mail = 'v3@canary.example' WHERE who = 1 RETURNING who, mail;
-- refused: randomized
DELETE FROM mail_v WHERE mail = 'nobody@canary.example';
SELECT email FROM auth_user WHERE id = 1;
CREATE OR REPLACE VIEW mail_v (who, mail) AS SELECT id, email FROM auth_user;
SELECT count(*), count(m) FROM mail_vv;
-- error: 2BP01
DROP VIEW mail_v;
DROP VIEW mail_v CASCADE;
-- error: 42P01
SELECT * FROM mail_vv;
-- Partitions of a table that is not protected.
CREATE TABLE part (id int, email text, at date) PARTITION BY RANGE (at);
CREATE TABLE part_2024 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE part_rest PARTITION OF part DEFAULT;
INSERT INTO part VALUES (1, 'not protected', '2024-05-05'), (2, 'nor this', '2023-01-01');
SELECT tableoid::regclass::text, upper(email) FROM part ORDER BY id;
SELECT p.id, c.email FROM part p JOIN contact c ON c.id = p.id ORDER BY p.id;
-- refused
INSERT INTO part SELECT id, email FROM contact;
-- refused
SELECT 1 FROM part p JOIN contact c ON c.email = p.email;
ALTER TABLE part DETACH PARTITION part_rest;
SELECT count(*) FROM part;
DROP TABLE part, part_rest;
