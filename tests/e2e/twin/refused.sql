-- What the server cannot do on tokens is refused, with a hint, whatever the mode.
-- mode: all
-- refused
SELECT id FROM auth_user WHERE email LIKE 'ada%';
-- refused
SELECT id FROM auth_user WHERE email NOT LIKE 'ada%';
-- refused
SELECT id FROM auth_user WHERE email ILIKE 'ADA%';
-- refused
SELECT id FROM auth_user WHERE email LIKE 'a\_%' ESCAPE '\';
-- refused
SELECT id FROM auth_user WHERE email SIMILAR TO '(a|b)%';
-- refused
SELECT id FROM auth_user WHERE email ~ '^ada';
-- refused
SELECT id FROM auth_user WHERE email ~* '^ADA';
-- refused
SELECT id FROM auth_user WHERE email !~ 'x';
-- refused
SELECT id FROM auth_user WHERE email::text ~ 'x';
-- refused
SELECT id FROM auth_user WHERE email < 'm';
-- refused
SELECT id FROM auth_user WHERE email >= 'a' AND email <= 'c';
-- refused
SELECT id FROM auth_user WHERE email BETWEEN 'a' AND 'c';
-- refused
SELECT id FROM auth_user WHERE (email, id) > ('a', 1);
-- refused
SELECT id FROM auth_user ORDER BY email;
-- refused
SELECT id FROM auth_user ORDER BY last_name, first_name;
-- refused
SELECT email FROM auth_user ORDER BY 1;
-- refused
SELECT email AS e FROM auth_user ORDER BY e DESC;
-- refused
SELECT t.mail FROM (SELECT email AS mail FROM auth_user) t ORDER BY t.mail;
-- refused
SELECT min(email), max(email) FROM auth_user;
-- refused
SELECT lower(email) FROM auth_user;
-- refused
SELECT upper(first_name), length(last_name) FROM auth_user;
-- refused
SELECT email || 'x' FROM auth_user;
-- refused
SELECT 'x' || email FROM auth_user;
-- refused
SELECT concat(first_name, ' ', last_name) FROM auth_user;
-- refused
SELECT substring(email from 1 for 3) FROM auth_user;
-- refused
SELECT position('@' in email) FROM auth_user;
-- refused
SELECT trim(email) FROM auth_user;
-- refused
SELECT left(email, 3), md5(email) FROM auth_user;
-- refused
SELECT string_agg(email, ',') FROM auth_user;
-- refused
SELECT split_part(email, '@', 2), count(*) FROM auth_user GROUP BY 1;
-- refused
SELECT id FROM auth_user WHERE lower(email) = 'ada@canary.example';
-- refused
SELECT id FROM auth_user WHERE upper(email::text) = upper('ada@canary.example');
-- refused
SELECT id FROM auth_user WHERE length(email) > 3;
-- refused
SELECT to_json(u) FROM auth_user u;
-- refused
SELECT row_to_json(u) FROM auth_user u;
-- refused
SELECT json_agg(email) FROM auth_user;
-- refused
SELECT jsonb_build_object('mail', email) FROM auth_user;
-- refused
SELECT email::bytea FROM auth_user;
-- refused
SELECT greatest(email, 'x') FROM auth_user;
-- refused
SELECT rank() OVER (ORDER BY email) FROM auth_user;
-- refused
SELECT first_value(id) OVER (ORDER BY last_name) FROM auth_user;
-- refused
SELECT id FROM auth_user GROUP BY id HAVING min(email) > 'a';
-- refused
SELECT id FROM auth_user GROUP BY id ORDER BY lower(min(email));
-- refused
SELECT DISTINCT ON (email) email FROM auth_user ORDER BY email;
-- refused
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY email) FROM auth_user;
-- refused
SELECT format('%s', email) FROM auth_user;
-- refused
SELECT email COLLATE "C" FROM auth_user ORDER BY 1;
-- refused
SELECT email::int FROM contact;
-- refused
SELECT id FROM auth_user WHERE email = username;
-- refused
SELECT id FROM auth_user WHERE email = 'a' || '@canary.example';
-- refused
SELECT id FROM auth_user WHERE email = lower('ADA@canary.example');
-- refused
INSERT INTO contact (email) VALUES (lower('UP@canary.example'));
-- refused
INSERT INTO contact (email) VALUES ('a' || '@canary.example');
-- refused
-- params: 'Up@canary.example'
INSERT INTO contact (email) VALUES (lower($1));
-- refused
INSERT INTO contact (phone) VALUES (current_user);
-- refused
INSERT INTO contact (phone) SELECT username FROM auth_user;
-- refused
INSERT INTO contact (phone) SELECT note FROM orders;
-- refused
INSERT INTO contact (email) SELECT phone FROM contact;
-- refused
CREATE TABLE copy_of_users AS SELECT * FROM auth_user;
-- refused
SELECT email INTO copy_of_mails FROM auth_user;
-- refused
SELECT array_agg(lower(email)) FROM auth_user;
-- refused
SELECT query_to_xml('SELECT email FROM auth_user', true, true, '');
-- refused
SELECT table_to_xml('auth_user', true, true, '');
-- refused
SELECT * FROM auth_user WHERE email IN (SELECT lower(email) FROM newsletter_subscriber);
-- refused
COPY auth_user TO PROGRAM 'cat';
-- Still the same afterwards.
SELECT email FROM auth_user WHERE id = 1;
SELECT count(*) FROM contact;
