-- Set operations, windows and grouping over protected values.
-- mode: all
-- UNION ALL needs no equality.
-- error: 0A000
SELECT id, email FROM contact UNION ALL SELECT id, email FROM newsletter_subscriber ORDER BY id, 2 IS NULL LIMIT 1;
SELECT 'u' AS kind, id, email FROM auth_user UNION ALL SELECT 'c', id, email FROM contact ORDER BY kind, id;
SELECT t.email FROM (SELECT id, email FROM auth_user UNION ALL SELECT id + 100, email FROM contact) t ORDER BY t.id;
SELECT count(*), count(email) FROM (SELECT email FROM auth_user UNION ALL SELECT email FROM contact) t;
SELECT id, email FROM auth_user UNION ALL SELECT id, NULL FROM contact ORDER BY id LIMIT 0;
SELECT id, 'constant@canary.example' FROM tag, auth_user WHERE name = 'new' UNION ALL SELECT id, email FROM auth_user WHERE id = 1 ORDER BY 1 DESC LIMIT 3;
SELECT email FROM auth_user WHERE id = 1 UNION ALL VALUES ('values@canary.example');
(SELECT email FROM auth_user ORDER BY id LIMIT 1) UNION ALL (SELECT email FROM contact ORDER BY id OFFSET 4);
WITH everyone AS (SELECT email, id FROM auth_user UNION ALL SELECT email, id FROM contact) SELECT count(email) FROM everyone WHERE id > 2;
SELECT u.id FROM auth_user u WHERE EXISTS (SELECT email FROM contact WHERE user_id = u.id UNION ALL SELECT email FROM newsletter_subscriber WHERE id = u.id) ORDER BY u.id;
-- UNION, INTERSECT and EXCEPT do.
-- refused: randomized
SELECT email FROM contact UNION SELECT email FROM contact;
-- refused: randomized
SELECT count(*) FROM (SELECT email FROM contact EXCEPT SELECT NULL) t;
-- refused: randomized
SELECT count(*) FROM (SELECT email FROM contact INTERSECT SELECT 'ada@canary.example') t;
-- refused: randomized
SELECT email, label FROM contact UNION SELECT email, 'work' FROM auth_user;
-- refused: randomized
SELECT email FROM auth_user UNION SELECT email FROM contact EXCEPT SELECT email FROM newsletter_subscriber;
-- refused: randomized
SELECT email FROM auth_user EXCEPT (SELECT email FROM contact INTERSECT SELECT email FROM newsletter_subscriber);
-- refused: randomized
SELECT count(*) FROM (SELECT email FROM auth_user INTERSECT SELECT email FROM contact) t;
-- refused: randomized
SELECT id FROM auth_user WHERE email IN (SELECT email FROM contact UNION SELECT email FROM newsletter_subscriber) ORDER BY id;
-- refused: randomized
VALUES ('ada@canary.example') INTERSECT SELECT email FROM contact;
-- refused: randomized
-- params: 'ada@canary.example'
SELECT $1 UNION SELECT email FROM newsletter_subscriber;
-- refused: randomized
SELECT email::text FROM auth_user INTERSECT SELECT email FROM contact;
-- refused
SELECT email FROM auth_user UNION SELECT email FROM contact ORDER BY email;
-- refused
SELECT email FROM auth_user UNION ALL SELECT email FROM contact ORDER BY 1;
-- refused
SELECT email FROM auth_user UNION ALL SELECT upper(username) FROM auth_user;
-- refused
SELECT id, email FROM auth_user UNION ALL SELECT id, note FROM orders;
-- refused
SELECT email FROM auth_user UNION ALL SELECT id FROM auth_user;
-- error: 42601
SELECT email FROM auth_user EXCEPT SELECT id, email FROM contact;
-- Windows: partitions by value, frames, neighbours.
SELECT id, email, rank() OVER (ORDER BY is_active, id) FROM auth_user ORDER BY id;
SELECT id, lead(email, 2) OVER (ORDER BY id), lag(email) OVER (PARTITION BY is_active ORDER BY id) FROM auth_user ORDER BY id;
SELECT id, first_value(email) OVER w, last_value(email) OVER w, nth_value(email, 2) OVER w FROM contact WINDOW w AS (ORDER BY id) ORDER BY id;
SELECT id, first_value(email) OVER (PARTITION BY user_id ORDER BY id DESC) FROM contact ORDER BY id;
SELECT id, count(email) OVER (), count(phone) OVER (ORDER BY id), count(email) FILTER (WHERE id > 2) OVER (ORDER BY id) FROM contact ORDER BY id;
SELECT id, last_value(code) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) FROM contact ORDER BY id;
SELECT t.id, t.email FROM (SELECT id, email, row_number() OVER (PARTITION BY user_id ORDER BY id DESC) AS n FROM contact) t WHERE t.n = 1 ORDER BY t.id;
SELECT o.id, sum(o.total) OVER (PARTITION BY u.id ORDER BY o.id), u.email FROM orders o JOIN auth_user u ON u.id = o.user_id ORDER BY o.id;
-- refused: randomized
SELECT id, count(*) OVER (PARTITION BY email), row_number() OVER (PARTITION BY email ORDER BY id) FROM contact ORDER BY id;
-- refused: randomized
SELECT id, sum(id) OVER w FROM contact WINDOW w AS (PARTITION BY email, label ORDER BY id) ORDER BY id;
-- refused: randomized
SELECT t.id FROM (SELECT id, row_number() OVER (PARTITION BY email ORDER BY id) AS n FROM contact) t WHERE t.n > 1 ORDER BY t.id;
-- refused: randomized
SELECT id, first_value(id) OVER (PARTITION BY email IS NULL, email ORDER BY id) FROM contact ORDER BY id;
-- refused: randomized
SELECT email, count(*), sum(count(*)) OVER () FROM contact GROUP BY email;
-- refused
SELECT id, dense_rank() OVER (PARTITION BY id ORDER BY email) FROM contact;
-- refused
SELECT id, max(email) OVER (ORDER BY id) FROM contact;
-- refused: randomized
SELECT id, lag(email) OVER (ORDER BY id) = email FROM contact ORDER BY id;
-- refused: randomized
DELETE FROM contact WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY email ORDER BY id) AS n FROM contact WHERE email IS NOT NULL) d WHERE d.n > 1) RETURNING id, email;
-- Grouping by value.
-- refused: randomized
SELECT email, label, count(*) FROM contact GROUP BY CUBE (email, label);
-- refused: randomized
SELECT email, grouping(email), count(*) FROM contact GROUP BY ROLLUP (email);
-- refused: randomized
SELECT u.email, count(c.id) FROM auth_user u LEFT JOIN contact c ON c.email = u.email GROUP BY u.email HAVING count(c.id) > 0;
-- refused: randomized
SELECT email = 'ada@canary.example' AS is_ada, count(*) FROM contact GROUP BY 1 ORDER BY 1;
-- refused: randomized
SELECT COALESCE(email, 'none@canary.example') AS m, count(*) FROM contact GROUP BY COALESCE(email, 'none@canary.example');
-- refused: randomized
SELECT m, count(*) FROM (SELECT email AS m FROM contact UNION ALL SELECT email FROM auth_user) t GROUP BY m HAVING count(*) > 1;
-- refused: randomized
SELECT email FROM contact GROUP BY email HAVING email IN ('ada@canary.example', 'bob@canary.example') AND count(*) >= 1;
-- refused: randomized
SELECT DISTINCT ON (email) email IS NULL FROM contact WHERE email IS NULL;
-- refused: randomized
SELECT DISTINCT email, is_active FROM auth_user LIMIT 100;
-- refused: randomized
SELECT array_agg(DISTINCT email) IS NULL, count(DISTINCT email) FILTER (WHERE label = 'work') FROM contact;
-- refused: randomized mixed
SELECT first_name, last_name, count(*) FROM auth_user GROUP BY first_name, last_name HAVING count(*) > 1;
-- error: 42803
SELECT email, label FROM contact GROUP BY label;
-- error: 42803
SELECT email FROM contact WHERE count(*) > 1;
-- error: 42P20
SELECT email FROM contact WHERE row_number() OVER () = 1;
