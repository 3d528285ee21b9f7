-- E-mail addresses deterministic, names randomized: what most people will configure.
-- mode: mixed
SELECT id, email, first_name, last_name FROM auth_user WHERE email = 'ada@canary.example';
-- params: 'bob@canary.example'
SELECT * FROM auth_user WHERE email = $1;
-- refused
SELECT id FROM auth_user WHERE first_name = 'Ada Canaryson';
-- refused
SELECT id FROM auth_user WHERE email = 'ada@canary.example' AND last_name = 'Canaryson';
-- refused
SELECT id FROM auth_user WHERE (email, first_name) = ('ada@canary.example', 'Ada Canaryson');
SELECT DISTINCT email FROM contact;
-- refused
SELECT DISTINCT email, phone FROM contact;
-- refused
SELECT DISTINCT * FROM auth_user;
SELECT email, count(*), count(phone) FROM contact GROUP BY email;
-- refused
SELECT phone, count(*) FROM contact GROUP BY phone;
-- refused
SELECT id FROM auth_user WHERE email = first_name;
SELECT u.first_name, n.confirmed FROM auth_user u JOIN newsletter_subscriber n USING (email) ORDER BY u.id;
UPDATE auth_user SET first_name = 'Mix Canaryson' WHERE email = 'ada@canary.example' RETURNING first_name, email;
-- params: 'Mixed Canaryson', 'bob@canary.example'
UPDATE auth_user SET first_name = $1 WHERE email = $2 RETURNING first_name;
DELETE FROM contact WHERE email = 'other@canary.example' RETURNING phone;
INSERT INTO contact (email, phone) SELECT email, NULL FROM newsletter_subscriber RETURNING *;
SELECT email FROM auth_user UNION SELECT email FROM newsletter_subscriber;
-- refused
SELECT email FROM auth_user UNION ALL SELECT first_name FROM auth_user;
-- error: 23505
INSERT INTO newsletter_subscriber (email) VALUES ('ada@canary.example');
-- One value under two modes: two parameters for the server.
-- params: 'both@canary.example'
INSERT INTO contact (email, nick) VALUES ($1, $1) RETURNING email, nick;
SELECT id, email, first_name, last_name FROM auth_user ORDER BY id;
SELECT * FROM contact ORDER BY id;
