-- What names nothing protected behaves as ever.
SELECT * FROM orders ORDER BY id;
SELECT * FROM tag ORDER BY name;
INSERT INTO orders (user_id, total, note) VALUES (1, 3.14, 'pie'), (2, 2.72, E'e\n') RETURNING *;
UPDATE orders SET note = upper(note) WHERE note IS NOT NULL RETURNING id, note;
DELETE FROM orders WHERE total < 3 RETURNING id, total;
-- params: 5.5, 'x'
SELECT $1::numeric + 1, upper($2::text);
SELECT total::text, note || '!' FROM orders ORDER BY id;
SELECT note, count(*) FROM orders GROUP BY note ORDER BY note NULLS FIRST;
SELECT lower(name) FROM tag ORDER BY lower(name);
SELECT generate_series(1, 3);
SELECT 1 AS one, 'two' AS two, NULL AS three, 4.5, true, '{1,2}'::int[], '{"a": 1}'::jsonb;
SELECT now() IS NOT NULL;
VALUES (1, 'a'), (2, NULL);
-- error: 42601
SELECT FROM WHERE;
-- error: 22012
SELECT 1 / 0;
-- error: 23505
INSERT INTO tag VALUES ('new', 3);
-- error: 23514
INSERT INTO orders (user_id, total) VALUES (1, -1);
INSERT INTO tag VALUES ('new', 3) ON CONFLICT (name) DO UPDATE SET weight = tag.weight + excluded.weight RETURNING *;
WITH t AS (INSERT INTO tag VALUES ('cte', 9) RETURNING *) SELECT * FROM t;
MERGE INTO tag USING (VALUES ('new', 10), ('merged', 11)) v (n, w) ON tag.name = v.n WHEN MATCHED THEN UPDATE SET weight = v.w WHEN NOT MATCHED THEN INSERT VALUES (v.n, v.w);
SELECT * FROM tag ORDER BY name;
CREATE TABLE scratch (id int, email text);
INSERT INTO scratch VALUES (1, 'a@b'), (2, 'C@D');
SELECT lower(email) FROM scratch ORDER BY email;
ALTER TABLE scratch ADD COLUMN extra int DEFAULT 7;
SELECT * FROM scratch ORDER BY id;
CREATE INDEX ON scratch (lower(email));
TRUNCATE scratch;
DROP TABLE scratch;
-- error: 42P01
SELECT * FROM scratch;
DO $$ BEGIN PERFORM 1; END $$;
DO $$ BEGIN RAISE NOTICE 'a notice with %', 1; END $$;
-- error: P0001
DO $$ BEGIN RAISE EXCEPTION 'an error'; END $$;
SET client_min_messages = 'warning';
SHOW client_min_messages;
RESET client_min_messages;
EXPLAIN (COSTS off) SELECT * FROM tag;
SELECT relname, relkind FROM pg_class WHERE relname IN ('auth_user', 'orders', 'tag') ORDER BY relname;
SELECT count(*) FROM pg_attribute WHERE attrelid = 'auth_user'::regclass AND attnum > 0;
SELECT column_name, ordinal_position, is_nullable FROM information_schema.columns WHERE table_name = 'auth_user' AND table_schema = 'public' ORDER BY ordinal_position;
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname = 'contact' AND a.attnum > 0 ORDER BY a.attnum;
SELECT 'auth_user'::regclass::text, to_regclass('auth_user') IS NOT NULL;
SELECT has_table_privilege('auth_user', 'SELECT');
DECLARE c CURSOR WITH HOLD FOR SELECT id FROM orders ORDER BY id;
FETCH 2 FROM c;
CLOSE c;
LISTEN channel;
UNLISTEN channel;
DISCARD ALL;
SELECT 'after' AS discard;
