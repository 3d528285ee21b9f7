-- PREPARE, EXECUTE and DEALLOCATE; DECLARE, FETCH, MOVE and CLOSE.
-- mode: all
PREPARE every AS SELECT id, email, first_name FROM auth_user ORDER BY id;
EXECUTE every;
EXECUTE every;
DEALLOCATE every;
-- error: 26000
EXECUTE every;
PREPARE all_of AS SELECT email FROM auth_user;
EXPLAIN (COSTS OFF) EXECUTE all_of;
PREPARE whole (int) AS SELECT u, (u).email, ARRAY[email, first_name] FROM (SELECT email, id, email AS first_name FROM auth_user) u WHERE id = $1;
EXECUTE whole (2);
PREPARE one (int) AS SELECT email, last_name FROM auth_user WHERE id = $1;
EXECUTE one (1);
EXECUTE one(2 + 1);
EXECUTE one (NULL);
-- error: 42601
EXECUTE one;
-- error: 42601
EXECUTE one (1, 2);
DEALLOCATE PREPARE one;
-- refused: randomized
PREPARE look (text) AS SELECT id, username FROM auth_user WHERE email = $1;
-- mode: deterministic, mixed
EXECUTE look ('ada@canary.example');
EXECUTE look ('nobody@canary.example');
EXECUTE look (NULL);
EXECUTE look (E'back\\slash@canary.example');
EXECUTE look ($$ada@canary.example$$);
-- refused
EXECUTE look ('ada' || '@canary.example');
-- error: 42601
EXECUTE look ('ada@canary.example', 'bob@canary.example');
-- refused
CREATE TABLE taken AS EXECUTE look ('ada@canary.example');
-- mode: all
-- A parameter that is both stored and compared becomes two.
-- refused: randomized
PREPARE twice (int, varchar) AS UPDATE contact SET email = $2, label = 'x' WHERE id = $1 AND email IS DISTINCT FROM $2 RETURNING id, email;
-- mode: deterministic, mixed
EXECUTE twice (1, 'new@canary.example');
EXECUTE twice (1, 'new@canary.example');
EXECUTE twice (2, NULL);
-- mode: all
PREPARE add AS INSERT INTO contact (label, email, phone) VALUES ('p', $1, $2) RETURNING email, phone;
EXECUTE add ('p1@canary.example', 'tel Canaryson 7');
EXECUTE add ('p2@canary.example', NULL);
-- early: arguments are sealed before the statement is prepared
-- error: 22001
EXECUTE add ('lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll@canary.example', NULL);
SELECT label, email, phone FROM contact WHERE label = 'p' ORDER BY id;
-- error: 42P05
PREPARE add AS SELECT email FROM auth_user;
EXECUTE add ('p3@canary.example', NULL);
-- What is refused leaves nothing behind, and its arguments stay here.
-- refused
PREPARE bad (text) AS SELECT id FROM auth_user WHERE lower(email) = $1;
-- error: 26000
EXECUTE bad ('ada@canary.example');
-- only: simple
PREPARE inline (int) AS SELECT email FROM auth_user WHERE id = $1; EXECUTE inline (2); DEALLOCATE inline;
-- only: simple
PREPARE plain AS SELECT id FROM orders ORDER BY id; EXECUTE plain;
DEALLOCATE ALL;
-- error: 26000
EXECUTE add ('p4@canary.example', NULL);
-- A name that means something else now.
PREPARE again AS SELECT email FROM auth_user WHERE id = 1;
DEALLOCATE again;
PREPARE again AS SELECT id, total FROM orders ORDER BY id;
EXECUTE again;
DEALLOCATE again;
PREPARE again AS SELECT first_name FROM auth_user WHERE id = 1;
EXECUTE again;
DEALLOCATE again;
-- Cursors.
-- error: 25P01
DECLARE c CURSOR FOR SELECT id, email FROM auth_user ORDER BY id;
BEGIN;
DECLARE c CURSOR FOR SELECT id, email, last_name FROM auth_user ORDER BY id;
FETCH c;
FETCH NEXT FROM c;
FETCH 2 FROM c;
FETCH FORWARD 2 IN c;
FETCH ALL FROM c;
FETCH FROM c;
CLOSE c;
-- error: 34000
FETCH FROM c;
ROLLBACK;
BEGIN;
DECLARE "C d" NO SCROLL CURSOR WITHOUT HOLD FOR SELECT email FROM auth_user ORDER BY id;
FETCH 1 FROM "C d";
MOVE 2 FROM "C d";
FETCH 1 FROM "C d";
DECLARE s SCROLL CURSOR FOR SELECT id, phone, code, nick FROM contact ORDER BY id;
FETCH LAST FROM s;
FETCH PRIOR FROM s;
FETCH FIRST FROM s;
FETCH ABSOLUTE 3 FROM s;
FETCH RELATIVE -1 FROM s;
MOVE FORWARD ALL IN s;
FETCH BACKWARD ALL FROM s;
CLOSE ALL;
-- error: 34000
FETCH s;
COMMIT;
-- mode: deterministic, mixed
-- only: simple
BEGIN; DECLARE f CURSOR FOR SELECT id, username FROM auth_user WHERE email = 'bob@canary.example' FOR UPDATE; FETCH ALL f; COMMIT;
-- mode: all
DECLARE h CURSOR WITH HOLD FOR SELECT id, email FROM auth_user ORDER BY id;
FETCH 2 FROM h;
BEGIN;
FETCH 1 FROM h;
COMMIT;
FETCH 1 FROM h;
-- A cursor of another table under a name that had a protected one.
CLOSE h;
DECLARE h CURSOR WITH HOLD FOR SELECT id, total FROM orders ORDER BY id;
FETCH 2 FROM h;
CLOSE h;
BEGIN;
DECLARE r CURSOR FOR SELECT email FROM auth_user ORDER BY id;
FETCH 1 FROM r;
ROLLBACK;
-- error: 34000
FETCH 1 FROM r;
BEGIN;
-- refused
DECLARE o CURSOR FOR SELECT email FROM auth_user ORDER BY email;
ROLLBACK;
BEGIN;
DECLARE w CURSOR FOR SELECT u, array_agg(u.phone) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM contact u ORDER BY id;
FETCH 2 FROM w;
COMMIT;
BEGIN;
DECLARE b BINARY CURSOR FOR SELECT email, first_name FROM auth_user WHERE id < 4 ORDER BY id;
FETCH ALL FROM b;
COMMIT;
-- only: extended
BEGIN;
-- params: 3
-- only: extended
DECLARE p CURSOR FOR SELECT id, email FROM auth_user WHERE id <= $1 ORDER BY id;
-- only: extended
FETCH ALL FROM p;
-- only: extended
COMMIT;
DISCARD ALL;
