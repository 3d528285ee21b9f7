-- What rows are ordered by: ranks of values take the place of protected columns.
-- mode: all
SELECT id, email FROM auth_user ORDER BY email;
SELECT id, email FROM auth_user ORDER BY email ASC;
SELECT id, email FROM auth_user ORDER BY email DESC;
SELECT id FROM auth_user ORDER BY email;
SELECT id FROM auth_user ORDER BY auth_user.email DESC;
SELECT "auth_user"."id", "auth_user"."first_name" FROM "auth_user" ORDER BY "auth_user"."email" ASC LIMIT 3;
SELECT id FROM auth_user ORDER BY email LIMIT 3 OFFSET 2;
SELECT id FROM auth_user ORDER BY email DESC LIMIT 2 OFFSET 6;
SELECT id FROM auth_user ORDER BY email FETCH FIRST 2 ROWS ONLY;
SELECT id FROM auth_user ORDER BY email FETCH FIRST 1 ROW WITH TIES;
SELECT id FROM auth_user ORDER BY email LIMIT 0;
-- params: 2
SELECT id FROM auth_user ORDER BY email LIMIT $1;
SELECT id, last_name, first_name FROM auth_user ORDER BY last_name, first_name, id;
SELECT id FROM auth_user ORDER BY last_name DESC, first_name ASC, id DESC;
SELECT id FROM auth_user ORDER BY is_active, email DESC;
SELECT id FROM auth_user ORDER BY email, id;
SELECT id FROM auth_user ORDER BY last_name, username LIMIT 4;
SELECT id FROM auth_user ORDER BY length(username), last_name DESC, email;
-- NULLs.
SELECT id, email FROM contact ORDER BY email, id;
SELECT id, email FROM contact ORDER BY email DESC, id;
SELECT id, email FROM contact ORDER BY email NULLS FIRST, id;
SELECT id, email FROM contact ORDER BY email DESC NULLS LAST, id DESC;
SELECT id FROM contact ORDER BY phone, nick DESC NULLS LAST, id;
SELECT id FROM contact ORDER BY nick, id;
SELECT id FROM contact WHERE email IS NOT NULL ORDER BY email, id;
SELECT id FROM contact WHERE id < 0 ORDER BY email;
-- Names and positions of output columns.
SELECT email, id FROM auth_user ORDER BY 1;
SELECT id, email FROM auth_user ORDER BY 2 DESC;
SELECT id, email AS mail FROM auth_user ORDER BY mail;
SELECT id, u.email AS "Mail" FROM auth_user u ORDER BY "Mail" DESC, 1;
SELECT id, email AS first_name FROM auth_user ORDER BY first_name;
SELECT id, username AS email FROM auth_user ORDER BY email;
SELECT id, username AS email FROM auth_user ORDER BY auth_user.email;
SELECT id, username AS email FROM auth_user ORDER BY (email);
SELECT id, email AS username FROM auth_user ORDER BY (username) DESC;
SELECT email, id FROM auth_user ORDER BY (1);
SELECT email, email AS again, id FROM auth_user ORDER BY 2, 1;
SELECT email, email, id FROM auth_user ORDER BY email;
SELECT email::text AS e, id FROM auth_user ORDER BY e;
SELECT * FROM auth_user ORDER BY email;
SELECT * FROM auth_user ORDER BY last_name, 1;
SELECT * FROM contact ORDER BY 4, 1;
SELECT u.* FROM auth_user u ORDER BY u.last_name DESC, u.id LIMIT 5;
SELECT u.*, u.email FROM auth_user u ORDER BY email;
SELECT c.*, u.username FROM contact c JOIN auth_user u ON u.id = c.user_id ORDER BY 4 DESC NULLS LAST, 1;
SELECT c.id, c.email, u.email AS other FROM contact c JOIN auth_user u ON u.id = c.user_id ORDER BY c.email, other, c.id;
SELECT c.id, u.email FROM contact c LEFT JOIN auth_user u ON u.id = c.user_id ORDER BY u.email NULLS FIRST, c.id;
-- Expressions over one column.
SELECT id FROM auth_user ORDER BY lower(email), id;
SELECT id FROM auth_user ORDER BY UPPER(last_name) DESC, id;
SELECT id FROM auth_user ORDER BY UPPER("auth_user"."last_name"::text) DESC, "auth_user"."id" ASC;
SELECT id FROM auth_user ORDER BY length(email), email;
SELECT id FROM auth_user ORDER BY length(email) DESC, lower(first_name), id;
SELECT id FROM auth_user ORDER BY substring(email from 2), id;
SELECT id FROM auth_user ORDER BY split_part(email, '@', 2), split_part(email, '@', 1);
SELECT id FROM auth_user ORDER BY email || 'x' DESC;
SELECT id FROM auth_user ORDER BY left(email, 1), id;
SELECT id FROM contact ORDER BY lower(email) DESC NULLS LAST, id;
SELECT id FROM auth_user ORDER BY email LIKE 'b%' DESC, email;
SELECT id FROM contact ORDER BY email IS NULL, email DESC, id;
SELECT id FROM auth_user ORDER BY CASE WHEN email LIKE 'b%' THEN 0 ELSE 1 END, email;
-- With predicates.
-- params: '%canary%'
SELECT id, email FROM auth_user WHERE email ILIKE $1 ORDER BY email DESC LIMIT 4;
-- params: '%bob%', 10
SELECT id FROM auth_user WHERE username ILIKE $1 OR first_name ILIKE $1 OR email ILIKE $1 ORDER BY last_name, first_name, id LIMIT $2;
-- params: 'bob@canary.example'
SELECT id FROM auth_user WHERE email <> $1 ORDER BY email;
SELECT id FROM auth_user WHERE email >= 'b' AND email < 'f' ORDER BY email DESC;
SELECT id FROM auth_user WHERE email > 'bob@canary.example' ORDER BY email LIMIT 2;
-- Sub-queries, CTEs, EXISTS.
SELECT s.e, s.id FROM (SELECT email AS e, id FROM auth_user) s ORDER BY s.e;
SELECT * FROM (SELECT email AS e, id FROM auth_user ORDER BY email DESC LIMIT 3) s ORDER BY e;
WITH c AS (SELECT id, email FROM auth_user WHERE is_active) SELECT id, email FROM c ORDER BY email;
WITH c AS MATERIALIZED (SELECT id, email FROM auth_user ORDER BY email LIMIT 4) SELECT id FROM c ORDER BY email DESC;
SELECT id FROM auth_user WHERE id IN (SELECT id FROM auth_user ORDER BY email LIMIT 3) ORDER BY id;
SELECT u.id, (SELECT c.email FROM contact c WHERE c.user_id = u.id ORDER BY c.email DESC NULLS LAST LIMIT 1) FROM auth_user u ORDER BY u.id;
SELECT u.id, l.email FROM auth_user u, LATERAL (SELECT c.email FROM contact c WHERE c.user_id = u.id ORDER BY c.email NULLS FIRST LIMIT 1) l ORDER BY u.email;
SELECT ARRAY(SELECT email FROM auth_user ORDER BY email);
(SELECT id FROM auth_user ORDER BY email LIMIT 2) UNION ALL (SELECT id FROM contact ORDER BY email DESC, id LIMIT 1);
SELECT id FROM auth_user u WHERE EXISTS (SELECT 1 FROM contact c WHERE c.user_id = u.id ORDER BY c.email) ORDER BY u.email;
-- Windows and aggregates.
SELECT id, row_number() OVER (ORDER BY email) FROM auth_user ORDER BY id;
SELECT id, rank() OVER (ORDER BY last_name), dense_rank() OVER (ORDER BY last_name DESC) AS d FROM auth_user ORDER BY id;
SELECT id, row_number() OVER (PARTITION BY is_active ORDER BY lower(email), id) AS n FROM auth_user ORDER BY n, email;
SELECT id, count(*) OVER w AS c FROM auth_user WINDOW w AS (ORDER BY last_name) ORDER BY last_name, id;
SELECT id, first_value(id) OVER (ORDER BY email ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM auth_user ORDER BY id;
SELECT id, count(*) OVER (ORDER BY last_name GROUPS 1 PRECEDING) FROM auth_user ORDER BY id;
SELECT array_agg(id ORDER BY email) FROM auth_user;
SELECT array_agg(email ORDER BY email DESC) FROM auth_user;
SELECT is_active, string_agg(username, ', ' ORDER BY email DESC) FROM auth_user GROUP BY is_active ORDER BY is_active;
SELECT user_id, array_agg(email ORDER BY email NULLS FIRST, id) FROM contact GROUP BY user_id ORDER BY user_id;
SELECT string_agg(username, ',' ORDER BY last_name, id) FILTER (WHERE email LIKE '%canary%') FROM auth_user;
SELECT id, email FROM auth_user GROUP BY id ORDER BY email;
SELECT DISTINCT ON (is_active) is_active, email FROM auth_user ORDER BY is_active, email DESC;
SELECT DISTINCT ON (user_id) user_id, email, id FROM contact ORDER BY user_id, email NULLS FIRST, id;
SELECT DISTINCT ON (email) email, id FROM contact ORDER BY email, id DESC;
SELECT DISTINCT ON (lower(email)) email, id FROM auth_user ORDER BY lower(email), id;
SELECT DISTINCT ON (1) last_name, id FROM auth_user ORDER BY 1 DESC, 2 DESC;
-- mode: deterministic mixed
SELECT email, count(*) FROM contact GROUP BY email ORDER BY email;
SELECT email, count(*) FROM contact GROUP BY email ORDER BY count(*) DESC, email DESC NULLS LAST;
SELECT email, count(*) FROM contact GROUP BY 1 ORDER BY 1 NULLS FIRST LIMIT 2;
SELECT email, count(*) AS n FROM contact GROUP BY email HAVING count(*) > 1 ORDER BY n, email;
SELECT email, user_id, count(*) FROM contact GROUP BY ROLLUP (email, user_id) ORDER BY email, user_id, count(*);
SELECT email, row_number() OVER (ORDER BY email DESC) FROM contact WHERE email IS NOT NULL GROUP BY email ORDER BY email;
-- mode: all
-- The server's own errors.
-- error: 42803
SELECT user_id, count(*) FROM contact GROUP BY user_id ORDER BY email;
-- error: 42702
SELECT c.id FROM contact c JOIN auth_user u ON u.id = c.user_id ORDER BY email;
-- error: 42703
SELECT id FROM auth_user ORDER BY nothing, email;
-- error: 42P10
SELECT id, email FROM auth_user ORDER BY 3;
-- error: 22012
-- except: W: the server's context lists the parameters that there are
SELECT id, 1 / (id - id) FROM auth_user ORDER BY email;
-- What is written in a transaction has its place.
BEGIN;
INSERT INTO newsletter_subscriber (email) VALUES ('aaa@canary.example'), ('zzz@canary.example'), ('bob2@canary.example');
SELECT id, email FROM newsletter_subscriber ORDER BY email;
SAVEPOINT s;
INSERT INTO newsletter_subscriber (email) VALUES ('bob1@canary.example');
SELECT id, email FROM newsletter_subscriber ORDER BY email DESC;
ROLLBACK TO s;
SELECT id, email FROM newsletter_subscriber ORDER BY email;
UPDATE newsletter_subscriber SET email = 'mmm@canary.example' WHERE id = 4;
SELECT id, email FROM newsletter_subscriber ORDER BY lower(email), id;
COMMIT;
SELECT id, row_number() OVER (ORDER BY email) FROM newsletter_subscriber ORDER BY id;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT id FROM newsletter_subscriber ORDER BY email LIMIT 2;
INSERT INTO newsletter_subscriber (id, email) VALUES (100, 'aab@canary.example');
SELECT id, email FROM newsletter_subscriber ORDER BY email LIMIT 3;
ROLLBACK;
DELETE FROM newsletter_subscriber WHERE id = 5;
SELECT id, email FROM newsletter_subscriber ORDER BY email;
-- Another session writes in between.
-- session: b
INSERT INTO newsletter_subscriber (id, email) VALUES (201, 'ccc@canary.example');
-- session: a
SELECT id, email FROM newsletter_subscriber ORDER BY email;
BEGIN;
SELECT id, email FROM newsletter_subscriber ORDER BY email DESC;
-- session: b
BEGIN;
INSERT INTO newsletter_subscriber (id, email) VALUES (202, 'ccb@canary.example');
-- session: a
SELECT id, email FROM newsletter_subscriber ORDER BY email;
-- session: b
SELECT id, email FROM newsletter_subscriber ORDER BY email;
COMMIT;
-- session: a
SELECT id, email FROM newsletter_subscriber ORDER BY email;
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM orders;
-- session: b
INSERT INTO newsletter_subscriber (id, email) VALUES (203, 'cca@canary.example');
DELETE FROM newsletter_subscriber WHERE id = 201;
SELECT id, email FROM newsletter_subscriber ORDER BY email;
-- session: a
SELECT id, email FROM newsletter_subscriber ORDER BY email;
COMMIT;
SELECT id, email FROM newsletter_subscriber ORDER BY email LIMIT 3 OFFSET 1;
-- What is refused, as it would not be the same.
-- refused
SELECT c.email, u.email FROM contact c JOIN auth_user u ON u.id = c.user_id ORDER BY email;
-- refused
SELECT DISTINCT email FROM newsletter_subscriber ORDER BY email;
-- refused
SELECT email FROM newsletter_subscriber UNION ALL SELECT email FROM newsletter_subscriber ORDER BY email;
-- refused
(SELECT email FROM newsletter_subscriber) ORDER BY email;
-- refused
SELECT id FROM auth_user ORDER BY email FOR UPDATE;
-- refused
SELECT id FROM auth_user ORDER BY email USING <;
-- refused
SELECT id FROM auth_user ORDER BY email COLLATE "C";
-- refused
SELECT id FROM contact ORDER BY code;
-- refused
SELECT array_agg(DISTINCT email ORDER BY email) FROM auth_user;
-- refused
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY email) FROM auth_user;
-- refused
SELECT mode() WITHIN GROUP (ORDER BY email) FROM auth_user;
-- refused
SELECT id, count(*) OVER (ORDER BY email RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM auth_user;
-- refused
SELECT id, count(*) OVER (w RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM auth_user WINDOW w AS (ORDER BY email);
-- refused
SELECT id FROM auth_user ORDER BY first_name || last_name;
-- refused
SELECT id FROM auth_user ORDER BY coalesce(email, '');
-- refused
SELECT id FROM active_user ORDER BY email;
-- refused
UPDATE auth_user SET is_staff = true WHERE id IN (SELECT id FROM auth_user ORDER BY email LIMIT 1);
-- refused
EXPLAIN SELECT id FROM auth_user ORDER BY email;
-- refused
DECLARE c CURSOR FOR SELECT id FROM auth_user ORDER BY email;
