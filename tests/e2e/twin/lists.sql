-- Lists of rows that a statement compares, and stores or not: a value that is too long for the
-- column is an error of the row that is stored, and of no other.
-- mode: all
UPDATE auth_user SET email = v.new FROM (VALUES (1, 'one@canary.example'), (2, 'two@canary.example')) v(id, new) WHERE auth_user.id = v.id RETURNING auth_user.id, email;
UPDATE contact SET label = 'x', email = v.new FROM (VALUES (1, 'one@canary.example'), (99, 'too long for it, Canaryson ........................................................................................................................................................................................................................................................................')) v(id, new) WHERE contact.id = v.id;
-- error: 22001
UPDATE contact SET label = 'x', email = v.new FROM (VALUES (99, 'one@canary.example'), (1, 'too long for it, Canaryson ........................................................................................................................................................................................................................................................................')) v(id, new) WHERE contact.id = v.id;
INSERT INTO contact (email, phone) SELECT e, p FROM (VALUES ('list1@canary.example', 'Canaryson l1'), ('list2@canary.example', NULL)) v(e, p);
WITH v(e) AS (VALUES ('cte1@canary.example'), ('cte2@canary.example')), i AS (INSERT INTO contact (email) SELECT e FROM v RETURNING email) SELECT email FROM i;
WITH v(e) AS (VALUES ('cte1@canary.example'), ('cte2@canary.example')), i AS (INSERT INTO contact (email) SELECT e FROM v RETURNING email) SELECT e FROM v;
SELECT email, phone FROM contact ORDER BY id;
-- mode: deterministic mixed
MERGE INTO newsletter_subscriber s USING (VALUES ('ada@canary.example', true), ('new@canary.example', false)) v(email, c) ON s.email = v.email WHEN MATCHED THEN UPDATE SET confirmed = v.c WHEN NOT MATCHED THEN INSERT (email, confirmed) VALUES (v.email, v.c);
SELECT email, confirmed FROM newsletter_subscriber ORDER BY id;
-- error: 22001
MERGE INTO newsletter_subscriber s USING (VALUES ('ada@canary.example', true), ('too long for it, Canaryson ........................................................................................................................................................................................................................................................................', false)) v(email, c) ON s.email = v.email WHEN MATCHED THEN UPDATE SET confirmed = v.c WHEN NOT MATCHED THEN INSERT (email, confirmed) VALUES (v.email, v.c);
MERGE INTO newsletter_subscriber s USING (VALUES ('ada@canary.example', true), ('too long for it, Canaryson ........................................................................................................................................................................................................................................................................', false)) v(email, c) ON s.email = v.email WHEN MATCHED THEN UPDATE SET confirmed = v.c;
-- params: 'merged@canary.example'
MERGE INTO newsletter_subscriber s USING (SELECT $1::varchar AS email) v ON s.email = v.email WHEN NOT MATCHED THEN INSERT (email) VALUES (v.email);
WITH v(email) AS (VALUES ('ada@canary.example'), ('newer@canary.example')) INSERT INTO newsletter_subscriber (email) SELECT email FROM v WHERE NOT EXISTS (SELECT 1 FROM newsletter_subscriber s WHERE s.email = v.email) RETURNING email;
-- params: 'newest@canary.example'
WITH v(email) AS (VALUES ($1), ('ada@canary.example')) INSERT INTO newsletter_subscriber (email) SELECT v.email FROM v LEFT JOIN newsletter_subscriber s ON s.email = v.email WHERE s.id IS NULL RETURNING email;
UPDATE newsletter_subscriber s SET email = v.new FROM (VALUES ('ada@canary.example', 'ada2@canary.example'), ('bob@canary.example', 'bob@canary.example')) v(old, new) WHERE s.email = v.old AND s.email <> v.new RETURNING s.email, v.old, v.new;
-- error: 22001
UPDATE newsletter_subscriber s SET email = v.new FROM (VALUES ('ada2@canary.example', 'too long for it, Canaryson ........................................................................................................................................................................................................................................................................'), ('bob@canary.example', 'bob@canary.example')) v(old, new) WHERE s.email = v.old AND s.email <> v.new;
SELECT id FROM auth_user u WHERE NOT EXISTS (SELECT 1 FROM (VALUES ('ada@canary.example'), ('eve@canary.example')) v(e) WHERE v.e = u.email) ORDER BY id;
SELECT email FROM newsletter_subscriber ORDER BY id;
