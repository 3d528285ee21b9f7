-- DISTINCT, GROUP BY, HAVING, aggregates, set operations, partitions.
SELECT is_active, count(email) FROM auth_user GROUP BY is_active ORDER BY is_active;
SELECT DISTINCT is_active FROM auth_user ORDER BY is_active;
SELECT user_id, count(*), count(phone) FROM contact GROUP BY user_id ORDER BY user_id;
SELECT label FROM contact GROUP BY label HAVING count(email) > 1 ORDER BY label;
-- By a primary key, other columns need no aggregate.
SELECT id, email, first_name FROM auth_user GROUP BY id ORDER BY id;
SELECT u.email, count(o.id), sum(o.total) FROM auth_user u LEFT JOIN orders o ON o.user_id = u.id GROUP BY u.id ORDER BY u.id;
-- mode: deterministic
SELECT DISTINCT last_name FROM auth_user;
SELECT DISTINCT first_name, last_name FROM auth_user;
SELECT DISTINCT email, phone FROM contact;
SELECT DISTINCT u.* FROM auth_user u JOIN orders o ON o.user_id = u.id;
SELECT DISTINCT ON (last_name) last_name, id FROM auth_user WHERE id = 2;
SELECT count(DISTINCT last_name) FROM auth_user;
SELECT count(DISTINCT email), count(DISTINCT phone) FROM contact;
SELECT last_name, count(*) FROM auth_user GROUP BY last_name;
SELECT last_name AS family, count(*) AS n FROM auth_user GROUP BY family;
SELECT last_name, count(*) FROM auth_user GROUP BY 1;
SELECT count(*) FROM auth_user GROUP BY last_name, first_name;
SELECT last_name, is_active, count(*) FROM auth_user GROUP BY last_name, is_active;
SELECT email FROM contact GROUP BY email HAVING count(*) > 1;
SELECT email, count(*) FROM contact GROUP BY email HAVING email IS NOT NULL ORDER BY count(*) DESC, max(id);
SELECT last_name FROM auth_user GROUP BY last_name HAVING last_name = 'Canaryson';
SELECT last_name, max(id), min(username), bool_or(is_active) FROM auth_user GROUP BY last_name ORDER BY max(id);
SELECT count(*) FROM (SELECT DISTINCT email FROM contact) t;
SELECT count(*) FROM (SELECT email FROM contact GROUP BY email HAVING count(*) > 1) t;
SELECT email FROM auth_user UNION SELECT email FROM newsletter_subscriber;
SELECT email FROM auth_user INTERSECT SELECT email FROM newsletter_subscriber;
SELECT email FROM auth_user EXCEPT SELECT email FROM newsletter_subscriber;
SELECT email FROM contact EXCEPT ALL SELECT email FROM newsletter_subscriber;
SELECT email FROM contact INTERSECT ALL SELECT email FROM auth_user;
SELECT email FROM auth_user UNION SELECT 'literal@canary.example';
SELECT 'literal@canary.example' UNION SELECT email FROM auth_user;
SELECT email FROM auth_user UNION SELECT NULL;
(SELECT email FROM auth_user WHERE id = 1) UNION (SELECT email FROM contact) UNION ALL (SELECT email FROM newsletter_subscriber);
SELECT first_name FROM auth_user UNION SELECT last_name FROM auth_user;
SELECT email, count(*) OVER (PARTITION BY email) FROM contact ORDER BY id;
SELECT id, row_number() OVER (PARTITION BY last_name ORDER BY id) FROM auth_user ORDER BY id;
SELECT id, lag(email) OVER (ORDER BY id) FROM auth_user ORDER BY id;
SELECT last_name, array_agg(id ORDER BY id) FROM auth_user GROUP BY last_name;
SELECT email, phone, count(*) FROM contact GROUP BY GROUPING SETS ((email), (phone), ());
SELECT last_name, count(*) FROM auth_user GROUP BY ROLLUP (last_name);
WITH t AS (SELECT DISTINCT email FROM contact) SELECT count(*) FROM t;
WITH RECURSIVE r AS (SELECT id, email FROM auth_user WHERE id = 1 UNION ALL SELECT u.id, u.email FROM auth_user u JOIN r ON u.id = r.id + 1) SELECT id, email FROM r ORDER BY id;
-- refused
SELECT email FROM auth_user UNION SELECT phone FROM contact;
-- refused
SELECT email FROM auth_user UNION ALL SELECT username FROM auth_user;
-- refused
SELECT email FROM auth_user UNION SELECT name FROM tag;
-- mode: randomized
-- refused
SELECT DISTINCT last_name FROM auth_user;
-- refused
SELECT DISTINCT * FROM contact;
-- refused
SELECT count(DISTINCT email) FROM contact;
-- refused
SELECT last_name, count(*) FROM auth_user GROUP BY last_name;
-- refused
SELECT email FROM contact GROUP BY email HAVING count(*) > 1;
-- refused
SELECT email FROM auth_user UNION SELECT email FROM newsletter_subscriber;
-- refused
SELECT email FROM auth_user INTERSECT SELECT email FROM newsletter_subscriber;
-- refused
SELECT count(*) OVER (PARTITION BY email) FROM contact;
-- refused
SELECT DISTINCT ON (email) id FROM contact;
