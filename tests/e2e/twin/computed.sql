-- What the server cannot decide on tokens, and pgveil decides on values.
-- mode: all
SELECT id, email FROM auth_user WHERE email LIKE '%canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE email LIKE 'b%' ORDER BY id;
SELECT id FROM auth_user WHERE email ILIKE 'b%' ORDER BY id;
SELECT id FROM auth_user WHERE email NOT LIKE '%@canary%' ORDER BY id;
SELECT id FROM auth_user WHERE email NOT ILIKE 'B%' ORDER BY id;
SELECT count(*) FROM auth_user WHERE email LIKE '%';
SELECT count(*) FROM auth_user WHERE email LIKE '';
SELECT id FROM auth_user WHERE email LIKE '%nothing%';
-- params: '%canary%'
SELECT id, first_name FROM auth_user WHERE email LIKE $1 ORDER BY id;
-- params: '%BOB%'
SELECT id FROM auth_user WHERE UPPER(email::text) LIKE UPPER($1) ORDER BY id;
-- params: null
SELECT id FROM auth_user WHERE email LIKE $1;
-- params: 'bob@canary.example'
SELECT id FROM auth_user WHERE LOWER(email) = LOWER($1) ORDER BY id;
-- params: 'bob@canary.example'
SELECT id FROM auth_user WHERE UPPER("auth_user"."email"::text) = UPPER($1) ORDER BY id;
-- params: 'bob@canary.example'
SELECT id FROM auth_user WHERE lower(email) = $1 ORDER BY id;
SELECT id FROM auth_user WHERE email < 'c' ORDER BY id;
SELECT id FROM auth_user WHERE email >= 'bob@canary.example' AND email <= 'eve@canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE email BETWEEN 'b' AND 'f' ORDER BY id;
SELECT id FROM auth_user WHERE email NOT BETWEEN 'b' AND 'f' ORDER BY id;
SELECT id FROM auth_user WHERE length(email) > 17 ORDER BY id;
SELECT id FROM auth_user WHERE substring(email from 1 for 3) = 'bob' ORDER BY id;
SELECT id FROM auth_user WHERE left(email, 3) IN ('bob', 'ada', 'xxx') ORDER BY id;
SELECT id FROM auth_user WHERE split_part(email, '@', 2) <> 'canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE position('@' in email) = 4 ORDER BY id;
SELECT id FROM auth_user WHERE trim(both 'a' from email) = 'da@canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE email || 'x' = 'bob@canary.examplex' ORDER BY id;
SELECT id FROM contact WHERE email LIKE '%canary%' ORDER BY id;
SELECT id FROM contact WHERE NOT (email LIKE '%canary%') ORDER BY id;
SELECT id FROM contact WHERE (email LIKE '%canary%') IS NULL ORDER BY id;
SELECT id, email LIKE 'a%', email ILIKE 'B%' AS b FROM contact ORDER BY id;
SELECT id, CASE WHEN email LIKE 'a%' THEN email END FROM contact ORDER BY id;
SELECT email LIKE 'a%' AS a, count(*) FROM contact GROUP BY 1 ORDER BY 1 NULLS FIRST;
SELECT count(*) FILTER (WHERE email LIKE 'a%'), count(*) FROM contact;
SELECT user_id FROM contact GROUP BY user_id HAVING bool_or(email LIKE 'a%') ORDER BY user_id;
SELECT id FROM contact WHERE nick LIKE 'trailing%' ORDER BY id;
SELECT id FROM contact WHERE phone LIKE 'tel _anary%' ORDER BY id;
SELECT id FROM auth_user WHERE first_name LIKE '%\\%' ORDER BY id;
SELECT id FROM auth_user WHERE first_name LIKE '%!%%' ESCAPE '!' ORDER BY id;
SELECT id FROM auth_user WHERE last_name LIKE '%''%' ORDER BY id;
-- params: '%canary%', '%canary%', '%canary%'
SELECT count(*) FROM auth_user WHERE UPPER(username::text) LIKE UPPER($1) OR UPPER(first_name::text) LIKE UPPER($2) OR UPPER(email::text) LIKE UPPER($3);
-- params: '%bob%'
SELECT id, username FROM auth_user WHERE username ILIKE $1 OR first_name ILIKE $1 OR last_name ILIKE $1 OR email ILIKE $1 ORDER BY id LIMIT 10;
-- params: '%canary%'
SELECT o.id FROM orders o WHERE o.user_id IN (SELECT u.id FROM auth_user u WHERE u.email LIKE $1 AND u.is_active) ORDER BY o.id;
-- params: '%bob%', 1
SELECT u.id FROM auth_user u WHERE u.email LIKE $1 AND u.id > $2 ORDER BY u.id;
-- params: 1, '%bob%'
SELECT u.id FROM auth_user u WHERE u.id > $1 AND u.email LIKE $2 ORDER BY u.id;
-- params: '%bob%'
SELECT id FROM auth_user WHERE $1::text IS NULL OR email LIKE $1 ORDER BY id;
-- params: null
SELECT id FROM auth_user WHERE $1::text IS NULL OR email LIKE $1 ORDER BY id;
SELECT s.e FROM (SELECT email AS e, id FROM auth_user) s WHERE s.e LIKE 'b%' ORDER BY s.id;
WITH c AS (SELECT id, email FROM auth_user WHERE is_active) SELECT id, email FROM c WHERE email LIKE '%b%' ORDER BY id;
SELECT a.id, b.id FROM auth_user a JOIN contact b ON b.email LIKE 'a%' AND b.user_id = a.id ORDER BY 1, 2;
SELECT a.id FROM auth_user a WHERE EXISTS (SELECT 1 FROM contact c WHERE c.user_id = a.id AND c.email LIKE '%canary%') ORDER BY a.id;
SELECT id FROM contact WHERE email IS DISTINCT FROM lower('ADA@canary.example') ORDER BY id;
SELECT id FROM contact WHERE upper(email) IS DISTINCT FROM 'ADA@CANARY.EXAMPLE' ORDER BY id;
SELECT id FROM auth_user WHERE email::varchar(3) = 'bob' ORDER BY id;
SELECT id FROM auth_user WHERE '%bob%' LIKE email;
SELECT id FROM auth_user WHERE first_name = 'Bob Canaryson' ORDER BY id;
SELECT id FROM auth_user WHERE first_name IN ('Bob Canaryson', 'Ada Canaryson') ORDER BY id;
SELECT id FROM auth_user WHERE first_name <> 'Bob Canaryson' ORDER BY id;
-- Patterns.
SELECT id FROM auth_user WHERE email LIKE '_ob@%' ORDER BY id;
SELECT id FROM auth_user WHERE email LIKE E'%\\\\%' ORDER BY id;
SELECT id FROM auth_user WHERE email LIKE '%\\%' ORDER BY id;
SELECT id FROM auth_user WHERE email LIKE '%@canary.exampl_' AND first_name NOT LIKE '%Zo%' ORDER BY id;
SELECT id FROM auth_user WHERE email ILIKE '%CANARY%' AND NOT email ILIKE 'a%' ORDER BY id;
SELECT id FROM auth_user WHERE first_name ILIKE 'zoË%' ORDER BY id;
SELECT id FROM auth_user WHERE email ILIKE 'Ü%' ORDER BY id;
SELECT id FROM auth_user WHERE first_name LIKE '名%' ORDER BY id;
SELECT id FROM auth_user WHERE last_name LIKE '%🦊' ORDER BY id;
-- refused
SELECT id FROM auth_user WHERE email LIKE 'bob\';
SELECT id FROM auth_user WHERE email LIKE 'b#%%' ESCAPE '#' ORDER BY id;
SELECT id FROM auth_user WHERE email LIKE '%' || 'ob@' || '%' ORDER BY id;
-- params: 'ob@'
SELECT id FROM auth_user WHERE email LIKE '%' || $1 || '%' ORDER BY id;
-- params: 'ob@'
SELECT id FROM auth_user WHERE email LIKE ('%' || $1::text || '%') ORDER BY id;
-- params: 'BOB', '@canary.example'
SELECT id FROM auth_user WHERE lower(email) = lower($1) || $2 ORDER BY id;
-- types: 1043
-- params: 'bob%'
SELECT id FROM auth_user WHERE email LIKE $1 ORDER BY id;
-- types: 25
-- params: 'bob%'
SELECT id FROM auth_user WHERE email ILIKE $1 ORDER BY id;
-- Functions.
SELECT id FROM auth_user WHERE initcap(email) = 'Bob@Canary.Example' ORDER BY id;
SELECT id FROM auth_user WHERE char_length(email) BETWEEN 17 AND 18 ORDER BY id;
SELECT id FROM auth_user WHERE octet_length(email) > length(email) ORDER BY id;
SELECT id FROM auth_user WHERE substr(email, 2, 2) = 'ob' ORDER BY id;
SELECT id FROM auth_user WHERE substring(email, 5) = 'canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE right(email, 3) = 'ple' ORDER BY id;
SELECT id FROM auth_user WHERE left(email, -15) = 'bo' ORDER BY id;
SELECT id FROM auth_user WHERE ltrim(email, 'ab') = 'ob@canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE rtrim(email, 'e') = 'bob@canary.exampl' ORDER BY id;
SELECT id FROM auth_user WHERE btrim(email) <> email ORDER BY id;
SELECT id FROM auth_user WHERE trim(leading 'b' from email) LIKE 'o%' ORDER BY id;
SELECT id FROM auth_user WHERE trim(trailing from last_name) = 'Canaryson' ORDER BY id;
SELECT id FROM auth_user WHERE strpos(email, '@') > 4 ORDER BY id;
SELECT id FROM auth_user WHERE replace(email, '@canary.example', '') = 'eve' ORDER BY id;
SELECT id FROM auth_user WHERE reverse(email) LIKE 'elp%' ORDER BY id;
SELECT id FROM auth_user WHERE md5(email) = md5('bob@canary.example') ORDER BY id;
SELECT id FROM auth_user WHERE split_part(email, '@', -1) = 'canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE upper(left(email, 1)) || lower(substr(email, 2)) = 'Bob@canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE CAST(email AS varchar(4)) = 'eve@' ORDER BY id;
SELECT id FROM auth_user WHERE pg_catalog.lower(email) = 'bob@canary.example' ORDER BY id;
-- refused
SELECT id FROM auth_user WHERE substr(email, 1, -1) = 'x';
-- Three-valued logic.
SELECT id FROM contact WHERE (email LIKE 'a%') IS TRUE ORDER BY id;
SELECT id FROM contact WHERE (email LIKE 'a%') IS NOT TRUE ORDER BY id;
SELECT id FROM contact WHERE (email LIKE 'a%') IS FALSE ORDER BY id;
SELECT id FROM contact WHERE (email LIKE 'a%') IS UNKNOWN ORDER BY id;
SELECT id FROM contact WHERE email LIKE 'a%' OR phone LIKE 'tel%' OR nick LIKE 'C%' ORDER BY id;
SELECT id FROM contact WHERE email LIKE 'a%' AND (phone IS NULL OR phone LIKE 'tel%') ORDER BY id;
SELECT id FROM contact WHERE NOT (email LIKE 'a%' OR label LIKE 'w%') ORDER BY id;
SELECT id FROM contact WHERE (email LIKE 'a%') = (phone LIKE 'tel%') ORDER BY id;
SELECT id FROM contact WHERE COALESCE(email LIKE 'a%', true) ORDER BY id;
SELECT id FROM contact WHERE CASE WHEN email LIKE 'a%' THEN label = 'work' ELSE label = 'home' END ORDER BY id;
SELECT id FROM contact WHERE lower(nick) IN ('canaryson the first', '', NULL) ORDER BY id;
SELECT id FROM contact WHERE lower(nick) NOT IN ('canaryson the first', 'x') ORDER BY id;
SELECT id FROM contact WHERE lower(email) IS NOT DISTINCT FROM 'ada@canary.example' ORDER BY id;
SELECT id FROM contact WHERE upper(email) IS DISTINCT FROM NULL ORDER BY id;
-- params: null
SELECT id FROM contact WHERE lower(email) = lower($1);
-- Elsewhere in a statement.
SELECT id, email LIKE 'b%' AS starts, length(username) FROM auth_user ORDER BY starts DESC, id;
SELECT bool_and(email LIKE '%@%'), bool_or(email LIKE '%@%') FROM auth_user;
SELECT sum(CASE WHEN email LIKE '%canary%' THEN 1 ELSE 0 END) FROM auth_user;
SELECT is_active, count(*) FROM auth_user WHERE email LIKE '%@canary.example' GROUP BY is_active HAVING count(*) > 1 ORDER BY 1;
SELECT u.id, c.id FROM auth_user u LEFT JOIN contact c ON c.user_id = u.id AND c.email LIKE 'a%' ORDER BY 1, 2;
SELECT u.id FROM auth_user u, LATERAL (SELECT 1 FROM contact c WHERE c.user_id = u.id AND c.email LIKE '%@canary.example' LIMIT 1) l ORDER BY u.id;
SELECT id FROM auth_user WHERE email LIKE 'a%' UNION ALL SELECT id FROM auth_user WHERE email LIKE 'b%' ORDER BY 1;
SELECT id FROM auth_user WHERE email LIKE '%canary%' EXCEPT SELECT user_id FROM contact WHERE email LIKE 'a%' ORDER BY 1;
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r WHERE EXISTS (SELECT 1 FROM auth_user WHERE id = n AND email LIKE '%b%') ORDER BY n;
SELECT DISTINCT is_active FROM auth_user WHERE email LIKE '%canary%' ORDER BY 1;
SELECT email FROM auth_user WHERE email LIKE 'ada%';
SELECT * FROM newsletter_subscriber WHERE email LIKE 'ada%';
SELECT a.* FROM auth_user a WHERE a.email LIKE 'eve%';
SELECT count(*) FROM auth_user u JOIN auth_user v ON u.is_active = v.is_active AND u.id < v.id WHERE u.email LIKE 'b%';
SELECT (SELECT count(*) FROM contact c WHERE c.user_id = u.id AND c.email LIKE '%canary%') AS n FROM auth_user u ORDER BY u.id;
SELECT id FROM "auth_user" AS "U" WHERE "U"."email" LIKE 'b%' AND "U".id > 0 ORDER BY "U".id LIMIT 1 OFFSET 1;
TABLE orders;
-- A cursor, a named statement.
-- refused
DECLARE c CURSOR FOR SELECT id FROM auth_user WHERE email LIKE 'b%';
-- refused
PREPARE p AS SELECT id FROM auth_user WHERE email LIKE $1;
-- In a transaction, with what it has written itself.
BEGIN;
INSERT INTO newsletter_subscriber (email, confirmed) VALUES ('new1@canary.example', true);
SELECT email FROM newsletter_subscriber WHERE email LIKE 'new%' ORDER BY id;
SAVEPOINT s;
INSERT INTO newsletter_subscriber (email, confirmed) VALUES ('new2@canary.example', true);
SELECT email FROM newsletter_subscriber WHERE email LIKE 'new%' ORDER BY id;
ROLLBACK TO s;
SELECT email FROM newsletter_subscriber WHERE email LIKE 'new%' ORDER BY id;
COMMIT;
SELECT email FROM newsletter_subscriber WHERE email LIKE 'new%' ORDER BY id;
UPDATE newsletter_subscriber SET email = 'newer@canary.example' WHERE id = 4;
SELECT email FROM newsletter_subscriber WHERE email LIKE 'newe%' ORDER BY id;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM newsletter_subscriber WHERE email LIKE 'n%';
INSERT INTO newsletter_subscriber (email) VALUES ('nn@canary.example');
SELECT email FROM newsletter_subscriber WHERE email LIKE 'n%' ORDER BY id;
ROLLBACK;
DELETE FROM newsletter_subscriber WHERE id = 4;
SELECT email FROM newsletter_subscriber WHERE email LIKE 'newe%' ORDER BY id;
-- Another session writes in between.
-- session: b
INSERT INTO newsletter_subscriber (id, email) VALUES (7, 'other1@canary.example');
-- session: a
SELECT email FROM newsletter_subscriber WHERE email LIKE 'other%' ORDER BY id;
BEGIN;
SELECT email FROM newsletter_subscriber WHERE email LIKE 'other%' ORDER BY id;
-- session: b
BEGIN;
INSERT INTO newsletter_subscriber (id, email) VALUES (8, 'other2@canary.example');
-- session: a
SELECT email FROM newsletter_subscriber WHERE email LIKE 'other%' ORDER BY id;
-- session: b
COMMIT;
-- session: a
SELECT email FROM newsletter_subscriber WHERE email LIKE 'other%' ORDER BY id;
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM orders;
-- session: b
INSERT INTO newsletter_subscriber (id, email) VALUES (9, 'other3@canary.example');
DELETE FROM newsletter_subscriber WHERE id = 7;
SELECT email FROM newsletter_subscriber WHERE email LIKE 'other%' ORDER BY id;
-- session: a
SELECT email FROM newsletter_subscriber WHERE email LIKE 'other%' ORDER BY id;
COMMIT;
SELECT email FROM newsletter_subscriber WHERE email LIKE 'other%' ORDER BY id;
-- An error of the statement's own.
-- error: 22012
-- except: W: the server's context lists the parameters that there are
SELECT id, 1 / (id - id) FROM auth_user WHERE email LIKE 'b%';
SELECT id FROM auth_user WHERE email LIKE 'b%' ORDER BY id;
-- What is not computed yet.
-- refused
UPDATE auth_user SET is_active = false WHERE email LIKE 'zzz%';
-- refused
SELECT id FROM auth_user WHERE email LIKE 'b%' FOR UPDATE;
-- refused
SELECT upper(email) FROM auth_user;
-- refused
SELECT id FROM auth_user WHERE first_name || last_name LIKE '%a%';
-- only: simple
-- refused
SELECT 1; SELECT id FROM auth_user WHERE email LIKE 'b%';
