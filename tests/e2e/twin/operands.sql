-- The type that a literal or a parameter takes from its neighbours: whether trailing blanks count
-- follows from it.
-- mode: deterministic
-- The operand of CASE is text before it is compared.
SELECT id FROM contact WHERE CASE 'Kan  ' WHEN code THEN true ELSE false END ORDER BY id;
SELECT id, CASE 'Kan' WHEN code THEN 1 END FROM contact ORDER BY id;
SELECT id, CASE code WHEN 'Kan  ' THEN 1 WHEN 'Kanary01   ' THEN 2 END FROM contact ORDER BY id;
-- params: 'Kan '
SELECT id FROM contact WHERE CASE $1 WHEN code THEN true ELSE false END ORDER BY id;
-- params: 'Kan'
SELECT id, CASE $1 WHEN code THEN 1 WHEN 'Kan' THEN 2 END FROM contact ORDER BY id;
-- params: 'Kan '
SELECT id, CASE code WHEN $1 THEN 1 END FROM contact ORDER BY id;
SELECT id FROM contact WHERE CASE 'Kan '::bpchar WHEN code THEN true ELSE false END ORDER BY id;
SELECT id FROM contact WHERE CASE 'Kan '::varchar WHEN code THEN true ELSE false END ORDER BY id;
SELECT id FROM contact WHERE CASE 'Kan '::text WHEN code THEN true ELSE false END ORDER BY id;
SELECT id FROM contact WHERE CASE 'trailing Canaryson ' WHEN nick THEN true END ORDER BY id;
-- params: 'ada@canary.example'
SELECT id FROM contact WHERE CASE $1 WHEN email THEN true END ORDER BY id;
-- An array's elements, and the operands of a list, are of the first type that is known.
SELECT id FROM contact WHERE code = ANY (ARRAY['Kan  ', 'x']) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY['Kan  ', 'x'::bpchar]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY['x'::bpchar, 'Kan  ']) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY['Kan  ', 'x'::varchar]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY['Kan  ', 'x'::text]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY['Kan  '::text, 'x'::bpchar]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY['Kan  '::bpchar, 'x'::text]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY['x'::bpchar, 'Kan  '::text]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY['x'::text, 'Kan  '::bpchar]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY['Kan  ', NULL::bpchar]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY[NULL::bpchar, 'Kan  ']) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY['Kan  ', NULL]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY['Kan  ', NULL::text]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY[NULL::text]) ORDER BY id;
SELECT id FROM contact WHERE email <> ALL (ARRAY[NULL, NULL::bpchar]) OR id = 1 ORDER BY id;
SELECT id FROM contact WHERE email <> ALL (ARRAY[NULL::varchar, 'ada@canary.example']) ORDER BY id;
-- params: 'Kan  '
SELECT id FROM contact WHERE code = ANY (ARRAY[$1, 'x'::bpchar]) ORDER BY id;
-- params: 'Kan  '
SELECT id FROM contact WHERE code = ANY (ARRAY['x'::varchar, $1]) ORDER BY id;
-- params: 'Kan  ', 'x'
SELECT id FROM contact WHERE code = ANY (ARRAY[$1, $2]) ORDER BY id;
-- params: 'Kan  ', 'x'
SELECT id FROM contact WHERE code = ANY (ARRAY[$1, $2::text]) ORDER BY id;
-- params: 'ada@canary.example', 'bob@canary.example'
SELECT id FROM contact WHERE email = ANY (ARRAY[$1::varchar, $2]) ORDER BY id;
-- params: 'ada@canary.example', 'bob@canary.example'
SELECT id FROM contact WHERE email = ANY (ARRAY[$1, NULL, $2::varchar(40)]) ORDER BY id;
-- params: 'ada@canary.example'
SELECT id FROM contact WHERE email = ANY (ARRAY[NULL::varchar, $1]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY ('{"Kan  "}') ORDER BY id;
SELECT id FROM contact WHERE code = ANY ('{"Kan  "}'::bpchar[]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY ('{"Kan  "}'::varchar[]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY ('{"Kan  "}'::text[]) ORDER BY id;
SELECT id FROM contact WHERE code = ANY (ARRAY['Kan  ']::text[]) ORDER BY id;
-- only: extended
-- params: '{"Kan  "}'
SELECT id FROM contact WHERE code = ANY ($1::text[]) ORDER BY id;
SELECT id FROM contact WHERE code IN ('Kan  ', 'x') ORDER BY id;
SELECT id FROM contact WHERE code IN ('Kan  '::text) ORDER BY id;
SELECT id FROM contact WHERE code IN ('Kan  '::text, 'x') ORDER BY id;
SELECT id FROM contact WHERE code IN ('Kan  '::text, 'x'::bpchar) ORDER BY id;
SELECT id FROM contact WHERE code NOT IN ('Kan  '::varchar, 'x'::text) ORDER BY id;
SELECT id FROM contact WHERE code IN ('Kan  '::text, NULL) ORDER BY id;
SELECT id FROM contact WHERE email IN ('ada@canary.example  '::bpchar, 'x') ORDER BY id;
-- params: 'Kan  ', 'x'
SELECT id FROM contact WHERE code IN ($1::text, $2) ORDER BY id;
-- params: 'Kan  '
SELECT id FROM contact WHERE code IN ($1::text) ORDER BY id;
SELECT id FROM contact WHERE 'Kan  ' IN (code, 'x') ORDER BY id;
SELECT id FROM contact WHERE 'Kan  '::text IN (code, 'x') ORDER BY id;
-- refused
SELECT id FROM contact WHERE 'Kan ' IN ('Kan', 'x', code) ORDER BY id;
-- Rows are compared field by field.
SELECT id FROM contact WHERE (code, id) = ('Kan  ', 2) ORDER BY id;
SELECT id FROM contact WHERE (code, id) = ('Kan  '::text, 2) ORDER BY id;
SELECT id FROM contact WHERE (code, id) IN (('Kan  '::text, 2), ('Kan ', 5)) ORDER BY id;
SELECT id FROM contact WHERE (code, id) = (SELECT 'Kan  ', 2) ORDER BY id;
SELECT id FROM contact WHERE code IS NOT DISTINCT FROM 'Kan  ' ORDER BY id;
SELECT id FROM contact WHERE code IS NOT DISTINCT FROM 'Kan  '::text ORDER BY id;
-- What is made of others has their type.
SELECT id FROM contact WHERE code = NULLIF('Kan  ', 'x') ORDER BY id;
SELECT id FROM contact WHERE code = NULLIF('Kan  ', 'x'::bpchar) ORDER BY id;
SELECT id FROM contact WHERE code = NULLIF('Kan  '::bpchar, 'x') ORDER BY id;
SELECT id FROM contact WHERE NULLIF('Kan  ', code) IS NULL ORDER BY id;
SELECT id FROM contact WHERE NULLIF('Kan  '::text, code) IS NULL ORDER BY id;
SELECT id FROM contact WHERE code = COALESCE('Kan  ', 'x') ORDER BY id;
SELECT id FROM contact WHERE code = COALESCE('Kan  ', 'x'::bpchar) ORDER BY id;
SELECT id FROM contact WHERE code = COALESCE('Kan  ', NULL::bpchar) ORDER BY id;
SELECT id FROM contact WHERE code = COALESCE('Kan  ', NULL) ORDER BY id;
SELECT id FROM contact WHERE code = CASE WHEN id > 0 THEN 'Kan  ' ELSE 'x' END ORDER BY id;
SELECT id FROM contact WHERE code = CASE WHEN id > 0 THEN 'Kan  ' ELSE 'x'::bpchar END ORDER BY id;
SELECT id FROM contact WHERE code = CASE WHEN id > 0 THEN 'Kan  ' ELSE 'x'::text END ORDER BY id;
SELECT id FROM contact WHERE code = CASE WHEN id > 0 THEN 'Kan  '::bpchar ELSE 'x'::text END ORDER BY id;
SELECT id FROM contact WHERE code = (SELECT 'Kan  ') ORDER BY id;
SELECT id FROM contact WHERE code IN (SELECT 'Kan  ') ORDER BY id;
SELECT id FROM contact WHERE code IN (SELECT 'Kan  '::bpchar) ORDER BY id;
SELECT id FROM contact WHERE code IN (SELECT 'Kan  ' UNION SELECT 'x'::bpchar) ORDER BY id;
SELECT id FROM contact WHERE code IN (VALUES ('Kan  '), ('x')) ORDER BY id;
SELECT id FROM contact WHERE code IN (VALUES ('Kan  '), ('x'::bpchar)) ORDER BY id;
SELECT id FROM contact JOIN (VALUES ('Kan  '::bpchar), ('x')) t(v) ON code = v ORDER BY id;
-- Its blanks would be shown, though they mean nothing.
-- refused
SELECT id, v FROM contact JOIN (VALUES ('Kan  '::bpchar), ('x')) t(v) ON code = v ORDER BY id;
SELECT id FROM contact JOIN (VALUES ('Kan  '::varchar), ('x')) t(v) ON code = v ORDER BY id;
-- Its blanks mean something, but not in the comparison with the column.
-- refused
SELECT id FROM contact JOIN (VALUES ('Kan  '::varchar), ('x')) t(v) ON code = v AND v = 'Kan' ORDER BY id;
-- refused
SELECT v, count(*) FROM contact JOIN (VALUES ('Kan  '::varchar), ('x')) t(v) ON code = v GROUP BY v;
SELECT id, v FROM contact JOIN (VALUES ('Kan  '), ('Kan')) t(v) ON code = v ORDER BY id;
-- params: 'Kan  ', 'x'
SELECT id FROM contact WHERE code = COALESCE($1, $2::bpchar) ORDER BY id;
-- params: 'ada@canary.example', 'bob@canary.example'
SELECT id FROM contact WHERE email = COALESCE($1, $2::varchar) ORDER BY id;
-- params: 'ada@canary.example', 'bob@canary.example'
SELECT v FROM (VALUES ($1), ($2::varchar(40))) t(v) JOIN contact ON email = v ORDER BY id;
SELECT v FROM (VALUES ('ada@canary.example'::varchar), ('x'::varchar)) t(v) JOIN contact ON email = v ORDER BY id;
SELECT v FROM (VALUES ('ada@canary.example'::varchar(40))) t(v) JOIN contact ON email = v ORDER BY id;
SELECT id, COALESCE('ada@canary.example'::text, email), COALESCE(email, 'x'::text), COALESCE(NULL::text, email) FROM contact ORDER BY id;
-- only: simple text
SELECT id, COALESCE(NULL::varchar, email), COALESCE(email, NULL::varchar) FROM contact ORDER BY id;
SELECT id, CASE WHEN id = 1 THEN email ELSE 'ada@canary.example'::varchar(254) END, CASE WHEN id = 1 THEN email ELSE NULL::varchar(254) END FROM contact ORDER BY id;
SELECT email FROM contact UNION ALL SELECT NULL::varchar(254);
SELECT NULL::text UNION ALL SELECT email FROM contact;
SELECT NULL::varchar UNION ALL SELECT nick FROM contact;
SELECT 'ada@canary.example'::text AS text UNION ALL SELECT email FROM contact;
SELECT phone FROM contact EXCEPT SELECT 'tel Canaryson 1'::varchar;
-- What the client declares is a type, too.
-- only: extended
-- types: 25
-- params: 'Kan  '
SELECT id FROM contact WHERE code = $1 ORDER BY id;
-- only: extended
-- types: 1043
-- params: 'Kan  '
SELECT id FROM contact WHERE code = $1 ORDER BY id;
-- only: extended
-- types: 1042
-- params: 'Kan  '
SELECT id FROM contact WHERE code = $1 ORDER BY id;
-- only: extended
-- types: 25
-- params: 'Kan  '
SELECT id FROM contact WHERE code IN ($1, 'x') ORDER BY id;
-- only: extended
-- types: 25, 0
-- params: 'Kan  ', 'x'
SELECT id FROM contact WHERE code = ANY (ARRAY[$1, $2]) ORDER BY id;
-- only: extended
-- types: 1042
-- params: 'Kan  '
SELECT id FROM contact WHERE code = COALESCE($1, 'x') ORDER BY id;
-- only: extended
-- types: 1009
-- params: '{"Kan  "}'
SELECT id FROM contact WHERE code = ANY ($1) ORDER BY id;
-- One parameter has one type.
-- refused: extended
-- params: 'Kan  '
SELECT id FROM contact WHERE code = $1::text OR code = $1 ORDER BY id;
-- refused: extended
-- params: 'Kan  '
SELECT id FROM contact WHERE code = $1 OR code = $1::text ORDER BY id;
-- refused: extended
-- params: 'Kan  '
SELECT id FROM contact WHERE label = $1 OR code = $1 ORDER BY id;
-- params: 'Kan  '
SELECT id FROM contact WHERE $1::bpchar IS NULL OR code = $1 ORDER BY id;
-- params: 'Kan  '
SELECT id FROM contact WHERE code = $1 OR code IN ($1, 'x') ORDER BY id;
-- only: extended
-- error: 42P08
-- params: 'ada@canary.example'
SELECT id FROM contact WHERE $1 IS NULL OR email = $1 ORDER BY id;
-- The actions of MERGE give types in their order.
-- params: 'ada@canary.example'
MERGE INTO contact c USING orders o ON c.id = o.id WHEN NOT MATCHED AND o.id > 90 THEN INSERT (email) VALUES ($1) WHEN MATCHED AND c.email = $1 THEN UPDATE SET label = 'x';
-- params: 'ada@canary.example'
MERGE INTO contact c USING orders o ON c.id = o.id WHEN MATCHED AND c.email = $1 THEN UPDATE SET email = $1;
-- The first place gives a parameter its type: in the order of the server's, not of the text.
-- params: 'ada@canary.example'
UPDATE contact SET email = $1::varchar WHERE id = 1 RETURNING CASE WHEN email = $1 THEN email END;
-- params: 'ada@canary.example'
UPDATE contact SET email = $1::varchar WHERE email = $1;
-- params: 'ada@canary.example'
INSERT INTO contact (email) VALUES ($1) RETURNING email = $1;
-- params: 'ada@canary.example'
SELECT id, email = $1 FROM contact WHERE email IN ($1, 'x') ORDER BY id;
-- params: 'ada@canary.example'
SELECT email, count(*) FROM contact WHERE email IN ('x', $1) GROUP BY email HAVING email = $1;
-- A column of a query around is a constant in a list.
-- params: 'ada@canary.example'
SELECT id FROM contact c WHERE EXISTS (SELECT FROM newsletter_subscriber n WHERE n.email IN ($1, c.email)) ORDER BY id;
-- params: 'ada@canary.example'
SELECT id FROM contact c WHERE email IN ($1, (SELECT n.email FROM newsletter_subscriber n WHERE n.id = 1)) ORDER BY id;
-- params: 'ada@canary.example'
SELECT id FROM contact c WHERE email IN ($1, (SELECT n.email FROM newsletter_subscriber n WHERE n.id = c.id)) ORDER BY id;
-- What has no length of its own may still hold nothing that is too long.
UPDATE contact SET email = NULLIF(email, 'other@canary.example') WHERE id = 4 RETURNING id, email;
UPDATE contact SET email = COALESCE(NULLIF(email, ''), email, email)::text WHERE id < 3 RETURNING id, email;
UPDATE newsletter_subscriber n SET email = COALESCE(c.email, n.email) FROM contact c WHERE c.id = 1 AND n.id = 1 RETURNING n.email;
-- refused
UPDATE contact SET email = phone WHERE id < 3;
-- A function's result has no length.
SELECT id, lead(email, 1, 'ada@canary.example'::varchar(254)) OVER (ORDER BY id) FROM contact ORDER BY id;
-- only: extended
-- error: 42P08
-- params: 'ada@canary.example'
SELECT id FROM contact WHERE email IN ($1, $1::text) ORDER BY id;
-- only: extended
-- error: 42P08
-- params: 'Kan'
SELECT id FROM contact WHERE code IN ('x', $1, $1::varchar) ORDER BY id;
-- params: 'ada@canary.example'
SELECT id FROM contact WHERE email IN ($1::text, $1) ORDER BY id;
-- params: 'ada@canary.example'
SELECT id FROM contact WHERE email IN ($1, $1::varchar) ORDER BY id;
-- only: extended
-- error: 42P08
-- params: 'ada@canary.example'
SELECT c.id FROM (VALUES ('x'::varchar), ($1), ($1::text)) AS v (k) JOIN contact c ON c.email = v.k;
-- only: extended
-- error: 42P08
-- params: 'ada@canary.example'
UPDATE contact SET email = $1, phone = $1 WHERE id = 1;
-- only: extended
-- error: 42P08
-- params: 'ada@canary.example'
UPDATE contact SET (email, phone) = ($1, $1) WHERE id = 1;
-- params: 'ada@canary.example'
UPDATE contact SET email = $1, phone = $1 WHERE id = 1 AND email = $1;
-- A result of `character` compared as text is text.
SELECT id, NULLIF(code, 'Kan'::text), NULLIF(code, 'Kan'::varchar), NULLIF(code, 'Kan') FROM contact ORDER BY id;
-- What the planner evaluates is too long before any row, and otherwise only in a row.
-- only: simple
-- error: 22001
UPDATE contact SET code = NULLIF('too long Canaryson', 'x') WHERE id < 0;
-- only: simple
-- error: 22001
UPDATE contact SET code = NULLIF('too long Canaryson', NULLIF('x', 'x'::text)) WHERE id < 0;
UPDATE contact SET code = NULLIF('Kan', 'too long Canaryson') WHERE id < 0;
-- only: simple
-- error: 22001
INSERT INTO contact (code) SELECT NULLIF('too long Canaryson', 'x') FROM contact WHERE id < 0;
INSERT INTO contact (code) VALUES (NULLIF('too long Canaryson', 'too long Canaryson'));
-- error: 22001
INSERT INTO contact (code) VALUES (NULLIF('too long Canaryson', 'x'));
