-- MERGE, UPDATE ... FROM and of rows, DELETE ... USING, RETURNING of what was joined.
-- mode: all
MERGE INTO contact c USING (VALUES (1, 'm1@canary.example'), (900, 'm2@canary.example')) v (id, mail) ON c.id = v.id WHEN MATCHED THEN UPDATE SET email = v.mail WHEN NOT MATCHED THEN INSERT (id, email) VALUES (v.id, v.mail);
MERGE INTO contact c USING auth_user u ON c.user_id = u.id AND c.label = 'work' WHEN MATCHED THEN UPDATE SET email = u.email WHEN NOT MATCHED AND u.is_staff THEN INSERT (user_id, email, label) VALUES (u.id, u.email, 'staff');
MERGE INTO contact USING (SELECT 3 AS id) s ON contact.id = s.id WHEN MATCHED AND contact.email IS NULL THEN UPDATE SET phone = 'tel Canaryson 81', label = 'was null' WHEN MATCHED THEN DO NOTHING;
MERGE INTO contact c USING (SELECT id FROM auth_user WHERE username = 'eve') u ON c.user_id = u.id WHEN MATCHED THEN DELETE;
-- refused
-- params: 901, 'm3@canary.example'
MERGE INTO contact c USING (SELECT $1::int AS id, $2::varchar AS mail) s ON c.id = s.id WHEN NOT MATCHED THEN INSERT (id, email) VALUES (s.id, s.mail) WHEN MATCHED THEN UPDATE SET email = s.mail;
MERGE INTO orders o USING auth_user u ON o.user_id = u.id AND u.email IS NOT NULL WHEN MATCHED THEN UPDATE SET note = u.username WHEN NOT MATCHED THEN DO NOTHING;
-- refused: randomized
MERGE INTO contact c USING newsletter_subscriber n ON c.email = n.email WHEN MATCHED THEN UPDATE SET label = 'news';
-- refused: randomized
MERGE INTO contact c USING (SELECT 1 AS one) s ON c.id = s.one WHEN MATCHED AND c.email = 'ada@canary.example' THEN UPDATE SET label = 'ada' WHEN MATCHED THEN UPDATE SET label = 'other';
-- refused
MERGE INTO orders o USING auth_user u ON o.user_id = u.id WHEN MATCHED THEN UPDATE SET note = u.email;
-- refused
MERGE INTO contact c USING auth_user u ON c.user_id = u.id WHEN MATCHED THEN UPDATE SET email = lower(u.email);
-- error: 21000
MERGE INTO contact c USING (VALUES (1, 'a'), (1, 'b')) v (id, l) ON c.id = v.id WHEN MATCHED THEN UPDATE SET label = v.l;
SELECT * FROM contact ORDER BY id;
SELECT id, note FROM orders ORDER BY id;
-- UPDATE ... FROM.
UPDATE contact c SET email = u.email, label = u.username FROM auth_user u WHERE u.id = c.user_id AND c.id < 3 RETURNING c.id, c.email, u.email IS NULL AS odd;
UPDATE contact SET label = 'x' FROM auth_user u JOIN orders o ON o.user_id = u.id WHERE contact.user_id = u.id AND o.total > 90 RETURNING contact.id, u.email, o.total;
UPDATE contact AS c SET phone = d.phone FROM contact AS d WHERE d.id = 1 AND c.id = 2 RETURNING c.phone, d.phone, d.nick;
UPDATE contact c SET email = s.mail FROM (SELECT id, email AS mail FROM auth_user) s WHERE s.id = c.id RETURNING c.id, c.email, s.mail;
UPDATE contact c SET email = s.email FROM LATERAL (SELECT email FROM auth_user ORDER BY id LIMIT 1) s WHERE c.id = 5 RETURNING c.email;
UPDATE ONLY contact SET email = DEFAULT, phone = DEFAULT WHERE id = 5 RETURNING *;
UPDATE contact SET (label, email, phone) = ('tuple', 'm4@canary.example', DEFAULT) WHERE id = 2 RETURNING label, email, phone;
UPDATE contact SET (email, label) = (SELECT u.email, u.username FROM auth_user u WHERE u.id = contact.user_id) WHERE id = 2 RETURNING email, label;
UPDATE contact SET (email, phone) = (SELECT NULL, 'tel Canaryson 82') WHERE id = 1 RETURNING email, phone;
-- params: 'm5@canary.example', 'tel Canaryson 83', 1
UPDATE contact SET (email, phone) = ($1, $2) WHERE id = $3 RETURNING email, phone;
UPDATE contact SET email = CASE WHEN id = 1 THEN 'm6@canary.example' ELSE email END RETURNING id, email;
UPDATE contact SET email = CASE id WHEN 1 THEN 'm7@canary.example' WHEN 2 THEN NULL ELSE email END WHERE id < 4 RETURNING id, email;
UPDATE auth_user SET first_name = last_name, last_name = first_name WHERE id = 1 RETURNING first_name, last_name;
UPDATE contact SET email = 'm8@canary.example' WHERE ctid = (SELECT min(ctid) FROM contact WHERE id = 1) RETURNING email;
-- refused: randomized
UPDATE contact SET label = 'same' FROM newsletter_subscriber n WHERE n.email = contact.email RETURNING contact.id, n.email;
-- refused: randomized
UPDATE newsletter_subscriber SET confirmed = (email = 'ada@canary.example') RETURNING id, confirmed;
-- refused: randomized
UPDATE newsletter_subscriber n SET confirmed = EXISTS (SELECT 1 FROM auth_user u WHERE u.email = n.email) RETURNING id, confirmed;
-- refused: randomized
-- params: 'bob@canary.example', 'bob@canary.example'
UPDATE contact SET email = $1 WHERE email <> $2 OR email IS NULL RETURNING id;
-- refused
UPDATE contact SET label = email;
-- refused
UPDATE contact SET label = 'n' || (SELECT email FROM auth_user WHERE id = 1);
-- refused
UPDATE contact SET phone = u.username FROM auth_user u WHERE u.id = contact.user_id;
-- refused
UPDATE contact SET phone = replace(phone, 'tel', 'fax');
-- error: 42601
UPDATE contact SET email = 'm9@canary.example', email = 'm10@canary.example';
-- refused
UPDATE contact SET (email, phone) = ('m11@canary.example', NULL, 1);
-- error: 42P01
UPDATE contact AS c SET email = 'm12@canary.example' WHERE d.id = 1;
-- error: 42803
UPDATE contact SET label = max(label);
-- DELETE ... USING.
DELETE FROM contact c USING auth_user u, orders o WHERE u.id = c.user_id AND o.user_id = u.id AND o.total > 99 RETURNING c.id, c.email, u.email;
DELETE FROM contact c USING contact d WHERE d.user_id = c.user_id AND d.id < c.id RETURNING c.id, d.email, c.email;
DELETE FROM contact WHERE id IN (SELECT id FROM contact WHERE email IS NULL ORDER BY id LIMIT 1) RETURNING *;
-- refused: randomized
DELETE FROM contact c USING newsletter_subscriber n WHERE n.email = c.email RETURNING c.id, n.id;
-- refused: randomized
DELETE FROM newsletter_subscriber n WHERE NOT EXISTS (SELECT 1 FROM auth_user u WHERE u.email = n.email) RETURNING email;
-- refused: randomized
-- params: '{none@canary.example,bob@canary.example}'
DELETE FROM newsletter_subscriber WHERE email = ANY($1) RETURNING email;
-- RETURNING.
INSERT INTO contact (id, email) VALUES (950, 'm13@canary.example') RETURNING id, email, (SELECT count(*) FROM contact) AS n;
INSERT INTO contact (id, email) VALUES (951, 'm14@canary.example') RETURNING (SELECT u.email FROM auth_user u WHERE u.id = 1), email IS NOT NULL, CASE WHEN label = 'home' THEN email END;
INSERT INTO contact AS k (id, email, code) SELECT 952, email, 'Kan' FROM auth_user WHERE id = 1 RETURNING k.*, k.email AS "E-Mail";
-- refused: randomized
INSERT INTO contact (id, email) VALUES (953, 'm15@canary.example') RETURNING email = 'm15@canary.example';
-- refused
INSERT INTO contact (id, email) VALUES (954, 'm16@canary.example') RETURNING md5(email);
-- error: 42601
INSERT INTO contact (id, email) VALUES (955, 'm17@canary.example', 1) RETURNING email;
-- error: 42601
INSERT INTO contact (id, email) SELECT 956 RETURNING email;
SELECT * FROM contact ORDER BY id;
SELECT * FROM newsletter_subscriber ORDER BY id;
