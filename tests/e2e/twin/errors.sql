-- Errors that programs read: SQLSTATE, message, detail, constraint, table, column, position.
-- error: 23502
INSERT INTO auth_user (username) VALUES ('e0');
-- The server cuts the row's values, so tokens in it cannot be opened.
-- except: D: redacted
-- error: 23502
UPDATE auth_user SET email = NULL WHERE id = 1;
-- params: null, 1
-- except: D: redacted
-- error: 23502
UPDATE auth_user SET first_name = $1 WHERE id = $2;
-- error: 23505
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('!', false, 'ada', 'Ada Canaryson', 'Canaryson', 'e1@canary.example', false, true, '2024-01-01 00:00:00+00');
-- error: 23503
INSERT INTO contact (user_id, email) VALUES (4711, 'e2@canary.example');
-- error: 23503
INSERT INTO orders (user_id, total) VALUES (4711, 1);
-- error: 23514
UPDATE orders SET total = -1 WHERE id = 1;
-- error: 22001
UPDATE contact SET label = 'longer than twenty characters' WHERE id = 1;
-- Over-long values.
-- early: a literal is sealed when the statement is read
-- error: 22001
UPDATE contact SET code = 'Kanary01 and more' WHERE id = 1;
-- params: 'Kanary01 and more', 1
-- except: W: the context lists the parameters
-- early: a value is sealed when it is bound
-- error: 22001
UPDATE contact SET code = $1 WHERE id = $2;
-- Blanks beyond the length are cut without an error.
UPDATE contact SET code = 'Kanary01       ' WHERE id = 1 RETURNING code;
-- early: a literal is sealed when the statement is read
-- error: 22001
UPDATE auth_user SET first_name = 'Canaryson 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 1' WHERE id = 1;
UPDATE auth_user SET first_name = 'Canaryson 123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.' WHERE id = 1 RETURNING length(username), first_name;
-- Lengths count characters, not bytes.
UPDATE auth_user SET first_name = 'Canaryson ññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññ' WHERE id = 1 RETURNING first_name;
-- Names that are not there.
-- error: 42703
SELECT missing FROM auth_user;
-- error: 42703
SELECT u.email, u.missing FROM auth_user u;
-- error: 42P01
SELECT email FROM auth_userx;
-- error: 42P01
SELECT x.email FROM auth_user u;
-- error: 42703
INSERT INTO auth_user (missing) VALUES ('e3@canary.example');
-- error: 42703
UPDATE auth_user SET missing = 1;
-- error: 42702
SELECT email FROM auth_user a, auth_user b;
-- error: 42601
INSERT INTO contact (email, phone) VALUES ('e4@canary.example');
-- error: 42701
INSERT INTO contact (email, email) VALUES ('e5@canary.example', 'e6@canary.example');
-- error: 42803
SELECT is_active, id FROM auth_user GROUP BY is_active;
-- error: 42883
SELECT no_such_function(id) FROM auth_user;
-- error: 22P02
SELECT email FROM auth_user WHERE id = 'x';
-- error: 22012
SELECT email, 1 / (id - id) FROM auth_user;
-- The position is the one in the client's text, also behind something that was replaced.
-- error: 42703
UPDATE contact SET email = 'e7@canary.example', missing = 2 WHERE id = 1;
-- error: 42703
INSERT INTO contact (email) VALUES ('e8@canary.example') RETURNING missing;
-- error: 22P02
-- only: simple
UPDATE contact SET email = 'ünï-e9@canary.example' WHERE id = 'x';
-- Syntax errors: nothing that cannot be parsed is passed on when it names a protected table.
-- error: 42601
SELEC 1;
-- error: 42601
SELECT 1 FROM;
-- mode: deterministic
-- The value in the detail is the plain one.
-- error: 23505
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('!', false, 'e10', 'Ada Canaryson', 'Canaryson', 'ada@canary.example', false, true, '2024-01-01 00:00:00+00');
-- error: 23505
INSERT INTO newsletter_subscriber (email) VALUES ('ada@canary.example');
-- params: 'bob@canary.example'
-- error: 23505
INSERT INTO newsletter_subscriber (email) VALUES ($1);
-- error: 23505
UPDATE newsletter_subscriber SET email = 'ada@canary.example' WHERE id = 2;
-- error: 23505
UPDATE auth_user SET email = 'zoe@canary.example';
-- error: 23505
INSERT INTO newsletter_subscriber (email) VALUES ('back\slash "quoted" it''s@canary.example'), ('back\slash "quoted" it''s@canary.example');
-- error: 21000
SELECT id FROM auth_user WHERE email = (SELECT email FROM newsletter_subscriber);
-- error: 42803
SELECT email, id FROM contact GROUP BY email;
-- error: 42601
SELECT email FROM auth_user UNION SELECT email, phone FROM contact;
-- error: 42601
SELECT email FROM auth_user UNION SELECT email, id FROM contact;
-- error: 42601
SELECT email FROM auth_user UNION ALL SELECT * FROM contact;
-- error: 42601
SELECT email, id FROM auth_user UNION ALL (SELECT  id FROM contact);
-- error: 42601
SELECT id FROM auth_user WHERE id IN (VALUES (1), (2, 3));
-- mode: deterministic mixed
-- error: 42601
SELECT email FROM auth_user INTERSECT SELECT lower('x'), 2;
-- error: 42601
SELECT email FROM auth_user WHERE email IN (VALUES ('a'), ('b', 'c'));
