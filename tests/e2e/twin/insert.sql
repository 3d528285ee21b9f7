-- INSERT in the forms that applications send.
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('!', false, 'i1', 'Ina Canaryson', 'Canaryson', 'i1@canary.example', false, true, '2024-04-01 00:00:00+00');
-- Without a column list, DEFAULT for the key.
INSERT INTO auth_user VALUES (DEFAULT, '!', NULL, false, 'i2', 'Ivo Canaryson', 'Canaryson', 'i2@canary.example', false, true, '2024-04-02 00:00:00+00');
INSERT INTO auth_user VALUES (1002, '!', NULL, false, 'i3', 'Ida Canaryson', 'Canaryson', 'i3@canary.example', false, true, '2024-04-02 00:00:00+00'), (1003, '!', NULL, false, 'i4', '', 'Canaryson', 'i4@canary.example', false, true, '2024-04-02 00:00:00+00');
INSERT INTO contact VALUES (DEFAULT, 1, DEFAULT, NULL, DEFAULT, 'Kanary02', 'Canaryson');
INSERT INTO contact DEFAULT VALUES;
INSERT INTO contact (email, phone) VALUES (NULL, NULL), (DEFAULT, DEFAULT), ('d@canary.example', 'tel Canaryson 2');
INSERT INTO contact (phone, id, email) VALUES ('order of columns Canaryson', 500, 'e@canary.example');
-- Casts around literals.
INSERT INTO contact (email, phone, code) VALUES ('f@canary.example'::varchar, CAST('tel Canaryson 3' AS text), 'Kanary03'::char(8));
INSERT INTO contact (email, phone) VALUES (varchar 'g@canary.example', text 'tel Canaryson 4');
-- A cast that cuts.
INSERT INTO contact (phone, nick) VALUES ('Canaryson is cut here'::varchar(9), 'Canaryson as well'::char(12));
INSERT INTO contact (email) VALUES (('h@canary.example'));
-- Kinds of string literals.
INSERT INTO contact (email, phone) VALUES (E'esc\'aped@canary.example', E'tab\tCanaryson\u00e9');
INSERT INTO contact (email, phone) VALUES ($$dollar@canary.example$$, $tag$it's Canaryson$tag$);
INSERT INTO contact (email) VALUES (U&'\00fcni@canary.example');
INSERT INTO contact (phone) VALUES ('two '
  'parts Canaryson');
-- More expressions than columns.
-- error: 42601
INSERT INTO contact (phone) VALUES (true AND false, 1);
INSERT INTO contact (nick) VALUES ('');
INSERT INTO contact (nick) VALUES (' leading and trailing Canaryson ');
-- params: 1, 'p1@canary.example', 'tel Canaryson 5'
INSERT INTO contact (user_id, email, phone) VALUES ($1, $2, $3);
-- params: null, 'p2@canary.example', null
INSERT INTO contact (user_id, email, phone) VALUES ($1, $2, $3);
-- Types that the driver fixes.
-- types: 23, 1043, 25
-- params: 1, 'p3@canary.example', 'tel Canaryson 6'
INSERT INTO contact (user_id, email, phone) VALUES ($1, $2, $3);
-- types: 23, 25, 25
-- params: 1, 'p4@canary.example', 'tel Canaryson 7'
INSERT INTO contact (user_id, email, phone) VALUES ($1, $2, $3);
-- One parameter in two columns.
-- params: 'same@canary.example'
INSERT INTO contact (email, nick) VALUES ($1, $1);
-- A parameter in a protected and in a plain column.
-- error: 42P08 extended
-- params: 'both places'
INSERT INTO contact (label, phone) VALUES ($1, $1);
-- Each row by itself: the first gives a parameter its type, and the others convert it.
-- params: 'rows1@canary.example'
INSERT INTO contact (email, phone) VALUES ($1, 'tel Canaryson'), ('rows2@canary.example', $1);
-- params: 'rows3@canary.example'
INSERT INTO contact (phone, email) VALUES ('tel Canaryson', $1), ($1, $1);
-- error: 42P08 extended
-- params: 'rows4@canary.example'
INSERT INTO contact (email, phone) VALUES ('rows5@canary.example', 'x'), ($1, $1);
-- Inside a row what is an operand is typed before what is stored.
-- error: 42P08 extended
-- params: 'rows6@canary.example'
INSERT INTO contact (email, phone) VALUES ($1, COALESCE($1, 'x'));
-- params: 'rows7@canary.example'
INSERT INTO contact (phone, email) VALUES (COALESCE($1, 'x'), $1);
-- error: 42P08 extended
-- params: 'rows8@canary.example'
INSERT INTO contact (email) VALUES (COALESCE($1, 'x'::varchar, COALESCE($1, 'y')));
-- params: 'q1@canary.example', 'q2@canary.example', null
INSERT INTO contact (email) VALUES ($1), ($2), ($3), ('q4@canary.example'), (DEFAULT);
-- params: 'r@canary.example', 'Kan', 'tel Canaryson 8'
INSERT INTO contact (email, code, phone) VALUES ($1::varchar(254), $2::bpchar, $3::text);
-- params: '{s1@canary.example,s2@canary.example,NULL}'
INSERT INTO contact (email) SELECT * FROM unnest($1::varchar[]);
-- From another table, between columns of one domain.
INSERT INTO contact (user_id, email) SELECT id, email FROM auth_user WHERE username = 'ada';
INSERT INTO newsletter_subscriber (email) SELECT email FROM contact WHERE label = 'home' AND email IS NOT NULL AND id = 4;
INSERT INTO contact (user_id, email, label) SELECT u.id, u.email, 'x' FROM auth_user u JOIN orders o ON o.user_id = u.id WHERE o.total > 20;
-- Into an unprotected table, from a table that is protected: only plain columns.
INSERT INTO orders (user_id, total, note) SELECT id, 5, username FROM auth_user WHERE is_staff;
-- refused
INSERT INTO orders (user_id, total, note) SELECT id, 5, email FROM auth_user WHERE is_staff;
-- refused
INSERT INTO tag (name) SELECT first_name FROM auth_user WHERE username = 'ada';
INSERT INTO orders VALUES (DEFAULT, 1, 7, 'plain', '2024-05-01');
INSERT INTO public.contact AS c (email) VALUES ('alias@canary.example');
-- error: 42703
INSERT INTO "contact" ("email", "Phone") VALUES ('x', 'y');
INSERT INTO contact (email) OVERRIDING USER VALUE VALUES ('over@canary.example');
WITH given AS (SELECT 3 AS who) INSERT INTO contact (user_id, email) SELECT who, 'cte@canary.example' FROM given;
INSERT INTO contact (user_id, email) SELECT 3, 'literal@canary.example';
INSERT INTO contact (user_id, email) SELECT 3, 'union1@canary.example' UNION ALL SELECT 3, 'union2@canary.example';
INSERT INTO contact (user_id, email) VALUES ((SELECT max(id) FROM orders WHERE id < 3), 'sub@canary.example');
SELECT * FROM auth_user ORDER BY id;
SELECT * FROM contact ORDER BY id;
SELECT * FROM newsletter_subscriber ORDER BY id;
SELECT * FROM orders ORDER BY id;
SELECT * FROM tag ORDER BY name;
