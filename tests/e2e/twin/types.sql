-- Types, lengths and the forms of literals: what is stored, cut, padded or too long.
-- mode: all
-- character(n): padded when read, blanks mean nothing when compared.
INSERT INTO contact (id, code) VALUES (800, 'Kanary01'), (801, 'Kan '), (802, '  Kan'), (803, ' '), (804, '');
SELECT id, code, code IS NULL FROM contact WHERE id >= 800 ORDER BY id;
SELECT id, code::text FROM contact ORDER BY id;
SELECT id, CAST(code AS varchar) FROM contact ORDER BY id;
-- refused
SELECT id, CAST(code AS bpchar) FROM contact WHERE id >= 800 ORDER BY id;
-- refused: randomized mixed
SELECT id FROM contact WHERE code = 'Kan' AND id >= 800 ORDER BY id;
-- refused: randomized mixed
SELECT id FROM contact WHERE code = 'Kan '::char(4) ORDER BY id;
-- refused: randomized mixed
SELECT id FROM contact WHERE code = 'Kanary01 and more'::char(8) ORDER BY id;
-- refused: randomized mixed
SELECT id FROM contact WHERE code IN ('  Kan', 'kan', ' ') ORDER BY id;
-- refused: randomized mixed
SELECT id FROM contact WHERE code = E'\tKan' ORDER BY id;
-- refused: randomized mixed
SELECT code, count(*) FROM contact WHERE id >= 800 GROUP BY code;
-- refused: randomized mixed
SELECT a.id, b.id FROM contact a JOIN contact b ON a.code = b.code ORDER BY 1, 2;
-- refused: randomized mixed
SELECT DISTINCT code FROM contact;
-- refused: randomized mixed
SELECT id FROM contact WHERE code <> '' ORDER BY id;
-- refused: randomized mixed
-- params: 'Kan     '
SELECT id FROM contact WHERE code = $1 ORDER BY id;
-- params: 'Kanä', 800
UPDATE contact SET code = $1 WHERE id = $2 RETURNING code;
UPDATE contact SET code = 'ññññññññ   ' WHERE id = 800 RETURNING code;
-- early: a literal is sealed when the statement is read
-- error: 22001
UPDATE contact SET code = 'ñññññññññ' WHERE id = 800;
UPDATE contact SET code = 'Kanary01 cut'::char(8) WHERE id = 801 RETURNING code;
UPDATE contact SET code = 'Kanary01 cut'::varchar(8) WHERE id = 801 RETURNING code;
-- refused
UPDATE contact SET email = repeat('x', 3) WHERE false;
-- varchar without a length and text take long values, and any character.
INSERT INTO contact (id, phone, nick) VALUES (810, E'Canaryson\ttab\nnewline\r\\ \001', E'Canaryson \U0001F98A e\u0301');
SELECT phone, nick FROM contact WHERE id = 810;
INSERT INTO contact (id, phone) VALUES (811, 'Canaryson "quoted", {braces}, (parens), $dollar$, NULL, \N, %s, ?, :x');
SELECT phone, ARRAY[phone], ROW(phone) FROM contact WHERE id = 811;
INSERT INTO contact (id, phone) VALUES (812, 'null'), (813, 'NULL'), (814, '\x4b'), (815, E'\\x4b');
SELECT id, phone, ARRAY[phone, NULL], ROW(phone, nick) FROM contact WHERE id BETWEEN 812 AND 815 ORDER BY id;
-- What looks like a token is a value like any other.
INSERT INTO contact (id, phone, nick) VALUES (816, 'gAAAAABh-Canaryson', 'gAAAAA') RETURNING phone, nick;
-- refused: randomized mixed
SELECT id FROM contact WHERE nick = 'gAAAAA';
-- Values of other types in a character column.
-- refused
INSERT INTO contact (phone) VALUES (true);
INSERT INTO contact (id, nick) VALUES (817, '12') RETURNING nick;
-- params: '2024-01-01', 817
UPDATE contact SET nick = $1 WHERE id = $2 RETURNING nick;
-- Plain columns beside sealed ones, of every common type.
SELECT email, is_active, date_joined, last_login IS NULL, id::bigint, id::float8, id::numeric(6, 2) FROM auth_user ORDER BY auth_user.id;
SELECT o.total, o.placed, o.placed + 1, u.email FROM orders o JOIN auth_user u ON u.id = o.user_id ORDER BY o.id;
SELECT email, date_trunc('month', date_joined), extract(day FROM date_joined) FROM auth_user WHERE date_joined >= '2024-01-03' ORDER BY id;
SELECT email, interval '1 day' * id, '{"a": [1]}'::jsonb -> 'a', '\x00ff'::bytea FROM auth_user WHERE id = 1;
SELECT email, NULL::uuid, '00000000-0000-0000-0000-000000000001'::uuid, '10.0.0.1'::inet FROM auth_user WHERE id = 1;
SELECT email, ARRAY[id, id + 1], ARRAY['a', NULL], '[1,5)'::int4range FROM auth_user WHERE id = 1;
SELECT email, ''::text, ''::varchar(3), 'abc'::char(5), 'a'::"char", 'n'::name FROM auth_user WHERE id = 1;
-- Casts of a protected column that change nothing.
SELECT email::text, email::varchar, CAST(email AS text), first_name::character varying FROM auth_user WHERE id = 1;
SELECT (email::text)::varchar FROM auth_user WHERE id = 1;
-- refused
SELECT email::varchar(3) FROM auth_user WHERE id = 1;
-- refused
SELECT code::char(2) FROM contact WHERE id = 1;
-- refused
SELECT phone::int FROM contact WHERE id = 817;
-- refused
SELECT email::name FROM auth_user WHERE id = 1;
-- Forms of literals, compared: one value, one token.
-- refused: randomized
SELECT id FROM contact WHERE email = E'\x61da@canary.example' ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = E'\141da@canary.example' ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = E'\u0061da@canary\.example' ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = e'ada@canary.example' ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = 'ada'
  '@canary.example' ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = E'ada\u0040'
  'canary\x2eexample' ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = $mail$ada@canary.example$mail$ ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = $a$$b$$a$ OR email = $$$a$$ ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = U&'\0061da@canary\+00002Eexample' ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = u&'d!0061ta' UESCAPE '!' OR email = 'ada@canary.example' ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = text 'ada@canary.example' ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = ('ada@canary.example')::text::varchar(254) ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email::text = 'ada@canary.example' ORDER BY id;
-- refused: randomized
SELECT id FROM contact WHERE email = cast('ada@canary.example' as character varying(18)) ORDER BY id;
-- What the server would not take either is refused before it gets there.
-- refused
SELECT id FROM contact WHERE email = 'ada' '@canary.example';
-- refused
SELECT id FROM contact WHERE email = E'\u00' AND id = 1;
-- refused
SELECT email FROM contact WHERE id = E'\u0000';
-- Equality is of code points: case, accents and normal forms differ.
-- refused: randomized
SELECT id FROM contact WHERE email = 'Ada@canary.example' ORDER BY id;
-- refused: randomized mixed
SELECT id FROM auth_user WHERE first_name = 'Zoë Canaryson' ORDER BY id;
-- refused: randomized mixed
SELECT id FROM auth_user WHERE first_name = E'Zoe\u0308 Canaryson' ORDER BY id;
-- refused: randomized mixed
SELECT id FROM auth_user WHERE first_name = E'Zo\u00eb Canaryson' ORDER BY id;
-- refused: randomized mixed
SELECT id FROM auth_user WHERE last_name = 'Canaryson 🦊' ORDER BY id;
-- Strings that do not conform.
SET standard_conforming_strings = off;
SELECT id, email FROM auth_user WHERE username = 'ada';
-- refused
INSERT INTO contact (email) VALUES ('back\\slash@canary.example');
INSERT INTO contact (id, email) VALUES (820, 'plain@canary.example'), (821, E'es\\c@canary.example') RETURNING email;
RESET standard_conforming_strings;
INSERT INTO contact (id, email) VALUES (822, 'back\\slash@canary.example') RETURNING email;
SET backslash_quote = on;
INSERT INTO contact (id, email) VALUES (823, E'it\'s@canary.example') RETURNING email;
RESET backslash_quote;
SELECT * FROM contact ORDER BY id;
