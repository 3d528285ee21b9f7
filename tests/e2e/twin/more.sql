-- What was refused once: cursors' rows, grouping(), arrays put together, EXECUTE with casts, and errors
-- about names.
-- mode: all
-- CURRENT OF.
BEGIN;
DECLARE c CURSOR FOR SELECT id, email FROM contact WHERE id < 3 FOR UPDATE;
FETCH 1 FROM c;
UPDATE contact SET email = 'cursor1@canary.example' WHERE CURRENT OF c RETURNING id, email;
-- params: 'cursor2@canary.example'
UPDATE contact SET email = $1 WHERE  current /* here */ OF "c" RETURNING id, email;
DELETE FROM contact WHERE CURRENT OF c RETURNING id, email;
ROLLBACK;
-- Grouping sets.
-- refused: randomized
SELECT grouping(email), email, count(*) FROM contact GROUP BY GROUPING SETS ((email), ());
-- refused: randomized
SELECT email, label, count(*), grouping(email, label) FROM contact GROUP BY ROLLUP (email, label);
-- refused: randomized
SELECT email, label, count(*), GROUPING(email) + grouping(label) FROM contact GROUP BY CUBE (email, label) HAVING grouping(email) = 0;
-- Casts.
SELECT email::varchar, CAST(email AS text), code::text, code::varchar, phone::varchar, code::varchar(8), code::char(8) FROM contact ORDER BY id;
-- refused: randomized mixed
SELECT id FROM contact WHERE code::text = 'Kan' ORDER BY id;
-- refused: randomized mixed
SELECT id FROM contact WHERE code::text = 'Kan     ' ORDER BY id;
-- refused: randomized mixed
SELECT id FROM contact WHERE code::varchar = 'Kan  ' OR CAST(code AS varchar(20)) = 'Kanary01' ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email::varchar = 'ada@canary.example' AND CAST(email AS text) IN ('ada@canary.example', 'x') ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email::varchar(254) = 'ada@canary.example' ORDER BY id;
-- refused
SELECT a.id, b.id FROM contact a JOIN contact b ON a.code::text = b.nick ORDER BY 1, 2;
-- refused: randomized mixed
SELECT DISTINCT code::text FROM contact;
-- refused: deterministic
SELECT code::text FROM contact UNION ALL SELECT nick FROM contact;
-- Arrays.
-- refused
SELECT array_agg(email ORDER BY id) || 'x@canary.example' FROM contact;
SELECT array_agg(email ORDER BY id) || '{x@canary.example}' FROM contact;
-- params: '{y@canary.example}'
SELECT array_agg(email ORDER BY id) || $1 FROM contact;
-- refused
SELECT array_agg(email ORDER BY id) || 'y@canary.example'::varchar FROM contact;
SELECT array_append(array_agg(email ORDER BY id), 'y@canary.example'::varchar) FROM contact;
SELECT 'a' || label || 'b' FROM contact WHERE email IS NOT NULL ORDER BY id;
SELECT label || id FROM contact WHERE email IS NOT NULL ORDER BY id;
-- refused
SELECT email || label FROM contact;
-- refused
SELECT label || email || 'x' FROM contact;
-- refused
SELECT array_append(array_agg(code ORDER BY id), 'Kanary07') FROM contact;
SELECT array_agg(email ORDER BY id) || ARRAY['x@canary.example', 'y@canary.example'] FROM contact;
SELECT array_append(array_agg(email ORDER BY id), 'x@canary.example') FROM contact;
SELECT array_prepend('x@canary.example', array_agg(email ORDER BY id)) FROM contact;
SELECT array_cat(array_agg(email ORDER BY id), ARRAY['x@canary.example']) FROM contact;
-- params: 'x@canary.example'
SELECT array_append(array_agg(email ORDER BY id), $1) FROM contact;
SELECT array_agg(email ORDER BY id) || array_agg(email ORDER BY id) FROM contact;
SELECT array_agg(email ORDER BY id) || NULL FROM contact;
SELECT email || ARRAY[email] FROM contact ORDER BY id;
SELECT ARRAY[email] || email FROM contact ORDER BY id;
SELECT array_append(ARRAY[email], email) FROM contact ORDER BY id;
SELECT cardinality(array_agg(email)), array_length(array_agg(email), 1) FROM contact;
-- refused: randomized
SELECT array_remove(array_agg(email ORDER BY id), 'ada@canary.example'), array_position(array_agg(email ORDER BY id), 'bob@canary.example') FROM contact;
-- refused
SELECT array_replace(array_agg(email ORDER BY id), 'ada@canary.example', 'z@canary.example') FROM contact;
-- Conflict inference.
-- refused: randomized
INSERT INTO newsletter_subscriber (email) VALUES ('ada@canary.example') ON CONFLICT (email) WHERE true DO NOTHING;
-- refused
INSERT INTO newsletter_subscriber (email) VALUES ('ada@canary.example') ON CONFLICT ((email)) DO NOTHING;
-- refused
INSERT INTO newsletter_subscriber (email) VALUES ('ada@canary.example') ON CONFLICT (email COLLATE "default") DO NOTHING;
-- refused
INSERT INTO newsletter_subscriber (email) VALUES ('ada@canary.example') ON CONFLICT (email varchar_ops) DO UPDATE SET confirmed = true;
INSERT INTO contact (id, email) VALUES (1, 'ada@canary.example') ON CONFLICT (id) WHERE id > 0 DO NOTHING;
-- refused
INSERT INTO contact (id, email) VALUES (1, 'ada@canary.example') ON CONFLICT ((id)) DO NOTHING;
-- EXECUTE with casts.
-- only: simple
-- refused: randomized
PREPARE p (varchar) AS SELECT id FROM contact WHERE email = $1 ORDER BY id;
-- only: simple
-- error: 26000 randomized
EXECUTE p('ada@canary.example'::varchar);
-- only: simple
-- error: 26000 randomized
EXECUTE p(CAST('ada@canary.example' AS text));
-- only: simple
-- error: 26000 randomized
EXECUTE p(('ada@canary.example and more'::varchar(18)));
-- only: simple
-- error: 26000 randomized
EXECUTE p(varchar 'ada@canary.example');
-- only: simple
-- error: 26000 randomized
EXECUTE p(NULL::varchar);
-- only: simple
PREPARE q AS INSERT INTO contact (email, label) VALUES ($1, $2) RETURNING email, label;
-- only: simple
EXECUTE q('exec1@canary.example'::varchar(254), 'l'::varchar);
-- only: simple
EXECUTE q('exec2@canary.example and more'::varchar(20), 'l'::varchar);
-- only: simple
EXECUTE q(E'exec3@canary.example', U&'l');
-- only: simple
PREPARE r (text[]) AS SELECT count(email) FROM contact WHERE id = 1 AND $1 IS NOT NULL;
-- Errors.
-- error: 42P01
UPDATE contact AS c SET label = 'x' WHERE contact.id = 1;
-- error: 42P01
SELECT contact.email FROM contact c;
-- error: 42712
SELECT 1 FROM contact c, contact c;
-- error: 42712
SELECT c.email FROM contact c JOIN auth_user c ON true;
-- error: 42712
UPDATE contact SET label = 'x' FROM contact WHERE contact.id = 1;
-- error: 42P01
DELETE FROM contact AS c USING auth_user u WHERE contact.id = u.id;
SELECT (SELECT c.email) FROM contact c, LATERAL (SELECT c.id) x, (SELECT 1 FROM contact c LIMIT 1) y WHERE c.id = 1;
SELECT count(*) FROM public.contact, pg_catalog.pg_class WHERE contact.id = 1 AND pg_class.relname = 'contact';
-- error: 42712
SELECT email FROM contact, contact;
-- error: 42601
SELECT "" FROM contact;
-- error: 0A000
SELECT email FROM contact UNION ALL SELECT email FROM auth_user ORDER BY lower('x');
-- error: 0A000
SELECT email FROM contact UNION ALL SELECT email FROM auth_user ORDER BY lower(email);
-- error: 0A000
SELECT id FROM contact UNION SELECT id FROM auth_user ORDER BY id + 1;
-- error: 42P01
SELECT id FROM contact UNION ALL SELECT id FROM auth_user ORDER BY contact.id;
-- In parentheses a number is the column's, too.
-- refused
SELECT email FROM contact UNION ALL SELECT email FROM auth_user ORDER BY (1) LIMIT 0;
VALUES (2), (1) ORDER BY column1 + 1;
-- error: 42703
SELECT id FROM contact UNION ALL SELECT id FROM auth_user ORDER BY label;
-- Deferred constraints.
-- mode: deterministic mixed
ALTER TABLE contact ADD CONSTRAINT contact_mail_fk FOREIGN KEY (email) REFERENCES auth_user (email) DEFERRABLE INITIALLY DEFERRED NOT VALID;
BEGIN;
INSERT INTO contact (email) VALUES ('nobody@canary.example');
-- error: 23503
COMMIT;
BEGIN;
INSERT INTO contact (email) VALUES ('nobody@canary.example');
-- error: 23503
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;
BEGIN;
INSERT INTO contact (email) VALUES ('nobody@canary.example');
SELECT 1;
-- error: 23503
COMMIT;
-- only: simple
-- error: 23503
BEGIN; INSERT INTO contact (email) VALUES ('nobody@canary.example'); COMMIT;
ALTER TABLE contact DROP CONSTRAINT contact_mail_fk;
