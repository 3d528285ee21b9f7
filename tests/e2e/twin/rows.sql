-- Rows as one value: shown with their fields opened, taken apart, counted, compared.
-- mode: all
SELECT u FROM auth_user u ORDER BY id;
SELECT contact FROM contact ORDER BY id;
SELECT u.* FROM auth_user u ORDER BY u.id;
SELECT (u).email FROM auth_user u ORDER BY id;
SELECT (u).email, (u).id, (u).first_name FROM auth_user u ORDER BY (u).id;
SELECT (u).* FROM auth_user u ORDER BY id;
SELECT id, (c).* FROM contact c ORDER BY id;
SELECT (c).code, (c).nick, (c).label FROM contact c ORDER BY c.id;
SELECT (auth_user).username FROM auth_user ORDER BY id;
SELECT ROW(u.*) FROM auth_user u ORDER BY id;
SELECT ROW(id, email, first_name, 'x', NULL) FROM auth_user ORDER BY id;
SELECT (id, email) FROM auth_user ORDER BY id;
SELECT ROW(email, phone, code, nick) FROM contact ORDER BY id;
SELECT ROW(id, ROW(email, ARRAY[phone])) FROM contact ORDER BY id;
SELECT ROW(count(*), array_agg(email ORDER BY id)) FROM contact;
SELECT t FROM (SELECT email, id FROM contact) t ORDER BY t.id;
SELECT t.r FROM (SELECT c AS r, id FROM contact c) t ORDER BY t.id;
SELECT (t.r).email FROM (SELECT c AS r, id FROM contact c) t ORDER BY t.id;
SELECT (SELECT c FROM contact c WHERE c.id = 1);
SELECT ((SELECT c FROM contact c WHERE c.id = 1)).email;
WITH w AS (SELECT id, email FROM contact) SELECT w FROM w ORDER BY w.id;
SELECT count(u), count(u.*) FROM auth_user u;
SELECT u IS NULL, u IS NOT NULL FROM auth_user u ORDER BY id;
SELECT (email, phone) IS NULL, (email, phone) IS NOT NULL FROM contact ORDER BY id;
SELECT c.id, u FROM contact c LEFT JOIN auth_user u ON u.id = c.user_id ORDER BY c.id;
SELECT c.id, u IS NULL FROM contact c LEFT JOIN auth_user u ON u.id = c.user_id ORDER BY c.id;
SELECT CASE WHEN c.id > 2 THEN c END FROM contact c ORDER BY c.id;
SELECT lag(c.email) OVER w, lag(c.code) OVER w FROM contact c WINDOW w AS (ORDER BY id);
SELECT o FROM orders o ORDER BY id;
SELECT active_user FROM active_user ORDER BY active_user.id;
SELECT c FROM contact c WHERE (c).id = 1;
INSERT INTO contact (email, phone) VALUES ('row@canary.example', 'Canaryson (row), "quoted" \') RETURNING contact;
UPDATE contact SET phone = 'Canaryson' WHERE phone IS NULL RETURNING (contact).phone, contact;
DELETE FROM contact WHERE id = 3 RETURNING ROW(contact.*);
SELECT id FROM contact c WHERE c IS DISTINCT FROM NULL ORDER BY id;
-- mode: deterministic
SELECT count(DISTINCT u) FROM auth_user u;
SELECT count(DISTINCT (first_name, last_name)) FROM auth_user;
SELECT count(DISTINCT ROW(email, id)) FROM contact;
SELECT DISTINCT (first_name, last_name) FROM auth_user;
SELECT (first_name, last_name), count(*) FROM auth_user GROUP BY (first_name, last_name) ORDER BY max(id);
SELECT ROW(first_name, last_name), count(*) FROM auth_user GROUP BY ROW(first_name, last_name) ORDER BY max(id);
SELECT c = d FROM contact c JOIN contact d ON d.id = c.id ORDER BY c.id;
SELECT c.id, d.id FROM contact c JOIN contact d ON ROW(c.email, c.phone) = ROW(d.email, d.phone) ORDER BY 1, 2;
SELECT c IS NOT DISTINCT FROM d FROM contact c, contact d ORDER BY c.id, d.id;
SELECT id FROM contact c WHERE c IN (SELECT d FROM contact d WHERE d.id < 3) ORDER BY id;
SELECT id FROM auth_user u WHERE ROW(u.first_name, u.last_name) IN (('Bob Canaryson', 'Canaryson'), ('x', 'y')) ORDER BY id;
SELECT s FROM newsletter_subscriber s UNION SELECT s FROM newsletter_subscriber s WHERE id < 2;
-- mode: all
-- refused
SELECT to_json(u) FROM auth_user u;
-- refused
SELECT row_to_json(ROW(id, email)) FROM auth_user;
-- refused
SELECT u::text FROM auth_user u;
-- refused
SELECT u FROM auth_user u ORDER BY u;
-- refused
SELECT c < d FROM contact c, contact d;
-- refused
SELECT array_agg(u) FROM auth_user u;
-- refused
SELECT jsonb_agg(u) FROM auth_user u;
-- refused
SELECT max((email, id)) FROM auth_user;
-- refused
CREATE TABLE copies AS SELECT u FROM auth_user u;
-- refused
INSERT INTO tag (name) SELECT (u).email FROM auth_user u;
-- mode: randomized
-- refused
SELECT count(DISTINCT u) FROM auth_user u;
-- refused
SELECT c = d FROM contact c, contact d;
