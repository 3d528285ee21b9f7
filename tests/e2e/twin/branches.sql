-- Values behind a condition: which of them is stored is known row by row. Django's bulk_update,
-- SQLAlchemy's many rows at once, partial updates.
-- mode: all
UPDATE "contact" SET "email" = (CASE WHEN ("contact"."id" = 1) THEN 'bulk1@canary.example' WHEN ("contact"."id" = 2) THEN 'bulk2@canary.example' ELSE NULL END)::varchar(254) WHERE "contact"."id" IN (1, 2);
-- params: 1, 'bulk3@canary.example', 2, 'bulk4@canary.example', 1, 2
UPDATE "contact" SET "email" = (CASE WHEN ("contact"."id" = $1) THEN $2 WHEN ("contact"."id" = $3) THEN $4 ELSE NULL END)::varchar(254) WHERE "contact"."id" IN ($5, $6);
-- params: 'Canaryson b1', null, 'Canaryson n1', 'Canaryson n2'
UPDATE "contact" SET "phone" = (CASE WHEN ("contact"."id" = 1) THEN $1 WHEN ("contact"."id" = 2) THEN $2 ELSE NULL END)::text, "nick" = (CASE WHEN ("contact"."id" = 1) THEN $3 WHEN ("contact"."id" = 2) THEN $4 ELSE NULL END)::varchar, "label" = (CASE WHEN ("contact"."id" = 1) THEN 'l1' WHEN ("contact"."id" = 2) THEN 'l2' ELSE NULL END)::varchar(20) WHERE "contact"."id" IN (1, 2);
UPDATE contact SET code = (CASE WHEN id = 1 THEN 'Kanary04 and more' WHEN id = 2 THEN 'Kan  ' END)::char(8) WHERE id IN (1, 2) RETURNING id, code;
SELECT id, email, phone, code, nick, label FROM contact ORDER BY id;
-- The cast cuts each value to its length.
UPDATE contact SET email = CAST(CASE WHEN id = 1 THEN 'cut1@canary.example' ELSE 'cut2@canary.example' END AS varchar(4)) WHERE id < 3 RETURNING id, email;
UPDATE contact SET email = CAST(CASE WHEN id = 1 THEN 'cut1@canary.example' ELSE 'cut2@canary.example' END AS varchar) WHERE id < 3 RETURNING id, email;
-- params: 'cut3@canary.example'
UPDATE contact SET email = (CASE id WHEN 1 THEN $1 ELSE 'cut4@canary.example' END::varchar(6))::varchar(300) WHERE id < 3 RETURNING id, email;
-- params: 'cut5@canary.example'
UPDATE contact SET email = (COALESCE($1, 'cut6@canary.example'))::varchar(6) WHERE id < 3 RETURNING id, email;
UPDATE contact SET email = (CASE WHEN id = 1 THEN (CASE WHEN label = 'x' THEN 'cut7@canary.example' ELSE 'cut8@canary.example'::varchar(7) END) ELSE COALESCE(NULL, 'cut9@canary.example') END)::pg_catalog.varchar(9) WHERE id < 3 RETURNING id, email;
-- A column of at most that length stays what it is.
UPDATE contact SET email = (CASE WHEN id = 1 THEN 'too long for it, Canaryson ....................................................................................................................................................................................................................................................................' ELSE email END)::varchar(254) WHERE id < 3 RETURNING id, email, length(label);
UPDATE contact SET email = (CASE WHEN id = 1 THEN email ELSE 'own@canary.example' END)::varchar(300) WHERE id < 3 RETURNING id, email;
UPDATE contact SET email = email::varchar(254), label = 'same' WHERE id = 1 RETURNING email, email::varchar(254), email::varchar(300), CAST(email AS character varying(254));
-- refused
UPDATE contact SET email = (CASE WHEN id = 1 THEN email ELSE 'own@canary.example' END)::varchar(20) WHERE id < 3;
-- refused
UPDATE contact SET phone = (CASE WHEN id = 1 THEN phone ELSE 'Canaryson' END)::varchar(20) WHERE id < 3;
-- A cast on a value that is used elsewhere as well.
-- refused
UPDATE contact SET email = v.e::varchar(4), nick = v.e FROM (VALUES (1, 'twice@canary.example'), (2, 'thrice@canary.example')) v(i, e) WHERE i = contact.id;
-- Nothing of ours in it.
SELECT (CASE WHEN id = 1 THEN 'plain' ELSE label END)::varchar(3) FROM contact WHERE email IS NOT NULL ORDER BY id;
UPDATE contact SET label = (CASE WHEN id = 1 THEN 'plain' ELSE label END)::varchar(3) RETURNING id, label;
-- Compared.
-- refused: randomized
SELECT id FROM contact WHERE email = (CASE WHEN id = 2 THEN 'own@canary.example and more' ELSE 'no@canary.example' END)::varchar(18) ORDER BY id;
-- refused: randomized
-- params: 'own@canary.example and more'
SELECT id FROM contact WHERE email = COALESCE($1, 'no@canary.example')::varchar(18) ORDER BY id;
-- SQLAlchemy: insertmanyvalues.
-- params: 'many1@canary.example', 'Canaryson m1', 'many2@canary.example', null
INSERT INTO contact (email, phone) SELECT p0::VARCHAR, p1::VARCHAR FROM (VALUES ($1, $2, 0), ($3, $4, 1)) AS imp_sen(p0, p1, sen_counter) ORDER BY sen_counter RETURNING contact.id, contact.id AS id__1;
-- params: 'many3@canary.example', 'many4@canary.example'
INSERT INTO contact (email, phone) SELECT p0, p1::TEXT FROM (VALUES ($1, 'Canaryson m3', 0), ($2, 'Canaryson m4', 1)) AS imp_sen(p0, p1, sen_counter) ORDER BY sen_counter RETURNING contact.id, contact.email;
-- params: 'Canaryson m5', 'Canaryson m6'
INSERT INTO contact (nick, code, label) SELECT p0::VARCHAR, p1, p2::VARCHAR FROM (VALUES ($1, 'Kanary07', 'l', 0), ($2, 'Kan', 'm', 1)) AS imp_sen(p0, p1, p2, sen_counter) ORDER BY sen_counter RETURNING id, nick, code, label;
-- error: 22001
INSERT INTO contact (email) SELECT p0::VARCHAR FROM (VALUES ('too long for it, Canaryson ....................................................................................................................................................................................................................................................................', 0), ('many5@canary.example', 1)) AS imp_sen(p0, sen_counter) ORDER BY sen_counter RETURNING id;
INSERT INTO contact (email) SELECT p0::VARCHAR FROM (VALUES ('too long for it, Canaryson ....................................................................................................................................................................................................................................................................', 0), ('many5@canary.example', 1)) AS imp_sen(p0, sen_counter) WHERE sen_counter = 1 RETURNING id, email;
SELECT id, email, phone, code, nick, label FROM contact ORDER BY id;
-- refused: randomized
-- params: 'many1@canary.example'
SELECT v.e::varchar, c.id FROM (VALUES ($1), ('none@canary.example')) v(e) JOIN contact c ON c.email = v.e;
-- refused: randomized
SELECT v.e::text, c.id FROM (VALUES ('many1@canary.example'), ('none@canary.example')) v(e) JOIN contact c ON c.email = v.e::varchar;
-- Partial updates.
-- params: 'part1@canary.example'
UPDATE contact SET email = COALESCE($1, email) WHERE id = 1 RETURNING email;
-- params: null
UPDATE contact SET email = COALESCE($1, email), label = COALESCE($1, label) WHERE id = 1 RETURNING email, label;
-- params: 'part2@canary.example'
UPDATE contact SET email = COALESCE(email, $1) RETURNING id, email;
-- params: 'part3@canary.example', true
UPDATE contact SET email = CASE WHEN $2 THEN $1 ELSE email END WHERE id = 1 RETURNING email;
-- params: 'part4@canary.example', false
UPDATE contact SET email = CASE WHEN $2 THEN $1 ELSE email END WHERE id = 1 RETURNING email;
-- params: 'part5@canary.example', true, 'Canaryson p5', 'Canaryson p6'
UPDATE contact SET email = CASE WHEN $2 THEN $1 ELSE email END, phone = CASE WHEN $2 THEN $3 ELSE phone END, nick = COALESCE($4, nick), code = 'Kan' WHERE id = 1 RETURNING email, phone, nick;
-- params: 'part7@canary.example'
-- refused: randomized
UPDATE contact SET email = COALESCE(NULLIF($1, ''), email) WHERE id = 1 RETURNING email;
-- params: ''
-- refused: randomized
UPDATE contact SET email = COALESCE(NULLIF($1, ''), email) WHERE id = 1 RETURNING email;
-- params: 'Ada Canaryson new', ''
-- refused: randomized mixed
UPDATE auth_user SET first_name = COALESCE(NULLIF($1, ''), first_name), last_name = COALESCE(NULLIF($2, ''), last_name) WHERE id = 1 RETURNING first_name, last_name;
-- params: 'Ada Canaryson newer', null
UPDATE auth_user SET first_name = COALESCE($1, first_name), last_name = COALESCE($2, last_name) WHERE id = 1 RETURNING first_name, last_name;
UPDATE auth_user SET first_name = CASE WHEN is_staff THEN last_name ELSE first_name END WHERE id < 3 RETURNING first_name;
-- No value is longer than those of the column that it comes from.
-- refused: randomized
UPDATE contact SET email = NULLIF(email, 'part7@canary.example') WHERE id < 4 RETURNING id, email;
-- refused: randomized
UPDATE contact SET email = COALESCE(NULLIF(email, ''), 'part8@canary.example') WHERE id < 4 RETURNING id, email;
UPDATE contact SET email = email::text, code = code::text WHERE id < 4 RETURNING id, email, code;
UPDATE contact c SET email = w.before FROM (SELECT id, lag(email) OVER (ORDER BY id) AS before FROM contact) w WHERE w.id = c.id AND c.id < 3 RETURNING c.id, c.email;
INSERT INTO contact (email) SELECT email::text FROM contact WHERE id = 4 UNION ALL SELECT email FROM auth_user WHERE id = 1;
-- From a column whose values may be longer.
-- refused
INSERT INTO contact (email) SELECT phone FROM contact UNION ALL SELECT email FROM contact;
-- refused
UPDATE contact SET email = NULLIF(phone, 'x');
-- refused
UPDATE contact SET email = COALESCE('x@canary.example', phone) WHERE id = 1;
-- Too long for the column, and not come to.
UPDATE contact SET email = CASE WHEN id = 1 THEN 'here@canary.example' ELSE 'too long for it, Canaryson ....................................................................................................................................................................................................................................................................' END WHERE id = 1 RETURNING email;
UPDATE contact SET email = COALESCE('here@canary.example', 'too long for it, Canaryson ....................................................................................................................................................................................................................................................................') WHERE id = 1 RETURNING email;
UPDATE contact SET email = COALESCE(email, 'too long for it, Canaryson ....................................................................................................................................................................................................................................................................') WHERE id = 1 RETURNING email;
UPDATE contact SET email = NULL WHERE id = 3;
UPDATE contact SET email = CASE WHEN id = 99 THEN 'too long for it, Canaryson ....................................................................................................................................................................................................................................................................' ELSE email END WHERE id = 1 RETURNING email;
INSERT INTO contact (email) VALUES (COALESCE('here@canary.example', 'too long for it, Canaryson ....................................................................................................................................................................................................................................................................')) RETURNING email;
INSERT INTO contact (email) SELECT 'here@canary.example' UNION ALL SELECT 'too long for it, Canaryson ....................................................................................................................................................................................................................................................................' LIMIT 1;
-- error: 22001
UPDATE contact SET email = CASE WHEN id = 1 THEN 'too long for it, Canaryson ....................................................................................................................................................................................................................................................................' ELSE 'here@canary.example' END WHERE id = 1;
-- error: 22001
UPDATE contact SET email = COALESCE(email, 'too long for it, Canaryson ....................................................................................................................................................................................................................................................................');
-- early: a literal is sealed when the statement is read
-- error: 22001
UPDATE contact SET email = COALESCE('too long for it, Canaryson ....................................................................................................................................................................................................................................................................', email);
-- Known before any row is looked at.
-- early: a literal is sealed when the statement is read
-- error: 22001
UPDATE contact SET email = COALESCE('too long for it, Canaryson ....................................................................................................................................................................................................................................................................', email) WHERE id = 99;
-- except: W: the context lists the parameters
-- early: a value is sealed when it is bound
-- error: 22001
-- params: 'too long for it, Canaryson ....................................................................................................................................................................................................................................................................'
UPDATE contact SET email = COALESCE($1, email) WHERE id = 99;
-- except: W: the context lists the parameters
-- early: a value is sealed when it is bound
-- error: 22001
-- params: 'too long for it, Canaryson ....................................................................................................................................................................................................................................................................', true
UPDATE contact SET email = CASE WHEN $2 THEN $1 ELSE email END WHERE id = 99;
SELECT id, email, phone, code, nick, label FROM contact ORDER BY id;
-- Values that are compared with each other before they are stored: tokens of one value differ.
-- refused: randomized mixed
INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, date_joined, email, first_name, last_name) SELECT DISTINCT 'd' || n, '!', false, false, true, now(), e, f, f FROM (VALUES (1, 'd1@canary.example', 'Canaryson d'), (1, 'd1@canary.example', 'Canaryson d')) v(n, e, f);
-- refused: randomized mixed
UPDATE auth_user SET first_name = NULLIF('Canaryson z', 'Canaryson z2') WHERE id = 1 RETURNING first_name;
-- refused: randomized mixed
UPDATE auth_user SET last_name = f FROM (SELECT 'Canaryson u' AS f UNION SELECT 'Canaryson u') v WHERE id = 1 RETURNING last_name;
-- refused: randomized mixed
UPDATE auth_user SET last_name = f FROM (VALUES ('Canaryson v', 'Canaryson v')) v(f, g) WHERE id = 1 AND f = g RETURNING last_name;
-- refused: randomized mixed
UPDATE auth_user SET last_name = f FROM (SELECT f, count(*) FROM (VALUES ('Canaryson v'), ('Canaryson v')) v(f) GROUP BY f) w WHERE id = 1 RETURNING last_name;
-- refused: randomized mixed
UPDATE auth_user SET last_name = f FROM (VALUES ('Canaryson v'), ('Canaryson w')) v(f) WHERE id = 1 AND f IN ('Canaryson v') RETURNING last_name;
UPDATE auth_user SET last_name = CASE 'c' WHEN 'c' THEN 'Canaryson y' ELSE 'Canaryson n' END WHERE id = 1 RETURNING last_name;
SELECT id, first_name, last_name FROM auth_user ORDER BY id;
