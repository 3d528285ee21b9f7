-- NULL, in every place where it decides.
-- mode: all
SELECT id FROM contact WHERE email IS NULL AND phone IS NULL ORDER BY id;
SELECT id FROM contact WHERE email IS NULL <> (phone IS NULL) ORDER BY id;
SELECT id FROM contact WHERE (email IS NULL) = (nick IS NULL) ORDER BY id;
SELECT id FROM contact WHERE (email IS NOT NULL) IS TRUE ORDER BY id;
SELECT id FROM contact WHERE (email IS NULL) IS NOT FALSE ORDER BY id;
SELECT id FROM contact ORDER BY email IS NULL, id;
SELECT id FROM contact ORDER BY (phone IS NOT NULL) DESC, id;
SELECT email IS NULL AS missing, count(*) FROM contact GROUP BY email IS NULL ORDER BY 1;
SELECT email IS NULL, phone IS NULL, count(*) FROM contact GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FILTER (WHERE email IS NULL), count(email), count(*) - count(email) FROM contact;
SELECT bool_and(email IS NOT NULL), bool_or(email IS NULL), every(id > 0) FROM contact;
SELECT sum((email IS NULL)::int), max(CASE WHEN email IS NULL THEN id END) FROM contact;
SELECT id, num_nulls(label, user_id), email FROM contact ORDER BY id;
SELECT user_id, count(*) FROM contact GROUP BY user_id HAVING count(phone) = 0 ORDER BY user_id NULLS FIRST;
-- The empty string is no NULL.
SELECT id, code, nick, phone FROM contact WHERE phone IS NOT NULL AND nick IS NOT NULL ORDER BY id;
-- Comparisons with NULL are unknown.
-- refused: randomized
SELECT id, email = 'ada@canary.example' IS NULL AS b FROM contact ORDER BY id;
-- refused: randomized
SELECT id, (email = 'ada@canary.example') IS UNKNOWN FROM contact ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE (email = 'ada@canary.example') IS NOT TRUE ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE (email <> 'ada@canary.example') IS NOT FALSE ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE NOT (email = 'ada@canary.example' AND NULL) ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = 'ada@canary.example' OR NULL ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email NOT IN (SELECT email FROM contact WHERE id = 3) ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email IN (SELECT email FROM contact WHERE id IN (1, 3)) ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email <> ALL (SELECT c.email FROM contact c WHERE c.email IS NOT NULL AND c.id > 3) ORDER BY id;
-- refused: randomized
SELECT id, email IN ('ada@canary.example', NULL), email NOT IN ('ada@canary.example', NULL) FROM contact ORDER BY id;
-- refused: randomized
SELECT a.id, b.id FROM contact a JOIN contact b ON a.email IS NOT DISTINCT FROM b.email ORDER BY 1, 2;
-- refused: randomized
SELECT a.id, b.id FROM contact a JOIN contact b ON a.email IS DISTINCT FROM b.email AND a.id < b.id ORDER BY 1, 2;
SELECT id FROM contact WHERE (email, id) = (NULL, 3) OR (email, id) IS NULL ORDER BY id;
SELECT id FROM contact WHERE (email, id) IS DISTINCT FROM (NULL, 3) ORDER BY id;
-- refused: randomized
-- params: null
SELECT id FROM contact WHERE email IN ($1, 'ada@canary.example') ORDER BY id;
-- refused: randomized extended
-- params: null
SELECT id FROM contact WHERE email <> $1 ORDER BY id;
-- refused: randomized extended
-- params: null
SELECT id FROM contact WHERE email IS DISTINCT FROM $1 ORDER BY id;
-- An optional filter: a parameter that is tested, and compared.
-- refused: randomized extended
-- params: null
SELECT id FROM contact WHERE $1::varchar IS NULL OR email = $1::varchar ORDER BY id;
-- refused: randomized
-- params: '{NULL}'
SELECT id FROM contact WHERE email = ANY($1::varchar[]) IS UNKNOWN ORDER BY id;
-- refused: randomized extended
-- params: null
SELECT id FROM contact WHERE email = ANY($1::varchar[]) ORDER BY id;
-- COALESCE, NULLIF and CASE with NULLs.
SELECT id, COALESCE(email, NULL, 'third@canary.example') FROM contact ORDER BY id;
SELECT count(COALESCE(NULL, email)) FROM contact;
SELECT id, COALESCE(email) IS NULL FROM contact ORDER BY id;
SELECT c.id, COALESCE(c.email, u.email) FROM contact c LEFT JOIN auth_user u ON u.id = c.user_id ORDER BY c.id;
SELECT id, CASE WHEN email IS NULL THEN 'none' ELSE label END FROM contact ORDER BY id;
SELECT id, CASE WHEN id > 3 THEN NULL ELSE email END, CASE WHEN false THEN email END FROM contact ORDER BY id;
SELECT id, NULLIF(email, NULL) FROM contact ORDER BY id;
-- refused: randomized
SELECT c.id, NULLIF(c.email, u.email) FROM contact c JOIN auth_user u ON u.id = c.user_id ORDER BY c.id;
-- refused: randomized
SELECT id FROM contact WHERE COALESCE(email, '') <> '' ORDER BY id;
-- Outer joins make NULLs of columns that have none.
SELECT t.name, u.email FROM tag t LEFT JOIN auth_user u ON u.id = t.weight ORDER BY t.name;
SELECT t.name, u.email IS NULL FROM tag t LEFT JOIN auth_user u ON u.id = t.weight WHERE u.email IS NULL ORDER BY t.name;
SELECT t.name, count(u.email) FROM tag t LEFT JOIN auth_user u ON u.id = t.weight GROUP BY t.name ORDER BY t.name;
-- refused: randomized
SELECT c.id, n.email FROM contact c LEFT JOIN newsletter_subscriber n ON n.email = c.email ORDER BY c.id;
-- refused: randomized
SELECT c.id FROM contact c LEFT JOIN newsletter_subscriber n ON n.email = c.email WHERE n.email IS NULL ORDER BY c.id;
-- refused: randomized
SELECT n.id, c.id FROM contact c RIGHT JOIN newsletter_subscriber n ON n.email = c.email ORDER BY n.id, c.id;
-- DISTINCT and GROUP BY put NULLs together.
-- refused: randomized
SELECT DISTINCT email FROM contact;
-- refused: randomized
SELECT email, count(*) FROM contact GROUP BY email ORDER BY count(*), email IS NULL, max(id);
-- refused: randomized
SELECT count(DISTINCT email), count(DISTINCT COALESCE(email, '')) FROM contact;
-- Writing NULL.
INSERT INTO contact (id, email) VALUES (830, NULL), (831, DEFAULT) RETURNING email IS NULL;
-- params: null, null
INSERT INTO contact (email, phone) VALUES ($1, $2) RETURNING email, phone;
-- params: null
UPDATE contact SET email = COALESCE($1, email) WHERE id = 1 RETURNING email;
-- params: 'n1@canary.example'
UPDATE contact SET email = COALESCE($1, email) WHERE id = 1 RETURNING email;
UPDATE contact SET email = COALESCE(email, 'n2@canary.example') RETURNING id, email;
UPDATE contact SET email = COALESCE((SELECT u.email FROM auth_user u WHERE u.id = contact.user_id), 'n3@canary.example') RETURNING id, email;
-- refused: randomized
UPDATE contact SET email = NULLIF(email, 'n3@canary.example') RETURNING id, email;
-- error: 23502
INSERT INTO newsletter_subscriber (email) VALUES (NULL);
-- except: D: the server cuts tokens in it
-- error: 23502
UPDATE auth_user SET first_name = NULL WHERE id = 1;
-- params: null
-- error: 23502
UPDATE newsletter_subscriber SET email = $1;
SELECT * FROM contact ORDER BY id;
-- A filter that is optional: what is tested for NULL goes up sealed, too.
-- mode: deterministic, mixed
-- params: 'ada@canary.example'
SELECT id FROM contact WHERE $1::varchar IS NULL OR email = $1::varchar ORDER BY id;
-- params: 'bob@canary.example'
SELECT id FROM contact WHERE email = $1 OR $1 IS NULL ORDER BY id;
-- params: null
SELECT id FROM contact WHERE ($1::text IS NOT NULL AND email = $1::text) OR $1::text IS NULL ORDER BY id;
-- refused: mixed
-- params: 'ada@canary.example', 'tel Canaryson 1'
SELECT id FROM contact WHERE ($1::varchar IS NULL OR email = $1) AND ($2::text IS NULL OR phone = $2) ORDER BY id;
-- mode: all
