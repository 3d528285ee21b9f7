-- Writers that race, beside the plain twin: who waits for whom, and what each of them gets.
-- mode: deterministic
-- 1. A lost update: the second writer's expression sees what the first has committed.
BEGIN;
UPDATE contact SET label = label || '+a' WHERE email = 'other@canary.example';
-- session: b
-- waits
UPDATE contact SET label = label || '+b' WHERE email = 'other@canary.example' RETURNING email, label;
-- session: a
COMMIT;
-- session: b
SELECT label FROM contact WHERE email = 'other@canary.example';
-- 2. Compare and set on the protected value: the loser changes nothing.
-- session: a
BEGIN;
UPDATE contact SET email = 'cas1@canary.example' WHERE id = 4 AND email = 'other@canary.example';
-- session: b
-- waits
UPDATE contact SET email = 'cas2@canary.example' WHERE id = 4 AND email = 'other@canary.example';
-- session: a
COMMIT;
-- session: b
SELECT email FROM contact WHERE id = 4;
-- 3. The same, rolled back: then the second one wins.
-- session: a
BEGIN;
UPDATE contact SET email = 'cas3@canary.example' WHERE id = 4 AND email = 'cas1@canary.example';
-- session: b
-- waits
UPDATE contact SET email = 'cas4@canary.example' WHERE id = 4 AND email = 'cas1@canary.example' RETURNING email;
-- session: a
ROLLBACK;
-- session: b
SELECT email FROM contact WHERE id = 4;
-- 4. A row that comes to match while one waits does not count: the row was not locked for.
-- session: a
BEGIN;
UPDATE contact SET email = 'cas5@canary.example' WHERE id = 4;
-- session: b
UPDATE contact SET label = 'never' WHERE email = 'cas5@canary.example';
-- session: a
COMMIT;
-- session: b
SELECT label, email FROM contact WHERE id = 4;
-- 5. A duplicate races: the second insert waits and fails.
-- session: a
BEGIN;
INSERT INTO newsletter_subscriber (email) VALUES ('race5@canary.example');
-- session: b
-- waits
-- error: 23505
INSERT INTO newsletter_subscriber (email) VALUES ('race5@canary.example') RETURNING id;
-- session: a
COMMIT;
-- 6. The same, rolled back: the second insert goes through.
BEGIN;
INSERT INTO newsletter_subscriber (email) VALUES ('race6@canary.example');
-- session: b
-- waits
INSERT INTO newsletter_subscriber (email) VALUES ('race6@canary.example') RETURNING email;
-- session: a
ROLLBACK;
-- session: b
SELECT count(*) FROM newsletter_subscriber WHERE email = 'race6@canary.example';
-- 7. Upserts race: the second one updates the row of the first.
-- session: a
BEGIN;
INSERT INTO newsletter_subscriber (email, confirmed) VALUES ('race7@canary.example', false) ON CONFLICT (email) DO UPDATE SET confirmed = true RETURNING confirmed;
-- session: b
-- waits
INSERT INTO newsletter_subscriber (email, confirmed) VALUES ('race7@canary.example', false) ON CONFLICT (email) DO UPDATE SET confirmed = true RETURNING email, confirmed;
-- session: a
COMMIT;
-- session: b
SELECT email, confirmed FROM newsletter_subscriber WHERE email = 'race7@canary.example';
-- 8. Upserts race, rolled back: the second one inserts.
-- session: a
BEGIN;
INSERT INTO newsletter_subscriber (email, confirmed) VALUES ('race8@canary.example', false) ON CONFLICT (email) DO UPDATE SET confirmed = true;
-- session: b
-- waits
INSERT INTO newsletter_subscriber (email, confirmed) VALUES ('race8@canary.example', false) ON CONFLICT (email) DO UPDATE SET confirmed = true RETURNING confirmed;
-- session: a
ROLLBACK;
-- session: b
SELECT email, confirmed FROM newsletter_subscriber WHERE email = 'race8@canary.example';
-- 9. DO NOTHING races: nothing is inserted, nothing returned.
-- session: a
BEGIN;
INSERT INTO newsletter_subscriber (email) VALUES ('race9@canary.example');
-- session: b
-- waits
INSERT INTO newsletter_subscriber (email) VALUES ('race9@canary.example') ON CONFLICT DO NOTHING RETURNING id;
-- session: a
COMMIT;
-- 10. ON CONFLICT ... WHERE looks at the newest row.
BEGIN;
UPDATE newsletter_subscriber SET confirmed = false WHERE email = 'race7@canary.example';
-- session: b
-- waits
INSERT INTO newsletter_subscriber (email) VALUES ('race7@canary.example') ON CONFLICT (email) DO UPDATE SET since = '2024-06-06' WHERE newsletter_subscriber.confirmed RETURNING email;
-- session: a
COMMIT;
-- session: b
SELECT since FROM newsletter_subscriber WHERE email = 'race7@canary.example';
-- 11. FOR UPDATE SKIP LOCKED over a protected predicate: a queue.
-- session: a
BEGIN;
SELECT id, email FROM contact WHERE email = 'ada@canary.example' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
-- session: b
BEGIN;
SELECT id, email FROM contact WHERE email = 'ada@canary.example' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
-- session: c
SELECT id, email FROM contact WHERE email = 'ada@canary.example' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
-- session: a
COMMIT;
-- session: b
COMMIT;
-- 12. FOR UPDATE NOWAIT.
-- session: a
BEGIN;
SELECT email FROM auth_user WHERE email = 'ada@canary.example' FOR UPDATE;
-- session: b
-- error: 55P03
SELECT email FROM auth_user WHERE email = 'ada@canary.example' FOR UPDATE NOWAIT;
-- error: 55P03
SELECT id FROM auth_user WHERE email IN ('ada@canary.example', 'bob@canary.example') ORDER BY id FOR SHARE NOWAIT;
SELECT email FROM auth_user WHERE email = 'bob@canary.example' FOR UPDATE NOWAIT;
-- session: a
COMMIT;
-- 13. A waiting FOR UPDATE sees the new value, and that the row no longer matches.
BEGIN;
UPDATE auth_user SET email = 'moved13@canary.example' WHERE email = 'ada@canary.example';
-- session: b
-- waits
SELECT id, email FROM auth_user WHERE email = 'ada@canary.example' FOR UPDATE;
-- session: a
COMMIT;
-- session: b
SELECT id, email FROM auth_user WHERE email = 'moved13@canary.example';
-- 14. A waiting FOR UPDATE that still matches shows what the other one wrote.
-- session: a
BEGIN;
UPDATE auth_user SET first_name = 'Newer Canaryson' WHERE id = 1;
-- session: b
-- waits
SELECT first_name, email FROM auth_user WHERE id = 1 FOR UPDATE;
-- session: a
COMMIT;
-- 15. FOR SHARE with FOR SHARE does not wait, with an update it does.
BEGIN;
SELECT email FROM auth_user WHERE id = 2 FOR SHARE;
-- session: b
SELECT email FROM auth_user WHERE id = 2 FOR SHARE;
-- waits
UPDATE auth_user SET email = 'share15@canary.example' WHERE id = 2;
-- session: a
COMMIT;
-- session: b
SELECT email FROM auth_user WHERE id = 2;
-- 16. A dead-lock: the one that closes the circle fails, in the same order as on a plain table.
-- session: a
-- error: 42501
SET deadlock_timeout = '20s';
BEGIN;
UPDATE contact SET label = 'dead' WHERE email = 'ada@canary.example' AND id = 1;
-- session: b
BEGIN;
UPDATE contact SET label = 'lock' WHERE id = 2;
-- session: a
-- waits
UPDATE contact SET label = 'dead' WHERE id = 2 RETURNING email;
-- session: b
ROLLBACK;
-- session: a
ROLLBACK;
-- 17. Delete and delete again.
-- session: a
BEGIN;
DELETE FROM contact WHERE email = 'cas5@canary.example' RETURNING email;
-- session: b
-- waits
DELETE FROM contact WHERE email = 'cas5@canary.example' RETURNING email;
-- session: a
COMMIT;
-- session: b
SELECT count(*) FROM contact WHERE email = 'cas5@canary.example';
-- 18. An update of a row that is deleted meanwhile.
-- session: a
BEGIN;
DELETE FROM newsletter_subscriber WHERE email = 'race6@canary.example';
-- session: b
-- waits
UPDATE newsletter_subscriber SET confirmed = true WHERE email = 'race6@canary.example' RETURNING email;
-- session: a
COMMIT;
-- 19. An upsert of a row that is deleted meanwhile.
BEGIN;
DELETE FROM newsletter_subscriber WHERE email = 'race8@canary.example';
-- session: b
-- waits
INSERT INTO newsletter_subscriber (email) VALUES ('race8@canary.example') ON CONFLICT (email) DO UPDATE SET confirmed = true RETURNING email, confirmed;
-- session: a
COMMIT;
-- session: b
SELECT email, confirmed FROM newsletter_subscriber WHERE email = 'race8@canary.example';
-- 20. REPEATABLE READ: the second writer of a row cannot be serialized.
-- session: a
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT email FROM auth_user WHERE id = 2;
-- session: b
UPDATE auth_user SET email = 'rr20@canary.example' WHERE id = 2;
-- session: a
SELECT email FROM auth_user WHERE id = 2;
SELECT id FROM auth_user WHERE email = 'rr20@canary.example';
-- error: 40001
UPDATE auth_user SET email = 'rr20b@canary.example' WHERE id = 2;
ROLLBACK;
SELECT id FROM auth_user WHERE email = 'rr20@canary.example';
-- 21. READ COMMITTED sees another's commit between two statements; uncommitted it does not.
BEGIN;
SELECT email FROM contact WHERE id = 5;
-- session: b
BEGIN;
UPDATE contact SET email = 'rc21@canary.example' WHERE id = 5;
-- session: a
SELECT email FROM contact WHERE id = 5;
SELECT count(*) FROM contact WHERE email = 'rc21@canary.example';
-- session: b
COMMIT;
-- session: a
SELECT email FROM contact WHERE id = 5;
SELECT count(*) FROM contact WHERE email = 'rc21@canary.example';
COMMIT;
-- 22. Write skew under SERIALIZABLE: one of the two fails.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM newsletter_subscriber WHERE email IN ('ada@canary.example', 'bob@canary.example') AND confirmed;
-- session: b
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM newsletter_subscriber WHERE email IN ('ada@canary.example', 'bob@canary.example') AND confirmed;
UPDATE newsletter_subscriber SET confirmed = false WHERE email = 'ada@canary.example';
-- session: a
UPDATE newsletter_subscriber SET confirmed = true WHERE email = 'bob@canary.example';
COMMIT;
-- session: b
-- error: 40001
COMMIT;
SELECT email, confirmed FROM newsletter_subscriber WHERE email IN ('ada@canary.example', 'bob@canary.example') ORDER BY id;
-- 23. MERGE waits like an update.
-- session: a
BEGIN;
UPDATE newsletter_subscriber SET since = '2024-07-07' WHERE email = 'race7@canary.example';
-- session: b
-- waits
MERGE INTO newsletter_subscriber n USING (SELECT 1 AS one) s ON n.email = 'race7@canary.example' WHEN MATCHED THEN UPDATE SET confirmed = true;
-- session: a
COMMIT;
-- session: b
SELECT since, confirmed FROM newsletter_subscriber WHERE email = 'race7@canary.example';
-- 24. UPDATE ... FROM waits for the target, and joins again.
-- session: a
BEGIN;
UPDATE contact SET email = 'from24@canary.example' WHERE id = 1;
-- session: b
-- waits
UPDATE contact c SET label = 'joined' FROM newsletter_subscriber n WHERE c.email = n.email AND c.id = 1;
-- session: a
COMMIT;
-- session: b
SELECT label, email FROM contact WHERE id = 1;
-- 25. A data-modifying CTE waits.
-- session: a
BEGIN;
UPDATE contact SET phone = 'tel Canaryson 25' WHERE id = 2;
-- session: b
-- waits
WITH w AS (UPDATE contact SET label = 'cte' WHERE id = 2 RETURNING id, email, phone) SELECT * FROM w;
-- session: a
COMMIT;
-- 26. A foreign key: deleting the parent waits for the child that was inserted.
BEGIN;
INSERT INTO contact (user_id, email) VALUES (5, 'child26@canary.example');
-- session: b
-- waits
DELETE FROM auth_user WHERE email = 'back\slash@canary.example' RETURNING email;
-- session: a
COMMIT;
-- session: b
SELECT count(*) FROM contact WHERE email = 'child26@canary.example';
-- 27. A child of a parent that goes away meanwhile.
-- session: a
BEGIN;
DELETE FROM auth_user WHERE email = 'zoe@canary.example';
-- session: b
-- waits
-- error: 23503
INSERT INTO contact (user_id, email) VALUES (4, 'orphan27@canary.example');
-- session: a
COMMIT;
-- 28. Two inserts in one order, two in the other, of different values: nobody waits.
BEGIN;
INSERT INTO newsletter_subscriber (email) VALUES ('order28a@canary.example');
-- session: b
BEGIN;
INSERT INTO newsletter_subscriber (email) VALUES ('order28b@canary.example');
COMMIT;
-- session: a
INSERT INTO newsletter_subscriber (email) VALUES ('order28c@canary.example');
COMMIT;
SELECT email FROM newsletter_subscriber WHERE email IN ('order28a@canary.example', 'order28b@canary.example', 'order28c@canary.example') ORDER BY id;
-- 29. A savepoint gives the lock back.
BEGIN;
SAVEPOINT s;
UPDATE contact SET email = 'sp29@canary.example' WHERE id = 1;
-- session: b
-- waits
UPDATE contact SET label = 'after' WHERE id = 1 RETURNING email, label;
-- session: a
ROLLBACK TO s;
-- session: b
SELECT email, label FROM contact WHERE id = 1;
-- session: a
COMMIT;
-- 30. An advisory lock around a look-up.
BEGIN;
SELECT pg_advisory_xact_lock(30);
SELECT count(*) FROM contact WHERE email = 'ada@canary.example';
-- session: b
-- waits
SELECT pg_advisory_lock(30);
-- session: a
COMMIT;
-- session: b
SELECT pg_advisory_unlock(30);
-- 31. A table lock; described beforehand, a statement would wait for its description.
-- session: a
BEGIN;
LOCK TABLE tag IN ACCESS EXCLUSIVE MODE;
-- session: b
SELECT email FROM contact WHERE id = 1;
-- only: simple, text
-- waits
SELECT c.email, t.name FROM contact c, tag t WHERE c.id = 1 AND t.weight = 1;
-- session: a
COMMIT;
-- 32. A lock time-out ends the wait.
-- session: a
BEGIN;
UPDATE contact SET email = 'to32@canary.example' WHERE id = 1;
-- session: b
SET lock_timeout = '50ms';
-- except: W: the tuple's place is another in a table of tokens
-- error: 55P03
UPDATE contact SET email = 'to32b@canary.example' WHERE id = 1;
RESET lock_timeout;
-- session: a
ROLLBACK;
-- session: b
SELECT email FROM contact WHERE id = 1;
