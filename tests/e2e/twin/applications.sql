-- What ORMs really send, as traced.
-- Django: look up, existence, get_or_create, save, admin list, sessions.
SELECT "auth_user"."id", "auth_user"."password", "auth_user"."last_login", "auth_user"."is_superuser", "auth_user"."username", "auth_user"."first_name", "auth_user"."last_name", "auth_user"."email", "auth_user"."is_staff", "auth_user"."is_active", "auth_user"."date_joined" FROM "auth_user" WHERE "auth_user"."username" = 'ada' LIMIT 21;
-- params: 'ada'
SELECT "auth_user"."id", "auth_user"."email" FROM "auth_user" WHERE "auth_user"."username" = $1 LIMIT 21;
-- params: 1
SELECT "auth_user"."id", "auth_user"."password", "auth_user"."last_login", "auth_user"."is_superuser", "auth_user"."username", "auth_user"."first_name", "auth_user"."last_name", "auth_user"."email", "auth_user"."is_staff", "auth_user"."is_active", "auth_user"."date_joined" FROM "auth_user" WHERE "auth_user"."id" = $1 LIMIT 21;
-- refused: randomized
SELECT "auth_user"."id", "auth_user"."email" FROM "auth_user" WHERE "auth_user"."email" = 'ada@canary.example' ORDER BY "auth_user"."id" ASC LIMIT 1;
SELECT COUNT(*) AS "__count" FROM "auth_user";
SELECT COUNT(*) FROM (SELECT "auth_user"."id" AS "col1" FROM "auth_user" WHERE "auth_user"."is_active" LIMIT 5) subquery;
SELECT "auth_user"."id", "auth_user"."username", "auth_user"."email", "auth_user"."first_name", "auth_user"."last_name", "auth_user"."is_staff" FROM "auth_user" ORDER BY "auth_user"."username" ASC, "auth_user"."id" DESC LIMIT 100;
-- params: 'pbkdf2$', null, false, 'dj', 'Django Canaryson', 'Canaryson', 'dj@canary.example', false, true, '2024-06-01 00:00:00+00'
INSERT INTO "auth_user" ("password", "last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING "auth_user"."id";
-- bulk_create
INSERT INTO "auth_user" ("password", "last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined") VALUES ('', NULL, false, 'bulk1', 'Bulk Canaryson', '', 'bulk1@canary.example', false, true, '2024-06-01T00:00:00+00:00'::timestamptz), ('', NULL, false, 'bulk2', '', '', 'bulk2@canary.example', false, true, '2024-06-01T00:00:00+00:00'::timestamptz) RETURNING "auth_user"."id";
UPDATE "auth_user" SET "last_login" = '2024-06-02T00:00:00+00:00'::timestamptz WHERE "auth_user"."id" = 1;
UPDATE "auth_user" SET "first_name" = 'Ada Canaryson', "email" = 'ada@canary.example' WHERE "auth_user"."id" IN (1);
SELECT (1) AS "a" FROM "auth_user" WHERE ("auth_user"."username" = 'ada' AND NOT ("auth_user"."id" = 1)) LIMIT 1;
-- refused: randomized
SELECT 1 AS "a" FROM "auth_user" WHERE ("auth_user"."email" = 'ada@canary.example' AND NOT ("auth_user"."id" = 2)) LIMIT 1;
SELECT "orders"."id", "orders"."user_id", "orders"."total", "auth_user"."id", "auth_user"."email" FROM "orders" INNER JOIN "auth_user" ON ("orders"."user_id" = "auth_user"."id") ORDER BY "orders"."id" ASC;
DELETE FROM "contact" WHERE "contact"."user_id" IN (3);
DELETE FROM "auth_user" WHERE "auth_user"."id" IN (3);
-- ActiveRecord
-- params: 1, 1
SELECT "auth_user".* FROM "auth_user" WHERE "auth_user"."id" = $1 LIMIT $2;
-- refused: randomized
-- params: 'bob@canary.example', 1
SELECT "auth_user".* FROM "auth_user" WHERE "auth_user"."email" = $1 ORDER BY "auth_user"."id" ASC LIMIT $2;
-- refused: randomized
-- params: 'bob@canary.example', 1
SELECT 1 AS one FROM "auth_user" WHERE "auth_user"."email" = $1 LIMIT $2;
-- refused: randomized
-- params: 'bob@canary.example', 'ada@canary.example'
SELECT "auth_user".* FROM "auth_user" WHERE "auth_user"."email" IN ($1, $2) ORDER BY "auth_user"."id";
-- params: 'active@canary.example', 2
UPDATE "auth_user" SET "email" = $1 WHERE "auth_user"."id" = $2;
-- SQLAlchemy
-- params: 'sa@canary.example', 'tel Canaryson 51'
INSERT INTO contact (email, phone) VALUES ($1::VARCHAR, $2::VARCHAR) RETURNING contact.id;
-- params: 1
SELECT auth_user.id AS auth_user_id, auth_user.email AS auth_user_email FROM auth_user WHERE auth_user.id = $1::INTEGER;
-- refused: randomized
-- params: 'ada@canary.example'
SELECT auth_user.id, auth_user.email FROM auth_user WHERE auth_user.email = $1::VARCHAR;
-- knex
-- params: 1, 1
select * from "auth_user" where "id" = $1 limit $2;
-- params: 'kn@canary.example', 'tel Canaryson 52'
insert into "contact" ("email", "phone") values ($1, $2) returning "id";
-- params: 'kn2@canary.example', 1
update "contact" set "email" = $1 where "id" = $2 returning *;
-- refused: randomized
-- params: 'ada@canary.example'
select "id" from "auth_user" where "email" = $1 and "is_active" = true;
-- TypeORM
-- refused: randomized
-- params: 'ada@canary.example'
SELECT "User"."id" AS "User_id", "User"."email" AS "User_email", "User"."first_name" AS "User_firstName" FROM "auth_user" "User" WHERE (("User"."email" = $1)) LIMIT 1;
-- params: 'to@canary.example'
INSERT INTO "contact"("id", "email", "phone") VALUES (DEFAULT, $1, DEFAULT) RETURNING "id";
-- refused: randomized
SELECT DISTINCT "distinctAlias"."User_email" AS "ids" FROM (SELECT "User"."id" AS "User_id", "User"."email" AS "User_email" FROM "auth_user" "User") "distinctAlias" LIMIT 0;
-- MikroORM, Prisma
-- params: 1, 1
select "u0".* from "auth_user" as "u0" where "u0"."id" = $1 limit $2;
-- params: '{1,2}'
SELECT "public"."auth_user"."id", "public"."auth_user"."email" FROM "public"."auth_user" WHERE "public"."auth_user"."id" = ANY($1::int[]) ORDER BY "public"."auth_user"."id" OFFSET 0;
-- refused: randomized
-- params: 'ada@canary.example', 1, 0
SELECT "public"."auth_user"."id", "public"."auth_user"."email" FROM "public"."auth_user" WHERE ("public"."auth_user"."email" = $1 AND 1=1) LIMIT $2 OFFSET $3;
-- Settings before each use.
SET search_path TO public;
SET search_path TO public, pg_temp;
-- params: 'search_path', 'public', false
SELECT set_config($1, $2, $3);
SELECT email FROM auth_user WHERE id = 1;
RESET search_path;
SET application_name = 'twin';
SHOW application_name;
SET timezone = 'Europe/Berlin';
SELECT last_login, email FROM auth_user WHERE id = 1;
RESET ALL;
SHOW server_version_num;
SELECT current_database() = current_database(), current_schema(), current_user;
-- What the next versions compute.
-- refused
SELECT "auth_user"."id" FROM "auth_user" WHERE UPPER("auth_user"."email"::text) = UPPER('ada@canary.example');
-- refused
SELECT "auth_user".* FROM "auth_user" WHERE LOWER("auth_user"."email") = LOWER('Ada@canary.example') LIMIT 1;
-- refused
-- params: 'ada@canary.example'
SELECT 1 FROM auth_user WHERE lower(email) = $1;
-- refused
SELECT id FROM auth_user WHERE UPPER(email::text) LIKE UPPER('%canary%') OR username LIKE '%x%';
-- refused
SELECT id FROM auth_user WHERE email ILIKE '%canary%';
-- refused
SELECT id FROM auth_user WHERE first_name || ' ' || last_name ILIKE '%canary%';
-- refused
SELECT id, email FROM auth_user ORDER BY email ASC LIMIT 10;
-- refused
SELECT DISTINCT "auth_user".* FROM "auth_user" ORDER BY "auth_user"."first_name";
-- refused
SELECT id FROM auth_user GROUP BY id ORDER BY min(email);
-- refused
SELECT CASE WHEN email LIKE 'a%' THEN email END FROM auth_user;
-- refused
UPDATE auth_user SET email = LOWER(email) WHERE NOT email = LOWER(email);
SELECT id, email, first_name, last_name FROM auth_user ORDER BY id;
SELECT * FROM contact ORDER BY id;
