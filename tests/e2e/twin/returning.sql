-- RETURNING.
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('!', false, 'r1', 'Rita Canaryson', 'Canaryson', 'r1@canary.example', false, true, '2024-04-01 00:00:00+00') RETURNING "auth_user"."id";
INSERT INTO contact (email, phone) VALUES ('r2@canary.example', 'tel Canaryson 21') RETURNING *;
INSERT INTO contact (email) VALUES ('r3@canary.example'), (NULL) RETURNING id, email AS mail, phone;
INSERT INTO contact AS c (email, code) VALUES ('r4@canary.example', 'Kan') RETURNING c.email, c.code, c.id + 1 AS next;
INSERT INTO contact (email) VALUES ('r5@canary.example') RETURNING 0;
INSERT INTO contact (email) VALUES ('r6@canary.example') RETURNING email IS NULL, label;
-- params: 'r7@canary.example', 'Kanary07'
INSERT INTO contact (email, code) VALUES ($1, $2) RETURNING email, code, id;
UPDATE contact SET phone = 'tel Canaryson 22' WHERE id = 1 RETURNING id, email, phone;
UPDATE contact SET phone = NULL WHERE label = 'work' RETURNING *;
UPDATE auth_user SET email = 'u1@canary.example' WHERE id = 1 RETURNING auth_user.email, username;
UPDATE contact c SET label = 'joined' FROM auth_user u WHERE u.id = c.user_id RETURNING c.id, u.email, c.email, u.first_name;
-- params: 'u2@canary.example', 2
UPDATE auth_user SET email = $1 WHERE id = $2 RETURNING id, email;
DELETE FROM contact WHERE id = 1 RETURNING email;
DELETE FROM contact WHERE user_id = 2 RETURNING *;
DELETE FROM contact USING auth_user u WHERE u.id = contact.user_id RETURNING u.email, contact.email;
DELETE FROM contact WHERE id = -1 RETURNING email, phone;
WITH moved AS (DELETE FROM newsletter_subscriber WHERE id = 1 RETURNING email) SELECT email FROM moved;
WITH moved AS (DELETE FROM newsletter_subscriber WHERE id = 2 RETURNING email) INSERT INTO contact (email) SELECT email FROM moved RETURNING email;
WITH fresh AS (INSERT INTO contact (email) VALUES ('w@canary.example') RETURNING id, email) SELECT f.email, f.email IS NULL FROM fresh f;
WITH changed AS (UPDATE auth_user SET first_name = 'Will Canaryson' WHERE id = 2 RETURNING id, first_name) UPDATE contact SET label = 'w' FROM changed WHERE contact.user_id = changed.id;
-- refused
INSERT INTO contact (email) VALUES ('lower@canary.example') RETURNING lower(email);
-- refused
UPDATE contact SET label = 'x' RETURNING email || '!';
SELECT * FROM contact ORDER BY id;
SELECT * FROM newsletter_subscriber ORDER BY id;
SELECT id, first_name, email FROM auth_user ORDER BY id;
