-- Statements about objects over protected columns: comments, privileges, TRUNCATE, views.
-- mode: all
COMMENT ON TABLE auth_user IS 'people, as "email" and first_name';
COMMENT ON COLUMN auth_user.email IS 'where they are';
COMMENT ON COLUMN public.contact.phone IS NULL;
SELECT col_description('auth_user'::regclass, attnum), obj_description('auth_user'::regclass) FROM pg_attribute WHERE attrelid = 'auth_user'::regclass AND attname = 'email';
-- error: 42703
COMMENT ON COLUMN auth_user.nope IS 'x';
GRANT SELECT (id, email), UPDATE (first_name) ON auth_user TO PUBLIC;
GRANT INSERT, SELECT ON TABLE contact, newsletter_subscriber TO PUBLIC;
SELECT column_name, privilege_type FROM information_schema.column_privileges WHERE table_name = 'auth_user' AND grantee = 'PUBLIC' ORDER BY 1, 2;
REVOKE SELECT (email) ON auth_user FROM PUBLIC;
SELECT column_name, privilege_type FROM information_schema.column_privileges WHERE table_name = 'auth_user' AND grantee = 'PUBLIC' ORDER BY 1, 2;
REVOKE ALL ON auth_user, contact, newsletter_subscriber FROM PUBLIC;
-- error: 42703
GRANT SELECT (nope) ON auth_user TO PUBLIC;
-- error: 42704
GRANT SELECT (email) ON auth_user TO nobody_at_all;
-- Views.
CREATE VIEW d_plain AS SELECT * FROM auth_user;
SELECT email, first_name, last_name FROM d_plain ORDER BY id;
CREATE OR REPLACE VIEW d_plain AS SELECT *, id + 1 AS next FROM auth_user;
SELECT email, next FROM d_plain WHERE id < 3 ORDER BY id;
-- error: 42P16
CREATE OR REPLACE VIEW d_plain AS SELECT email FROM auth_user;
CREATE VIEW d_named (who, "Mail", given) AS SELECT id, email, first_name FROM auth_user WHERE is_active WITH CHECK OPTION;
SELECT "Mail", given FROM d_named ORDER BY who;
UPDATE d_named SET "Mail" = 'd1@canary.example', given = 'Di Canaryson' WHERE who = 1 RETURNING "Mail", given;
CREATE VIEW d_again AS SELECT n.*, c.phone, c.nick FROM d_named n LEFT JOIN contact c ON c.user_id = n.who;
SELECT * FROM d_again ORDER BY who, phone IS NULL, nick IS NULL;
CREATE VIEW d_all AS SELECT email FROM auth_user UNION ALL SELECT email FROM newsletter_subscriber;
SELECT count(*), count(email) FROM d_all;
-- refused
CREATE RECURSIVE VIEW d_chain (id, mail) AS SELECT id, email FROM auth_user WHERE id = 1 UNION ALL SELECT u.id, u.email FROM auth_user u JOIN d_chain d ON u.id = d.id + 1 WHERE u.id < 4;
CREATE VIEW d_maybe AS SELECT id, CASE WHEN is_active THEN email END AS mail, COALESCE(first_name, last_name) AS name FROM auth_user;
SELECT mail, name FROM d_maybe ORDER BY id;
-- error: 23502
INSERT INTO d_named ("Mail") VALUES (NULL);
-- refused
CREATE VIEW d_row AS SELECT u FROM auth_user u;
-- refused
CREATE VIEW d_array AS SELECT array_agg(email) AS mails FROM auth_user;
-- refused
CREATE VIEW d_text AS SELECT email::text AS mail FROM auth_user;
-- refused
CREATE VIEW d_short AS SELECT email::varchar(300) AS mail FROM auth_user;
CREATE VIEW d_varchar AS SELECT email::varchar(254) AS mail, first_name::varchar AS name FROM auth_user;
SELECT mail, name FROM d_varchar ORDER BY mail IS NULL, name IS NULL;
-- refused
CREATE VIEW d_null AS SELECT COALESCE(NULL::text, email) AS mail FROM auth_user;
CREATE VIEW d_chain AS WITH RECURSIVE c (id, mail) AS (SELECT id, email FROM auth_user WHERE id = 1 UNION ALL SELECT u.id, u.email FROM auth_user u JOIN c ON u.id = c.id + 1 WHERE u.id < 4) SELECT * FROM c;
SELECT * FROM d_chain ORDER BY id;
DROP VIEW d_chain;
-- refused
CREATE VIEW d_upper AS SELECT upper(email) AS mail FROM auth_user;
-- refused
CREATE VIEW d_literal AS SELECT id FROM auth_user WHERE email = 'ada@canary.example';
-- error: 42P07
CREATE VIEW d_named AS SELECT email FROM auth_user;
-- error: 2BP01
DROP VIEW d_named;
ALTER VIEW d_again RENAME TO d_later;
ALTER VIEW d_later RENAME COLUMN given TO first;
ALTER VIEW IF EXISTS d_later SET (security_barrier = true);
SELECT first, phone FROM d_later ORDER BY who, phone IS NULL, nick IS NULL;
ALTER VIEW d_all OWNER TO CURRENT_USER;
-- refused
ALTER VIEW d_named ALTER COLUMN "Mail" SET DEFAULT 'd2@canary.example';
COMMENT ON VIEW d_later IS 'joined';
GRANT SELECT ON d_later TO PUBLIC;
CREATE MATERIALIZED VIEW d_kept AS SELECT id, email, first_name FROM auth_user WHERE id < 4 WITH NO DATA;
-- error: 55000
SELECT email FROM d_kept;
REFRESH MATERIALIZED VIEW d_kept;
SELECT email, first_name FROM d_kept ORDER BY id;
CREATE UNIQUE INDEX d_kept_id ON d_kept (id);
UPDATE auth_user SET email = 'd3@canary.example' WHERE id = 2;
REFRESH MATERIALIZED VIEW CONCURRENTLY d_kept;
SELECT email FROM d_kept ORDER BY id;
ALTER MATERIALIZED VIEW d_kept RENAME TO d_still;
SELECT email FROM d_still ORDER BY id;
-- mode: deterministic mixed
SELECT id FROM d_still WHERE email = 'd3@canary.example';
CREATE INDEX d_still_email ON d_still (email);
SELECT id FROM d_still WHERE email IN ('d3@canary.example', 'd1@canary.example') ORDER BY id;
CREATE VIEW d_distinct AS SELECT DISTINCT email FROM d_all;
SELECT count(*) FROM d_distinct;
SELECT count(*) FROM d_distinct WHERE email = 'd3@canary.example';
CREATE VIEW d_counted AS SELECT email, count(*) AS n FROM newsletter_subscriber GROUP BY email;
SELECT n FROM d_counted WHERE email = 'bob@canary.example';
DROP VIEW d_counted, d_distinct;
-- mode: all
DROP MATERIALIZED VIEW d_still;
DROP VIEW IF EXISTS d_later, d_all, d_maybe, d_plain, d_named CASCADE;
-- error: 42P01
SELECT email FROM d_named;
-- TRUNCATE.
TRUNCATE ONLY newsletter_subscriber RESTART IDENTITY;
INSERT INTO newsletter_subscriber (email) VALUES ('d4@canary.example') RETURNING id, email;
-- error: 0A000
TRUNCATE auth_user;
BEGIN;
TRUNCATE TABLE auth_user, contact RESTART IDENTITY CASCADE;
SELECT count(*) FROM auth_user;
ROLLBACK;
SELECT count(*) FROM contact;
TRUNCATE auth_user CASCADE;
SELECT count(*), count(email) FROM contact;
