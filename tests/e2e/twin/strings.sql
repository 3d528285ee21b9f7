-- Several statements in one string, and savepoints around what fails or is refused.
-- mode: all
-- only: simple
SELECT 1; SELECT email FROM auth_user WHERE id = 1; SELECT first_name, last_name FROM auth_user WHERE id = 2; SELECT 'end';
-- only: simple
INSERT INTO contact (id, email) VALUES (600, 's1@canary.example') RETURNING email; UPDATE contact SET email = 's2@canary.example' WHERE id = 600 RETURNING email; DELETE FROM contact WHERE id = 600 RETURNING email;
-- only: simple
/* a */ SELECT email FROM contact WHERE id = 1; /* b; c */ SELECT ';' AS semicolon, email FROM contact WHERE id = 2 -- ; d;
;
-- only: simple
SELECT E'\';' AS a, $$;$$ AS b, "email" AS "c;d" FROM contact WHERE id = 1; SELECT 2;
-- only: simple
BEGIN; SAVEPOINT a; UPDATE contact SET email = 's3@canary.example' WHERE id = 1; ROLLBACK TO a; COMMIT;
SELECT email FROM contact WHERE id = 1;
-- only: simple
BEGIN; INSERT INTO contact (id, email) VALUES (601, 's4@canary.example'); COMMIT; BEGIN; INSERT INTO contact (id, email) VALUES (602, 's5@canary.example'); ROLLBACK; SELECT id, email FROM contact WHERE id > 600 ORDER BY id;
-- only: simple
-- error: 23505
INSERT INTO contact (id, email) VALUES (603, 's6@canary.example'); INSERT INTO contact (id, email) VALUES (603, 's7@canary.example'); SELECT 1;
SELECT count(*) FROM contact WHERE id = 603;
-- only: simple
-- error: 23505
BEGIN; INSERT INTO contact (id, email) VALUES (604, 's8@canary.example'); COMMIT; INSERT INTO contact (id, email) VALUES (604, 's9@canary.example'); SELECT 1;
SELECT id, email FROM contact WHERE id >= 603 ORDER BY id;
-- only: simple
-- refused
UPDATE contact SET email = 's10@canary.example' WHERE id = 1; SELECT upper(email) FROM contact;
SELECT email FROM contact WHERE id = 1;
-- only: simple
-- refused
SET search_path = public; SELECT email FROM contact WHERE id = 1;
-- only: simple
SELECT set_config('application_name', 'a;b', false); SELECT id FROM orders WHERE id = 2; SHOW application_name;
-- only: simple
SELECT set_config('application_name', 'a;b', false); SELECT email FROM contact WHERE id = 2; SHOW application_name;
-- only: simple
-- refused
SELECT set_config('search_path', 'public', false); SELECT email FROM contact WHERE id = 2;
-- only: simple
-- refused
SELECT set_config('application_' || 'name', 'x', false); SELECT email FROM contact WHERE id = 2;
-- only: simple
PREPARE s AS SELECT email FROM contact WHERE id = 1; EXECUTE s; DEALLOCATE s; SELECT 1;
-- only: simple
BEGIN; DECLARE cur CURSOR FOR SELECT id, email FROM contact ORDER BY id; FETCH 1 FROM cur; MOVE 1 FROM cur; FETCH 1 FROM cur; CLOSE cur; COMMIT;
-- only: simple
-- error: 42601
SELECT email FROM contact WHERE id = 1; SELEC 2;
-- only: simple
   ;  ; SELECT email FROM contact WHERE id = 2 ;  ;
-- Savepoints.
BEGIN;
SAVEPOINT one;
INSERT INTO contact (id, email) VALUES (610, 's11@canary.example');
SAVEPOINT two;
INSERT INTO contact (id, email) VALUES (611, 's12@canary.example');
ROLLBACK TO two;
SELECT id, email FROM contact WHERE id >= 610 ORDER BY id;
SAVEPOINT two;
-- error: 23505
INSERT INTO contact (id, email) VALUES (610, 's13@canary.example');
-- error: 25P02
SELECT email FROM contact;
-- error: 25P02
RELEASE two;
ROLLBACK TO two;
RELEASE one;
-- error: 3B001
ROLLBACK TO two;
ROLLBACK;
SELECT count(*) FROM contact WHERE id >= 610;
BEGIN;
SAVEPOINT "Odd name";
-- refused
SELECT email || '' FROM contact;
-- error: 25P02
SELECT 1;
ROLLBACK TO SAVEPOINT "Odd name";
UPDATE contact SET email = 's14@canary.example' WHERE id = 2 RETURNING email;
RELEASE SAVEPOINT "Odd name";
COMMIT;
BEGIN;
CREATE TABLE in_block (email text);
SAVEPOINT s;
DROP TABLE in_block;
-- error: 42P01
SELECT email FROM in_block;
ROLLBACK TO s;
SELECT upper(email) FROM in_block;
COMMIT;
DROP TABLE in_block;
BEGIN READ ONLY;
SELECT email FROM contact WHERE id = 2;
-- error: 25006
UPDATE contact SET email = 's15@canary.example' WHERE id = 2;
ROLLBACK;
SELECT id, email FROM contact ORDER BY id;
