-- Arrays of protected values: made by the statement, opened element by element.
-- mode: all
SELECT array_agg(email ORDER BY id) FROM auth_user;
SELECT array_agg(first_name ORDER BY id), array_agg(last_name ORDER BY id DESC) FROM auth_user;
SELECT array_agg(email ORDER BY id), array_agg(phone ORDER BY id), array_agg(code ORDER BY id), array_agg(nick ORDER BY id) FROM contact;
SELECT label, array_agg(email ORDER BY id) FROM contact GROUP BY label ORDER BY label;
SELECT array_agg(email ORDER BY id) FILTER (WHERE is_active) FROM auth_user;
SELECT array_agg(email) FROM auth_user WHERE false;
SELECT user_id, array_agg(phone ORDER BY id) FILTER (WHERE phone IS NOT NULL) FROM contact GROUP BY user_id ORDER BY user_id;
SELECT id, array_agg(email) OVER (ORDER BY id ROWS 1 PRECEDING) FROM contact ORDER BY id;
SELECT ARRAY[email], ARRAY[email, NULL], ARRAY[first_name, first_name] FROM auth_user ORDER BY id;
SELECT ARRAY[email, ''] FROM auth_user ORDER BY id;
SELECT ARRAY[code], ARRAY[phone] FROM contact ORDER BY id;
SELECT ARRAY(SELECT email FROM auth_user ORDER BY id);
SELECT ARRAY(SELECT code FROM contact ORDER BY id);
SELECT id, ARRAY(SELECT c.email FROM contact c WHERE c.user_id = u.id ORDER BY c.id) FROM auth_user u ORDER BY id;
SELECT ARRAY(SELECT email FROM auth_user WHERE false);
SELECT cardinality(array_agg(email)), array_length(array_agg(email), 1), array_upper(array_agg(email), 1), array_lower(array_agg(email), 1), array_ndims(array_agg(email)) FROM contact;
SELECT array_agg(email) IS NULL, array_agg(email) IS NOT NULL, count(ARRAY[email]) FROM contact;
SELECT (array_agg(email ORDER BY id))[1], (array_agg(email ORDER BY id))[99], (array_agg(code ORDER BY id))[2] FROM contact;
SELECT (array_agg(email ORDER BY id))[2:3], (array_agg(email ORDER BY id))[2:] FROM auth_user;
SELECT (ARRAY[email, email])[2] FROM auth_user ORDER BY id;
SELECT COALESCE(array_agg(email), '{}') FROM auth_user WHERE false;
SELECT COALESCE(array_agg(email ORDER BY id), '{}'), COALESCE(array_agg(email ORDER BY id), ARRAY[]::text[]) FROM auth_user;
SELECT COALESCE(array_agg(email) FILTER (WHERE false), '{nobody@canary.example,"Canaryson, comma"}') FROM auth_user;
SELECT CASE WHEN count(*) > 3 THEN array_agg(email ORDER BY id) END FROM auth_user;
SELECT array_agg(email ORDER BY id)::text[], array_agg(phone ORDER BY id)::varchar[] FROM contact;
SELECT unnest(array_agg(email ORDER BY id)) FROM contact;
SELECT unnest(ARRAY[first_name, last_name]) FROM auth_user WHERE id = 1;
SELECT e FROM (SELECT array_agg(email ORDER BY id) AS es FROM contact) t, unnest(t.es) AS e;
SELECT t.es FROM (SELECT array_agg(email ORDER BY id) AS es FROM contact) t;
SELECT e, n FROM unnest(ARRAY(SELECT email FROM contact ORDER BY id)) WITH ORDINALITY AS u(e, n) ORDER BY n;
WITH a AS (SELECT user_id, array_agg(email ORDER BY id) AS mails FROM contact GROUP BY user_id) SELECT user_id, mails, mails[1] FROM a ORDER BY user_id;
SELECT array_agg(id ORDER BY id), array_agg(username ORDER BY id) FROM auth_user;
INSERT INTO contact (email) VALUES ('returned@canary.example') RETURNING ARRAY[email, NULL];
SELECT id FROM auth_user ORDER BY id LIMIT 1;
-- params: '{}'
SELECT COALESCE(array_agg(email ORDER BY id), $1) FROM auth_user;
-- params: '{nobody@canary.example,NULL}'
SELECT COALESCE(array_agg(email) FILTER (WHERE false), $1::varchar[]) FROM auth_user;
-- mode: deterministic mixed
SELECT id FROM auth_user WHERE email = ANY(ARRAY(SELECT email FROM contact)) ORDER BY id;
SELECT id FROM auth_user WHERE email <> ALL(ARRAY(SELECT email FROM newsletter_subscriber)) ORDER BY id;
SELECT id FROM auth_user WHERE email = ANY((SELECT array_agg(email) FROM contact)::text[]) ORDER BY id;
SELECT id FROM auth_user WHERE email = ANY(ARRAY['ada@canary.example', 'none']) ORDER BY id;
SELECT id FROM auth_user WHERE email = ANY(ARRAY['ada@canary.example', 'none']::varchar[]) ORDER BY id;
SELECT cardinality(array_agg(DISTINCT email)) FROM contact;
SELECT id FROM auth_user WHERE email = ANY((SELECT array_agg(DISTINCT email) FROM contact)::varchar[]) ORDER BY id;
SELECT array_remove(array_agg(email ORDER BY id), NULL) FROM contact;
SELECT array_remove(array_agg(email ORDER BY id), 'ada@canary.example') FROM contact;
SELECT array_position(array_agg(email ORDER BY id), 'bob@canary.example'), array_positions(array_agg(email ORDER BY id), 'ada@canary.example') FROM contact;
-- params: 'bob@canary.example'
SELECT array_position(array_agg(email ORDER BY id), $1) FROM contact;
SELECT user_id FROM contact GROUP BY user_id HAVING array_agg(email) @> '{bob@canary.example}' ORDER BY user_id;
SELECT user_id FROM contact GROUP BY user_id HAVING array_agg(email) && '{ada@canary.example,x}' ORDER BY user_id;
-- params: '{ada@canary.example,bob@canary.example}'
SELECT user_id FROM contact GROUP BY user_id HAVING array_agg(email) <@ $1 ORDER BY user_id;
SELECT array_agg(email ORDER BY id) = '{ada@canary.example}' FROM auth_user WHERE id = 1;
SELECT DISTINCT ARRAY[email] FROM contact;
SELECT ARRAY[email], count(*) FROM contact GROUP BY ARRAY[email] ORDER BY max(id);
SELECT a.id FROM auth_user a JOIN contact c ON ARRAY[a.email] = ARRAY[c.email] ORDER BY a.id, c.id;
SELECT ARRAY[email] FROM auth_user UNION SELECT ARRAY[email] FROM contact;
-- mode: deterministic
SELECT id FROM contact WHERE code = ANY(ARRAY['Kan', 'Kan     ']) ORDER BY id;
SELECT id FROM contact WHERE code = ANY('{Kan,"Kanary01 "}') ORDER BY id;
-- refused
SELECT array_agg(email) && ARRAY['x']::varchar[] FROM contact;
-- mode: all
-- refused
SELECT array_agg(DISTINCT email) FROM contact;
-- refused
SELECT array_agg(email ORDER BY email) FROM contact;
-- refused
SELECT array_to_string(array_agg(email), ',') FROM contact;
-- refused
SELECT array_agg(email) FROM contact GROUP BY label ORDER BY 1;
-- refused
SELECT array_agg(email)::varchar(3)[] FROM contact;
-- refused
SELECT array_agg(ARRAY[email]) FROM contact;
-- refused
SELECT array_to_json(array_agg(email)) FROM contact;
-- refused
SELECT array_agg(email) < '{x}' FROM contact;
-- refused
SELECT COALESCE(code, 'x') FROM contact;
-- mode: randomized
SELECT ARRAY[phone, nick], ARRAY[nick, phone], COALESCE(phone, nick), COALESCE(nick, phone) FROM contact ORDER BY id;
SELECT nick FROM contact UNION ALL SELECT phone FROM contact;
-- refused
SELECT id FROM auth_user WHERE email = ANY(ARRAY(SELECT email FROM contact));
-- refused
SELECT array_remove(array_agg(email), 'x') FROM contact;
