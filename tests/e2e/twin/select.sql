-- Reading: what comes back is opened, and described as on a plain table.
SELECT email FROM auth_user WHERE id = 1;
SELECT id, email, first_name, last_name FROM auth_user ORDER BY id;
SELECT * FROM auth_user ORDER BY id;
SELECT u.* FROM auth_user u ORDER BY u.id;
SELECT auth_user.* FROM auth_user ORDER BY auth_user.id;
SELECT public.auth_user.email FROM public.auth_user ORDER BY id;
TABLE newsletter_subscriber;
SELECT email AS mail, first_name "First Name", last_name family FROM auth_user WHERE id < 4 ORDER BY id;
SELECT email, email, email AS again FROM auth_user WHERE id = 2;
SELECT "auth_user"."id", "auth_user"."email" FROM "auth_user" WHERE "auth_user"."id" = 3;
SELECT EMAIL, First_Name FROM AUTH_USER WHERE ID = 1;
SELECT u.email FROM ONLY auth_user AS u WHERE u.id = 1;
SELECT username FROM auth_user ORDER BY username;
SELECT 1 FROM auth_user LIMIT 1;
SELECT id, email FROM auth_user ORDER BY id LIMIT 2 OFFSET 1;
SELECT id, email FROM auth_user ORDER BY id DESC FETCH FIRST 3 ROWS ONLY;
SELECT id, email FROM auth_user ORDER BY username, id;
SELECT id, email FROM auth_user ORDER BY 1 DESC;
-- NULLs and empty strings stay what they are.
SELECT id, email, phone, code, nick FROM contact ORDER BY id;
SELECT id FROM contact WHERE email IS NULL ORDER BY id;
SELECT id FROM contact WHERE email IS NOT NULL ORDER BY id;
SELECT id FROM contact WHERE NOT (phone IS NULL) ORDER BY id;
SELECT id FROM contact WHERE phone ISNULL OR nick NOTNULL ORDER BY id;
SELECT id, email IS NULL AS missing FROM contact ORDER BY id;
SELECT count(*) FROM auth_user;
SELECT count(email) FROM contact;
SELECT count(email), count(phone), count(*), count(code) FILTER (WHERE label = 'work') FROM contact;
SELECT count(*) FROM contact WHERE email IS NOT NULL AND label = 'work';
-- Beside ordinary expressions.
SELECT id + 1, upper(username), email, 'x' || username FROM auth_user WHERE id <= 2 ORDER BY id;
SELECT id, email, CASE WHEN is_staff THEN 'staff' ELSE 'user' END FROM auth_user ORDER BY id;
-- params: 1
SELECT email, $1::int FROM auth_user WHERE id = $1;
-- params: 2, 3
SELECT id, email FROM auth_user WHERE id IN ($1, $2) ORDER BY id;
-- params: '{1,4}'
SELECT id, email FROM auth_user WHERE id = ANY($1::int[]) ORDER BY id;
-- params: 'ada'
SELECT email FROM auth_user WHERE username = $1;
-- params: 'z%'
SELECT email FROM auth_user WHERE username LIKE $1;
-- params: 2
SELECT id, email FROM auth_user ORDER BY id LIMIT $1;
-- Derived tables.
SELECT mail FROM (SELECT email AS mail, id FROM auth_user) AS t ORDER BY id;
SELECT t.* FROM (SELECT id, email, first_name FROM auth_user) t ORDER BY t.id;
SELECT x FROM (SELECT email FROM auth_user WHERE id = 1) AS t (x);
SELECT a.email FROM (SELECT * FROM auth_user WHERE is_active) a WHERE a.id > 2 ORDER BY a.id;
SELECT t.email, t.n FROM (SELECT email, 1 AS n, id FROM contact) t ORDER BY t.id;
-- Views.
SELECT * FROM active_user ORDER BY id;
SELECT email, first_name FROM active_user WHERE id = 1;
SELECT * FROM user_card ORDER BY user_id, spent;
SELECT mail, spent FROM user_card WHERE spent IS NOT NULL ORDER BY user_id, spent;
SELECT * FROM big_order ORDER BY id;
SELECT count(*) FROM active_user;
-- CTEs.
WITH u AS (SELECT id, email FROM auth_user) SELECT * FROM u ORDER BY id;
WITH u (a, b) AS (SELECT id, email FROM auth_user WHERE id < 3) SELECT b FROM u ORDER BY a;
WITH a AS (SELECT id, email FROM auth_user), b AS (SELECT id, email FROM a WHERE id > 1) SELECT email FROM b ORDER BY id;
WITH auth_user AS (SELECT 1 AS id, 'not personal' AS email) SELECT email FROM auth_user;
WITH u AS MATERIALIZED (SELECT * FROM contact) SELECT id, phone FROM u ORDER BY id;
-- Set operations that keep duplicates.
SELECT email FROM auth_user UNION ALL SELECT email FROM newsletter_subscriber;
SELECT id, email FROM auth_user WHERE id = 1 UNION ALL SELECT id, email FROM auth_user WHERE id = 2 ORDER BY 1;
SELECT email FROM contact UNION ALL SELECT NULL;
-- Scalar subqueries in the select list.
SELECT o.id, (SELECT u.email FROM auth_user u WHERE u.id = o.user_id) AS mail FROM orders o ORDER BY o.id;
SELECT (SELECT email FROM auth_user WHERE id = 1);
SELECT (SELECT count(*) FROM contact c WHERE c.user_id = u.id), u.email FROM auth_user u ORDER BY u.id;
-- Locks.
SELECT id, email FROM auth_user WHERE id = 1 FOR UPDATE;
SELECT id, email FROM auth_user u WHERE id = 1 FOR NO KEY UPDATE OF u;
SELECT id, email FROM auth_user WHERE id = 1 FOR SHARE SKIP LOCKED;
SELECT email FROM auth_user WHERE id = 1 FOR KEY SHARE NOWAIT;
-- No rows at all still has columns.
SELECT email, first_name FROM auth_user WHERE false;
SELECT * FROM contact WHERE id = -1;
SELECT email FROM auth_user LIMIT 0;
SELECT FROM auth_user;
-- VALUES and constants beside it.
SELECT u.email, v.n FROM auth_user u JOIN (VALUES (1, 'one'), (2, 'two')) AS v (id, n) ON v.id = u.id ORDER BY u.id;
SELECT u.email FROM auth_user u, generate_series(1, 2) g WHERE u.id = g ORDER BY u.id;
SELECT u.email, l.total FROM auth_user u CROSS JOIN LATERAL (SELECT total FROM orders o WHERE o.user_id = u.id ORDER BY total DESC LIMIT 1) l ORDER BY u.id;
-- Window functions over plain columns.
SELECT id, email, row_number() OVER (ORDER BY id) FROM auth_user ORDER BY id;
SELECT email, count(*) OVER (PARTITION BY is_active) FROM auth_user ORDER BY id;
