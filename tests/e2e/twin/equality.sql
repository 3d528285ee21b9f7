-- Equality in all its forms: the server's own on deterministic tokens, refused on randomized ones.
-- mode: deterministic
SELECT id FROM auth_user WHERE email = 'ada@canary.example';
SELECT * FROM auth_user WHERE email = 'ada@canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE 'ada@canary.example' = email;
SELECT id FROM auth_user WHERE (email) = ('ada@canary.example');
SELECT id FROM auth_user WHERE email = 'ADA@canary.example';
SELECT id FROM auth_user WHERE email = '';
SELECT id FROM auth_user WHERE email = NULL;
SELECT id FROM auth_user WHERE email = 'ünï@canary.example';
SELECT id FROM auth_user WHERE email = 'back\slash@canary.example';
SELECT id FROM auth_user WHERE email = E'back\\slash@canary.example';
SELECT id FROM auth_user WHERE last_name = 'O''Canaryson';
SELECT id FROM auth_user WHERE email = $$ada@canary.example$$;
SELECT id FROM auth_user WHERE email = 'ada@canary.example'::varchar;
SELECT id FROM auth_user WHERE email = 'ada@canary.example'::text;
SELECT id FROM auth_user WHERE email = CAST('ada@canary.example' AS varchar(254));
-- The cast cuts, so nothing is found.
SELECT id FROM auth_user WHERE email = 'ada@canary.example'::varchar(3);
-- Trailing blanks count for varchar and text.
SELECT id FROM auth_user WHERE email = 'ada@canary.example ';
SELECT id FROM contact WHERE nick = 'trailing Canaryson  ' ORDER BY id;
SELECT id FROM contact WHERE nick = 'trailing Canaryson' ORDER BY id;
-- They do not for character(n).
SELECT id FROM contact WHERE code = 'Kan' ORDER BY id;
SELECT id FROM contact WHERE code = 'Kan     ' ORDER BY id;
SELECT id FROM contact WHERE code = 'Kan                 ' ORDER BY id;
SELECT id FROM contact WHERE code = '' ORDER BY id;
SELECT id FROM contact WHERE code = 'Kanary01x' ORDER BY id;
-- params: 'ada@canary.example'
SELECT id FROM auth_user WHERE email = $1;
-- params: null
SELECT id FROM auth_user WHERE email = $1;
-- params: 'ada@canary.example'
SELECT id, email FROM auth_user WHERE email = $1::text;
-- types: 1043
-- params: 'ada@canary.example'
SELECT id FROM auth_user WHERE email = $1;
-- types: 25
-- params: 'ada@canary.example'
SELECT id FROM auth_user WHERE email = $1;
-- params: 'Kan'
SELECT id FROM contact WHERE code = $1 ORDER BY id;
-- params: 'tel Canaryson 1'
SELECT id FROM contact WHERE phone = $1 ORDER BY id;
-- params: 'ada@canary.example', 'Bob Canaryson', 1
SELECT id FROM auth_user WHERE email = $1 OR first_name = $2 AND id > $3 ORDER BY id;
-- One parameter, twice.
-- params: 'Canaryson'
SELECT id FROM auth_user WHERE first_name = $1 OR last_name = $1 ORDER BY id;
-- As value and as search operand.
-- params: 'ada@canary.example'
UPDATE auth_user SET email = $1 WHERE email = $1;
-- params: 'ada@canary.example', 'ada2@canary.example'
UPDATE auth_user SET email = $2 WHERE email = $1 RETURNING email;
UPDATE auth_user SET email = 'ada@canary.example' WHERE email = 'ada2@canary.example' RETURNING id, email;
SELECT id FROM auth_user WHERE email <> 'ada@canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE email != 'ada@canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE NOT email = 'ada@canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE NOT (email = 'ada@canary.example' OR last_name = 'Canaryson') ORDER BY id;
SELECT id FROM contact WHERE email <> 'ada@canary.example' ORDER BY id;
SELECT id FROM auth_user WHERE email IN ('ada@canary.example', 'bob@canary.example', 'nobody@canary.example') ORDER BY id;
SELECT id FROM auth_user WHERE email NOT IN ('ada@canary.example', 'bob@canary.example') ORDER BY id;
SELECT id FROM contact WHERE email IN ('ada@canary.example', NULL) ORDER BY id;
SELECT id FROM contact WHERE email NOT IN ('ada@canary.example', NULL) ORDER BY id;
-- params: 'ada@canary.example', 'eve@canary.example'
SELECT id FROM auth_user WHERE email IN ($1, $2) ORDER BY id;
-- params: 'ada@canary.example'
SELECT id FROM auth_user WHERE email IN ($1) ORDER BY id;
-- params: '{ada@canary.example,bob@canary.example}'
SELECT id FROM auth_user WHERE email = ANY($1) ORDER BY id;
-- params: '{ada@canary.example,NULL}'
SELECT id FROM contact WHERE email = ANY($1) ORDER BY id;
-- params: '{}'
SELECT id FROM auth_user WHERE email = ANY($1) ORDER BY id;
-- params: '{ada@canary.example,bob@canary.example}'
SELECT id FROM auth_user WHERE email = ANY($1::text[]) ORDER BY id;
-- params: '{ada@canary.example,bob@canary.example}'
SELECT id FROM auth_user WHERE email = ANY($1::varchar[]) ORDER BY id;
-- params: '{ada@canary.example,bob@canary.example}'
SELECT id FROM auth_user WHERE email <> ALL($1) ORDER BY id;
-- params: '{ada@canary.example}'
SELECT id FROM auth_user WHERE NOT (email = ANY($1)) ORDER BY id;
SELECT id FROM auth_user WHERE email = ANY(ARRAY['ada@canary.example', 'bob@canary.example']) ORDER BY id;
-- params: 'ada@canary.example', 'bob@canary.example'
SELECT id FROM auth_user WHERE email = ANY(ARRAY[$1, $2]) ORDER BY id;
SELECT id FROM auth_user WHERE email = ANY('{ada@canary.example,bob@canary.example}') ORDER BY id;
SELECT id FROM auth_user WHERE email = SOME(ARRAY['ada@canary.example']::text[]) ORDER BY id;
SELECT id FROM contact WHERE email IS DISTINCT FROM 'ada@canary.example' ORDER BY id;
SELECT id FROM contact WHERE email IS NOT DISTINCT FROM 'ada@canary.example' ORDER BY id;
SELECT id FROM contact WHERE email IS NOT DISTINCT FROM NULL ORDER BY id;
-- params: null
SELECT id FROM contact WHERE email IS NOT DISTINCT FROM $1 ORDER BY id;
-- Rows.
SELECT id FROM auth_user WHERE (first_name, last_name) = ('Bob Canaryson', 'Canaryson') ORDER BY id;
SELECT id FROM auth_user WHERE (email, id) = ('ada@canary.example', 1);
SELECT id FROM auth_user WHERE (email, id) <> ('ada@canary.example', 1) ORDER BY id;
SELECT id FROM auth_user WHERE (id, email) IN ((1, 'ada@canary.example'), (2, 'nobody@canary.example')) ORDER BY id;
SELECT id FROM auth_user WHERE ROW (email) = ROW ('ada@canary.example');
-- params: 'Bob Canaryson', 'Canaryson'
SELECT id FROM auth_user WHERE (first_name, last_name) = ($1, $2) ORDER BY id;
-- Columns of one domain.
SELECT id FROM auth_user WHERE first_name = last_name ORDER BY id;
SELECT id FROM auth_user WHERE first_name <> last_name ORDER BY id;
-- CASE, COALESCE, NULLIF.
SELECT id, COALESCE(email, 'none@canary.example') FROM contact ORDER BY id;
SELECT count(COALESCE(email, NULL)) FROM contact;
SELECT id, email::varchar AS v, email::text AS t FROM contact ORDER BY id;
SELECT id, NULLIF(email, '') FROM auth_user ORDER BY id;
SELECT id, NULLIF(email, 'ada@canary.example') IS NULL FROM auth_user ORDER BY id;
SELECT id, CASE WHEN is_active THEN email END FROM auth_user ORDER BY id;
SELECT id, CASE WHEN is_active THEN email ELSE 'hidden@canary.example' END FROM auth_user ORDER BY id;
SELECT id, CASE email WHEN 'ada@canary.example' THEN 1 WHEN 'bob@canary.example' THEN 2 ELSE 0 END FROM auth_user ORDER BY id;
SELECT id, CASE WHEN email = 'ada@canary.example' THEN 'yes' ELSE 'no' END FROM auth_user ORDER BY id;
SELECT id FROM contact WHERE COALESCE(email, '') = 'ada@canary.example' ORDER BY id;
SELECT id FROM contact WHERE COALESCE(email, 'ada@canary.example') = 'ada@canary.example' ORDER BY id;
SELECT COALESCE(first_name, last_name) FROM auth_user ORDER BY id;
-- params: 'none@canary.example'
SELECT id, COALESCE(email, $1) FROM contact ORDER BY id;
-- Boolean results in the select list.
SELECT id, email = 'ada@canary.example' AS is_ada FROM auth_user ORDER BY id;
SELECT email = 'ada@canary.example', email IN ('a', 'b'), email IS DISTINCT FROM 'x' FROM auth_user WHERE id = 1;
-- Existence.
SELECT 1 AS a FROM auth_user WHERE email = 'ada@canary.example' AND NOT id = 1 LIMIT 1;
SELECT (1) AS "a" FROM "auth_user" WHERE "auth_user"."email" = 'ada@canary.example' LIMIT 1;
SELECT EXISTS (SELECT 1 FROM auth_user WHERE email = 'ada@canary.example');
SELECT EXISTS (SELECT * FROM auth_user WHERE email = 'nobody@canary.example') AS found;
SELECT count(*) FROM auth_user WHERE email = 'ada@canary.example';
SELECT count(*) FROM auth_user WHERE email IN ('ada@canary.example', 'bob@canary.example') AND is_active;
-- In a view, a CTE and a derived table.
SELECT id FROM active_user WHERE email = 'ada@canary.example';
SELECT given FROM user_card WHERE mail = 'ada@canary.example' ORDER BY spent;
WITH u AS (SELECT * FROM auth_user) SELECT id FROM u WHERE email = 'ada@canary.example';
SELECT t.id FROM (SELECT id, email AS mail FROM auth_user) t WHERE t.mail = 'ada@canary.example';
-- Over-long operands match nothing and are no error.
SELECT id FROM contact WHERE code = 'Kanary01Kanary01Kanary01' ORDER BY id;
-- mode: randomized
-- refused
SELECT id FROM auth_user WHERE email = 'ada@canary.example';
-- refused
-- params: 'ada@canary.example'
SELECT id FROM auth_user WHERE email = $1;
-- refused
SELECT id FROM auth_user WHERE email <> 'ada@canary.example';
-- refused
SELECT id FROM auth_user WHERE email IN ('ada@canary.example');
-- refused
-- params: '{ada@canary.example}'
SELECT id FROM auth_user WHERE email = ANY($1);
-- refused
SELECT id FROM contact WHERE email IS DISTINCT FROM 'ada@canary.example';
-- refused
SELECT id FROM auth_user WHERE (email, id) = ('ada@canary.example', 1);
-- refused
SELECT id FROM auth_user WHERE first_name = last_name;
-- refused
SELECT NULLIF(email, '') FROM auth_user;
-- refused
SELECT CASE email WHEN 'ada@canary.example' THEN 1 END FROM auth_user;
-- refused
SELECT email = 'ada@canary.example' FROM auth_user;
-- refused
SELECT EXISTS (SELECT 1 FROM auth_user WHERE email = 'ada@canary.example');
SELECT id, CASE WHEN is_active THEN email END FROM auth_user ORDER BY id;
SELECT id, COALESCE(email, 'none@canary.example') FROM contact ORDER BY id;
-- mode: deterministic mixed
SELECT id FROM auth_user WHERE email = U&'\0061da@canary.example';
SELECT id FROM auth_user WHERE email = U&'!0061da!+000040canary.example' UESCAPE '!';
SELECT id FROM auth_user WHERE email IN (U&'\00FCn\00ef@canary.example', U&'x' UESCAPE '^');
SELECT U&'pl\0061in' UESCAPE '\', id FROM auth_user WHERE email = (U&'#0065ve@canary.example' UESCAPE '#')::text;
-- Compared with a character value, trailing blanks of both sides mean nothing.
-- refused
SELECT id FROM contact WHERE nick = 'Kanary '::bpchar;
-- refused
SELECT id FROM contact WHERE email = N'ada@canary.example';
-- refused
-- only: extended
-- types: 1042
-- params: 'ada@canary.example'
SELECT id FROM contact WHERE email = $1;
-- A literal's type in front of it.
-- refused: randomized
SELECT id FROM contact WHERE email IN (character varying 'ada@canary.example', pg_catalog.text 'x') ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = varchar(18) 'ada@canary.exampleX' ORDER BY id;
