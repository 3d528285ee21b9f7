-- WITH: recursive, materialized or not, with statements that write.
-- mode: all
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT n.i, u.email FROM n JOIN auth_user u ON u.id = n.i ORDER BY n.i;
WITH RECURSIVE chain AS (SELECT id, email, 1 AS depth FROM auth_user WHERE id = 1 UNION ALL SELECT u.id, u.email, c.depth + 1 FROM auth_user u JOIN chain c ON u.id = c.id * 2) SELECT depth, email FROM chain ORDER BY depth;
WITH RECURSIVE c (i, mail) AS (SELECT 1, email FROM contact WHERE id = 1 UNION ALL SELECT i + 1, mail FROM c WHERE i < 4) SELECT i, mail FROM c ORDER BY i;
WITH RECURSIVE c AS (SELECT id, user_id FROM contact WHERE id = 4 UNION SELECT c2.id, c2.user_id FROM contact c2 JOIN c ON c2.id = c.id - 1) SELECT c.id, k.email FROM c JOIN contact k USING (id) ORDER BY c.id;
-- refused: randomized
WITH RECURSIVE same AS (SELECT id, email FROM contact WHERE id = 1 UNION SELECT c.id, c.email FROM contact c JOIN same s ON s.email = c.email) SELECT id, email FROM same ORDER BY id;
-- refused
WITH RECURSIVE path AS (SELECT id, email::text AS p FROM auth_user WHERE id = 1 UNION ALL SELECT u.id, path.p || u.email FROM auth_user u JOIN path ON u.id = path.id + 1) SELECT p FROM path;
WITH a AS MATERIALIZED (SELECT id, email FROM auth_user), b AS NOT MATERIALIZED (SELECT * FROM a WHERE id < 4) SELECT b.email FROM b ORDER BY b.id;
WITH a AS (WITH b AS (SELECT id, phone FROM contact) SELECT * FROM b WHERE phone IS NOT NULL) SELECT id, phone FROM a ORDER BY id;
WITH auth_user AS (SELECT id, email AS username FROM auth_user) SELECT username FROM auth_user ORDER BY id;
WITH contact AS (SELECT 1 AS id), c AS (SELECT * FROM public.contact) SELECT c.email FROM c JOIN contact USING (id);
WITH u AS (SELECT id, email FROM auth_user) SELECT (SELECT email FROM u WHERE u.id = o.user_id), o.total FROM orders o ORDER BY o.id;
WITH u (i, "E-Mail") AS (SELECT id, email FROM auth_user) SELECT "E-Mail", u."E-Mail" IS NULL FROM u ORDER BY i;
WITH u AS (TABLE contact) SELECT u.code, u.nick FROM u ORDER BY u.id;
WITH v (id, mail) AS (VALUES (1, 'v1@canary.example'), (2, 'v2@canary.example')) UPDATE contact SET email = v.mail FROM v WHERE v.id = contact.id RETURNING contact.id, contact.email;
-- refused: randomized
WITH v (mail) AS (VALUES ('v1@canary.example'), ('nobody@canary.example')) SELECT c.id, c.email FROM contact c JOIN v ON v.mail = c.email ORDER BY c.id;
-- refused: randomized
WITH wanted AS (SELECT email FROM newsletter_subscriber WHERE confirmed) SELECT id FROM auth_user WHERE email IN (SELECT email FROM wanted) ORDER BY id;
-- refused: randomized
WITH twice AS (SELECT email FROM contact WHERE email IS NOT NULL) SELECT a.email FROM twice a JOIN twice b ON a.email = b.email;
-- refused
WITH u AS (SELECT email AS e FROM auth_user) SELECT e FROM u WHERE e LIKE 'a%';
-- refused
WITH u AS (SELECT lower(email) AS e FROM auth_user) SELECT count(*) FROM u;
-- except: D, H: the server looks for names that come later
-- error: 42P01
WITH a AS (SELECT email FROM b), b AS (SELECT email FROM auth_user) SELECT * FROM a;
-- error: 42712
WITH a AS (SELECT 1), a AS (SELECT email FROM contact) SELECT * FROM a;
-- refused
WITH a (x, y) AS (SELECT email FROM contact) SELECT * FROM a;
-- Data-modifying.
WITH i AS (INSERT INTO contact (email, phone) VALUES ('w1@canary.example', 'tel Canaryson 71'), ('w2@canary.example', NULL) RETURNING id, email, phone) SELECT email, phone FROM i ORDER BY id;
WITH u AS (UPDATE contact SET phone = 'tel Canaryson 72' WHERE id IN (1, 2) RETURNING *) SELECT u.phone, u.email, a.email FROM u LEFT JOIN auth_user a ON a.id = u.user_id ORDER BY u.id;
WITH d AS (DELETE FROM contact WHERE id = 3 RETURNING *) SELECT count(*), count(email) FROM d;
WITH d AS (DELETE FROM contact WHERE id = 2 RETURNING user_id, email, phone) INSERT INTO contact (user_id, email, phone, label) SELECT user_id, email, phone, 'moved' FROM d RETURNING id > 2, email, phone, label;
WITH a AS (INSERT INTO orders (user_id, total) VALUES (2, 8) RETURNING user_id, total), b AS (UPDATE contact SET label = 'paid' FROM a WHERE contact.user_id = a.user_id RETURNING contact.email) SELECT a.total, b.email FROM a, b;
WITH up AS (INSERT INTO contact (id, email) VALUES (1, 'w3@canary.example') ON CONFLICT (id) DO UPDATE SET email = excluded.email RETURNING id, email) SELECT up.email, c.email AS before FROM up JOIN contact c ON c.id = up.id;
-- params: 'w4@canary.example', 1
WITH up AS (UPDATE contact SET email = $1 WHERE id = $2 RETURNING user_id, email) SELECT u.username, up.email FROM up JOIN auth_user u ON u.id = up.user_id;
WITH kept AS (SELECT max(id) AS id FROM contact) DELETE FROM contact USING kept WHERE contact.id = kept.id RETURNING contact.email;
WITH RECURSIVE t (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM t WHERE i < 3) INSERT INTO contact (user_id, email) SELECT i, 'w5@canary.example' FROM t RETURNING user_id, email;
-- refused: randomized
WITH d AS (DELETE FROM newsletter_subscriber WHERE email = 'ada@canary.example' RETURNING email) SELECT u.id, d.email FROM d JOIN auth_user u ON u.email = d.email;
-- refused: randomized
WITH s AS (SELECT id FROM contact WHERE email = 'w5@canary.example'), i AS (INSERT INTO contact (email) SELECT 'w6@canary.example' WHERE NOT EXISTS (SELECT 1 FROM s) RETURNING id) SELECT count(*) FROM (SELECT id FROM s UNION ALL SELECT id FROM i) t;
-- refused
WITH d AS (DELETE FROM contact RETURNING email) INSERT INTO tag (name) SELECT email FROM d;
-- refused
WITH d AS (DELETE FROM contact RETURNING lower(email) AS e) SELECT e FROM d;
-- error: 0A000
SELECT * FROM (WITH d AS (DELETE FROM contact RETURNING email) SELECT * FROM d) t;
SELECT * FROM contact ORDER BY id;
