-- UPDATE and DELETE.
UPDATE auth_user SET email = 'new-ada@canary.example' WHERE id = 1;
UPDATE auth_user SET first_name = 'Adah Canaryson', last_name = 'Canaryson-Byron', email = 'adah@canary.example' WHERE id = 1;
UPDATE auth_user SET is_active = NOT is_active WHERE id = 3;
UPDATE auth_user SET "email" = 'quoted@canary.example', "is_staff" = true WHERE "auth_user"."id" = 3;
UPDATE auth_user AS u SET first_name = 'Alias Canaryson' WHERE u.username = 'zoe';
UPDATE contact SET phone = NULL WHERE id = 1;
UPDATE contact SET phone = DEFAULT, nick = '' WHERE id = 1;
UPDATE contact SET email = NULL, phone = 'tel Canaryson 11' WHERE user_id = 2;
UPDATE contact SET (email, phone) = ('row@canary.example', 'tel Canaryson 12') WHERE id = 2;
UPDATE contact SET (email, label) = ROW ('row2@canary.example', 'l') WHERE id = 3;
UPDATE contact SET email = u.email FROM auth_user u WHERE u.id = contact.user_id AND contact.id = 4;
UPDATE contact SET email = (SELECT email FROM auth_user WHERE id = 2) WHERE id = 4;
UPDATE contact SET (email) = (SELECT email FROM auth_user WHERE id = 3) WHERE id = 4;
-- A column onto itself, and onto another of the same domain.
UPDATE auth_user SET email = email WHERE id = 2;
-- params: 'p-eve@canary.example', 3
UPDATE auth_user SET email = $1 WHERE id = $2;
-- params: null, 2
UPDATE contact SET phone = $1 WHERE id = $2;
-- params: 'Eva Canaryson', 'Canaryson', 'eva@canary.example', false, true, '2024-06-01 00:00:00+00', 3
UPDATE auth_user SET first_name = $1, last_name = $2, email = $3, is_staff = $4, is_active = $5, date_joined = $6 WHERE id = $7;
-- Full-row update as Django's save() sends it.
-- params: '!x', null, false, 'bob', 'Bobby Canaryson', 'Canaryson', 'bobby@canary.example', false, true, '2024-01-02 10:00:00+00', 2
UPDATE "auth_user" SET "password" = $1, "last_login" = $2, "is_superuser" = $3, "username" = $4, "first_name" = $5, "last_name" = $6, "email" = $7, "is_staff" = $8, "is_active" = $9, "date_joined" = $10 WHERE "auth_user"."id" = $11;
UPDATE auth_user SET last_login = '2024-07-01 00:00:00+00' WHERE id = 1;
UPDATE auth_user SET email = 'nobody@canary.example' WHERE id = -5;
UPDATE contact SET email = 'all@canary.example';
UPDATE contact SET phone = 'cast Canaryson'::text, nick = CAST('cut Canaryson' AS varchar(5)) WHERE id = 1;
UPDATE contact SET code = 'Kan   ' WHERE id = 1;
UPDATE contact SET code = 'Kanary04' WHERE code IS NULL;
UPDATE contact SET label = CASE WHEN email IS NULL THEN 'none' ELSE 'some' END;
UPDATE orders SET note = 'changed' WHERE user_id IN (SELECT id FROM auth_user WHERE is_active);
UPDATE orders SET total = total + 1 FROM auth_user u WHERE u.id = orders.user_id AND u.username = 'ada';
-- refused
UPDATE auth_user SET email = lower(email) WHERE id = 1;
-- refused
UPDATE auth_user SET email = email || '.invalid' WHERE id = 1;
-- refused
UPDATE orders SET note = (SELECT email FROM auth_user WHERE id = 1) WHERE id = 1;
-- Two columns of different domains do not meet.
-- refused: deterministic
UPDATE contact SET phone = email;
-- What might be too long for the target is not copied unseen.
-- refused
UPDATE contact SET code = phone;
-- refused
UPDATE contact SET email = nick;
-- By value: only where equal values have equal tokens.
-- refused: randomized
UPDATE auth_user SET is_staff = true WHERE email = 'bobby@canary.example';
-- refused: randomized
UPDATE contact SET email = 'other@canary.example' WHERE email = 'all@canary.example' AND id < 3;
-- refused: randomized
-- params: 'third@canary.example', 'other@canary.example'
UPDATE contact SET email = $1 WHERE email = $2;
SELECT * FROM auth_user ORDER BY id;
SELECT * FROM contact ORDER BY id;
SELECT * FROM orders ORDER BY id;
DELETE FROM contact WHERE id = 1;
DELETE FROM contact c WHERE c.user_id = 2;
DELETE FROM contact WHERE email IS NULL;
DELETE FROM orders USING auth_user u WHERE u.id = orders.user_id AND u.username = 'zoe';
DELETE FROM contact USING auth_user u WHERE u.id = contact.user_id AND u.is_superuser;
-- refused: randomized
DELETE FROM auth_user WHERE email = 'adah@canary.example';
-- refused: randomized
-- params: 'nobody@canary.example'
DELETE FROM newsletter_subscriber WHERE email = $1;
-- refused: randomized
DELETE FROM newsletter_subscriber WHERE email IN (SELECT email FROM auth_user);
DELETE FROM auth_user WHERE username = 'uni';
DELETE FROM newsletter_subscriber;
SELECT id, email FROM auth_user ORDER BY id;
SELECT count(*) FROM contact;
SELECT count(*) FROM newsletter_subscriber;
