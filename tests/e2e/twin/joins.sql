-- Joins: over plain keys in either mode, over protected columns within a domain.
SELECT u.email, o.total FROM auth_user u JOIN orders o ON o.user_id = u.id ORDER BY o.id;
SELECT u.email, o.total FROM orders o LEFT JOIN auth_user u ON o.user_id = u.id ORDER BY o.id;
SELECT u.id, u.email, c.email, c.phone FROM auth_user u LEFT JOIN contact c ON c.user_id = u.id ORDER BY u.id, c.id;
SELECT u.id, c.id FROM auth_user u FULL JOIN contact c ON c.user_id = u.id AND c.label = 'work' ORDER BY u.id, c.id;
SELECT u.email, c.phone FROM auth_user u, contact c WHERE u.id = c.user_id ORDER BY c.id;
SELECT "auth_user"."email" AS "user__email", "orders"."total" FROM "orders" INNER JOIN "auth_user" ON ("orders"."user_id" = "auth_user"."id") WHERE "orders"."total" > 10 ORDER BY "orders"."id";
SELECT a.email, b.email FROM auth_user a JOIN auth_user b ON a.id = b.id + 1 ORDER BY a.id;
SELECT * FROM auth_user u JOIN orders o ON o.user_id = u.id ORDER BY o.id;
SELECT o.*, u.first_name FROM auth_user u JOIN orders o ON o.user_id = u.id ORDER BY o.id;
SELECT u.email FROM auth_user u NATURAL JOIN (SELECT 1 AS id UNION SELECT 3) k ORDER BY u.id;
SELECT id, email, total FROM auth_user JOIN (SELECT user_id AS id, total FROM orders) o USING (id) ORDER BY id, total;
SELECT j.email, j.total FROM (auth_user u JOIN orders o ON o.user_id = u.id) AS j (id, password, last_login, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined, oid, user_id, total, note, placed) ORDER BY j.oid;
SELECT u.username FROM auth_user u CROSS JOIN tag t WHERE t.name = 'new' ORDER BY u.username;
-- mode: deterministic
SELECT u.id, n.id FROM auth_user u JOIN newsletter_subscriber n ON n.email = u.email ORDER BY u.id;
SELECT u.id, n.confirmed FROM auth_user u LEFT JOIN newsletter_subscriber n ON u.email = n.email ORDER BY u.id;
SELECT email, u.id, n.id FROM auth_user u JOIN newsletter_subscriber n USING (email) ORDER BY u.id;
SELECT n.email, c.phone FROM newsletter_subscriber n JOIN contact c ON c.email = n.email ORDER BY n.id, c.id;
SELECT u.id, c.id, n.id FROM auth_user u JOIN contact c ON c.email = u.email JOIN newsletter_subscriber n ON n.email = c.email ORDER BY 1, 2, 3;
SELECT a.id, b.id FROM auth_user a JOIN auth_user b ON a.last_name = b.last_name AND a.id < b.id ORDER BY a.id, b.id;
SELECT a.id, b.id FROM auth_user a JOIN auth_user b ON a.first_name = b.last_name ORDER BY a.id, b.id;
SELECT u.id FROM auth_user u JOIN newsletter_subscriber n ON n.email = u.email AND n.email = 'ada@canary.example' ORDER BY u.id;
SELECT u.id FROM auth_user u WHERE EXISTS (SELECT 1 FROM newsletter_subscriber n WHERE n.email = u.email) ORDER BY u.id;
SELECT u.id FROM auth_user u WHERE NOT EXISTS (SELECT 1 FROM newsletter_subscriber n WHERE n.email = u.email) ORDER BY u.id;
SELECT u.id FROM auth_user u WHERE u.email IN (SELECT email FROM newsletter_subscriber) ORDER BY u.id;
SELECT u.id FROM auth_user u WHERE u.email NOT IN (SELECT email FROM newsletter_subscriber) ORDER BY u.id;
SELECT c.id FROM contact c WHERE c.email NOT IN (SELECT email FROM newsletter_subscriber) ORDER BY c.id;
SELECT u.id FROM auth_user u WHERE u.email = ANY (SELECT n.email FROM newsletter_subscriber n WHERE n.confirmed) ORDER BY u.id;
SELECT u.id FROM auth_user u WHERE u.email <> ALL (SELECT n.email FROM newsletter_subscriber n) ORDER BY u.id;
SELECT u.id FROM auth_user u WHERE u.email = (SELECT email FROM newsletter_subscriber WHERE id = 1);
SELECT u.id FROM auth_user u WHERE (u.email, u.id) IN (SELECT c.email, c.user_id FROM contact c) ORDER BY u.id;
SELECT u.id, (SELECT n.confirmed FROM newsletter_subscriber n WHERE n.email = u.email) FROM auth_user u ORDER BY u.id;
SELECT u.id FROM auth_user u CROSS JOIN LATERAL (SELECT 1 FROM newsletter_subscriber n WHERE n.email = u.email) l ORDER BY u.id;
SELECT a.id, n.id FROM active_user a JOIN newsletter_subscriber n ON n.email = a.email ORDER BY a.id;
SELECT id, email FROM auth_user NATURAL JOIN (SELECT email FROM newsletter_subscriber) n ORDER BY id;
SELECT coalesce(u.email, n.email) FROM auth_user u FULL JOIN newsletter_subscriber n USING (email) ORDER BY u.id, n.id;
SELECT email FROM auth_user u FULL JOIN newsletter_subscriber n USING (email) ORDER BY u.id, n.id;
SELECT u.id FROM auth_user u JOIN (VALUES ('ada@canary.example'), ('eve@canary.example')) v (mail) ON v.mail = u.email ORDER BY u.id;
-- Columns of different domains do not compare; a protected and a plain column never do.
-- refused
SELECT 1 FROM auth_user u JOIN contact c ON c.phone = u.email;
-- refused
SELECT 1 FROM auth_user WHERE email = first_name;
-- refused
SELECT 1 FROM auth_user WHERE email = username;
-- refused
SELECT 1 FROM auth_user u JOIN tag t ON t.name = u.first_name;
-- refused
SELECT username FROM auth_user WHERE username IN (SELECT email FROM auth_user);
-- mode: randomized
-- refused
SELECT u.id, n.id FROM auth_user u JOIN newsletter_subscriber n ON n.email = u.email;
-- refused
SELECT email FROM auth_user u JOIN newsletter_subscriber n USING (email);
-- refused
SELECT u.id FROM auth_user u WHERE u.email IN (SELECT email FROM newsletter_subscriber);
-- refused
SELECT u.id FROM auth_user u NATURAL JOIN newsletter_subscriber n;
SELECT u.id FROM auth_user u WHERE EXISTS (SELECT email FROM newsletter_subscriber n WHERE n.id = u.id) ORDER BY u.id;
