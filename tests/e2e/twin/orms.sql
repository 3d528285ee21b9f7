-- The spellings of other mappers: aliases, casts and clauses that only they write.
-- mode: all
-- ActiveRecord: pluck, where.not, or, exists?, find_each, includes, upsert_all, touch, insert_all.
SELECT "auth_user"."email" FROM "auth_user" ORDER BY "auth_user"."id" ASC;
-- refused: randomized
-- params: 'ada@canary.example'
SELECT "auth_user"."id" FROM "auth_user" WHERE "auth_user"."email" != $1 ORDER BY "auth_user"."id" ASC;
-- refused: randomized
SELECT "contact".* FROM "contact" WHERE ("contact"."email" = 'ada@canary.example' OR "contact"."email" IS NULL) ORDER BY "contact"."id" ASC;
-- refused: randomized
SELECT "contact".* FROM "contact" WHERE "contact"."email" NOT IN ('ada@canary.example', 'bob@canary.example') ORDER BY "contact"."id" ASC;
-- params: 2, 1000
SELECT "auth_user".* FROM "auth_user" WHERE "auth_user"."id" > $1 ORDER BY "auth_user"."id" ASC LIMIT $2;
SELECT "auth_user"."id" AS t0_r0, "auth_user"."email" AS t0_r1, "contact"."id" AS t1_r0, "contact"."email" AS t1_r1 FROM "auth_user" LEFT OUTER JOIN "contact" ON "contact"."user_id" = "auth_user"."id" ORDER BY "auth_user"."id", "contact"."id";
-- refused: randomized
-- params: 'ada@canary.example', 1
SELECT "auth_user".* FROM "auth_user" WHERE "auth_user"."email" = $1 LIMIT $2 FOR UPDATE;
INSERT INTO "contact" ("id","email","phone") VALUES (1, 'ar1@canary.example', NULL), (710, 'ar2@canary.example', 'tel Canaryson 61') ON CONFLICT ("id") DO UPDATE SET "email"=excluded."email","phone"=excluded."phone" RETURNING "id","email";
INSERT INTO "contact" ("id","email") VALUES (1, 'ar3@canary.example'), (711, 'ar4@canary.example') ON CONFLICT DO NOTHING RETURNING "id";
-- refused: randomized
INSERT INTO "newsletter_subscriber" ("email","confirmed") VALUES ('ada@canary.example', FALSE) ON CONFLICT ("email") DO UPDATE SET "confirmed"=CASE WHEN ("newsletter_subscriber"."email" IS NOT DISTINCT FROM excluded."email") THEN TRUE ELSE excluded."confirmed" END RETURNING "email", "confirmed";
-- refused: randomized
SELECT COUNT(*) AS "count_all", "contact"."email" AS "contact_email" FROM "contact" GROUP BY "contact"."email";
-- refused: randomized
SELECT COUNT(DISTINCT "contact"."email") FROM "contact" WHERE "contact"."email" IS NOT NULL;
UPDATE "contact" SET "email" = NULL WHERE "contact"."id" IN (SELECT "contact"."id" FROM "contact" WHERE "contact"."label" = 'lost' ORDER BY "contact"."id" ASC LIMIT 1);
DELETE FROM "contact" WHERE "contact"."id" IN (SELECT "contact"."id" FROM "contact" WHERE "contact"."id" > 709 ORDER BY "contact"."id" LIMIT 5);
-- SQLAlchemy: anonymous aliases, IN of expanded parameters, insertmanyvalues, scalar subqueries, values().
SELECT anon_1.email, anon_1.n FROM (SELECT contact.email AS email, contact.id AS n FROM contact WHERE contact.id < 4) AS anon_1 ORDER BY anon_1.n;
-- refused: randomized
-- params: 'ada@canary.example', 'bob@canary.example'
SELECT contact.id FROM contact WHERE contact.email IN ($1::VARCHAR, $2::VARCHAR) ORDER BY contact.id;
-- refused: randomized
-- params: 'ada@canary.example'
SELECT contact.id FROM contact WHERE (contact.email NOT IN ($1::VARCHAR)) ORDER BY contact.id;
-- An empty list, as it is expanded.
SELECT contact.id FROM contact WHERE contact.email IN (SELECT CAST(NULL AS VARCHAR) WHERE 1!=1);
SELECT contact.id FROM contact WHERE contact.id IN (NULL) AND (1 != 1) ORDER BY contact.id;
INSERT INTO contact (email, label) SELECT p0::VARCHAR, p1::VARCHAR FROM (VALUES ('sa1@canary.example', 'sa', 0), ('sa2@canary.example', 'sa', 1)) AS imp_sen(p0, p1, sen_counter) ORDER BY sen_counter RETURNING contact.id, contact.email;
-- params: 'sa3@canary.example', 'sa', 'sa4@canary.example', 'sa'
INSERT INTO contact (email, label) VALUES ($1::VARCHAR, $2::VARCHAR), ($3::VARCHAR, $4::VARCHAR) RETURNING contact.id, contact.email;
SELECT auth_user.id, (SELECT count(contact.id) AS count_1 FROM contact WHERE contact.user_id = auth_user.id) AS anon_1, auth_user.email FROM auth_user ORDER BY auth_user.id;
-- refused: randomized
SELECT auth_user_1.id AS a, auth_user_2.id AS b FROM auth_user AS auth_user_1 JOIN auth_user AS auth_user_2 ON auth_user_1.email = auth_user_2.email ORDER BY 1, 2;
-- refused: randomized
SELECT EXISTS (SELECT * FROM contact WHERE contact.email = 'ada@canary.example') AS anon_1;
-- params: 'sa5@canary.example', 2
UPDATE contact SET email=$1::VARCHAR WHERE contact.id = $2::INTEGER RETURNING contact.email, contact.label;
WITH anon_1 AS (SELECT contact.email AS email, contact.id AS id FROM contact) SELECT anon_1.id, anon_1.email FROM anon_1 ORDER BY anon_1.id;
-- knex, objection: lower case, whole-table aliases, raw joins, returning star.
select "c".*, "u"."email" as "user_email" from "contact" as "c" inner join "auth_user" as "u" on "u"."id" = "c"."user_id" order by "c"."id" asc;
-- refused: randomized
select "id" from "contact" where not "email" = 'ada@canary.example' order by "id" asc;
-- refused: randomized
select "id" from "contact" where ("email" = 'ada@canary.example' or ("email" is null and "label" = 'work')) order by "id" asc;
-- refused: randomized
select count(distinct "email") as "count" from "contact" where "email" in ('ada@canary.example', 'bob@canary.example');
select 1 as one from "contact" where exists (select * from "auth_user" where "auth_user"."id" = "contact"."user_id" and "auth_user"."email" is not null) limit 1;
insert into "contact" ("email", "id", "label") values ('kx1@canary.example', DEFAULT, DEFAULT), (DEFAULT, 720, 'kx') returning "email", "label";
insert into "contact" ("id", "email") values (720, 'kx2@canary.example') on conflict ("id") do update set "email" = excluded."email", "label" = 'merged' where "contact"."label" = 'kx' returning "email", "label";
with "with_alias" as (select "email", "id" from "contact" where "id" = 720) select "email" from "with_alias";
delete from "contact" where "id" in (720) returning "email";
-- Sequelize: nested aliases with dots and arrows, sub-selects around limits.
SELECT "User"."id", "User"."email", "contacts"."id" AS "contacts.id", "contacts"."email" AS "contacts.email" FROM "auth_user" AS "User" LEFT OUTER JOIN "contact" AS "contacts" ON "User"."id" = "contacts"."user_id" ORDER BY "User"."id", "contacts"."id";
SELECT "User".*, "contacts"."email" AS "contacts.email" FROM (SELECT "User"."id", "User"."email" FROM "auth_user" AS "User" ORDER BY "User"."id" LIMIT 2) AS "User" LEFT OUTER JOIN "contact" AS "contacts" ON "User"."id" = "contacts"."user_id" ORDER BY "User"."id", "contacts"."id";
-- refused: randomized
SELECT "id", "email" AS "contact->mail" FROM "contact" AS "Contact" WHERE "Contact"."email" = 'ada@canary.example' ORDER BY "Contact"."id";
SELECT count("User"."id") AS "count" FROM "auth_user" AS "User" WHERE "User"."email" IS NOT NULL;
INSERT INTO "contact" ("id","email") VALUES (DEFAULT,'sq@canary.example') RETURNING "id","email","phone","code","nick";
-- Prisma: ANY of its relations, offset, COUNT over sub-selects, CTE-less upserts.
-- refused: randomized
SELECT COUNT(*) FROM (SELECT "public"."contact"."id" FROM "public"."contact" WHERE "public"."contact"."email" = 'ada@canary.example' OFFSET 0) AS "sub";
-- refused: randomized
SELECT "t0"."id" FROM "public"."auth_user" AS "t0" WHERE ("t0"."id") IN (SELECT "t1"."user_id" FROM "public"."contact" AS "t1" WHERE ("t1"."email" = 'bob@canary.example' AND "t1"."user_id" IS NOT NULL)) ORDER BY "t0"."id" ASC OFFSET 0;
-- refused: randomized
SELECT "public"."contact"."id" FROM "public"."contact" WHERE ("public"."contact"."email" IS NULL OR "public"."contact"."email" <> 'ada@canary.example') ORDER BY "public"."contact"."id" ASC LIMIT 10 OFFSET 1;
-- refused: randomized
INSERT INTO "public"."newsletter_subscriber" ("email","confirmed") VALUES ('pr@canary.example', true) ON CONFLICT ("email") DO UPDATE SET "confirmed" = false WHERE ("public"."newsletter_subscriber"."email" = 'pr@canary.example' AND 1=1) RETURNING "public"."newsletter_subscriber"."email", "public"."newsletter_subscriber"."confirmed";
-- params: 'pr2@canary.example', 1
UPDATE "public"."contact" SET "email" = $1 WHERE ("public"."contact"."id" = $2 AND 1=1) RETURNING "public"."contact"."id", "public"."contact"."email";
SELECT "t1"."id", "t1"."mail" FROM (SELECT "t0"."id", "t0"."email" AS "mail" FROM "public"."contact" AS "t0") AS "t1" ORDER BY "t1"."id" LIMIT 3;
-- Hibernate: short aliases, fetch first, null-safe equality, tuples, coalesce.
select u1_0.id,u1_0.email,u1_0.first_name from auth_user u1_0 where u1_0.id=2;
-- refused: randomized
select u1_0.id from auth_user u1_0 where u1_0.email='ada@canary.example' fetch first 1 rows only;
-- params: 2
select u1_0.id,u1_0.email from auth_user u1_0 order by u1_0.id offset $1 rows fetch next 2 rows only;
-- refused: randomized
select c1_0.id from contact c1_0 where c1_0.email is not distinct from 'ada@canary.example' order by c1_0.id;
-- refused: randomized
select distinct c1_0.email from contact c1_0 left join auth_user u1_0 on u1_0.id=c1_0.user_id where u1_0.is_active;
-- refused: randomized
select case when exists(select 1 from contact c1_0 where c1_0.email='ada@canary.example') then true else false end;
-- refused: randomized
select c1_0.id from contact c1_0 where (c1_0.email,c1_0.label) in (('ada@canary.example','work'),('bob@canary.example','work')) order by c1_0.id;
select c1_0.id,c1_0.email from contact c1_0 where c1_0.id=1 for no key update;
update contact set email='hb@canary.example',label='v2' where id=1 and label is not distinct from 'a';
-- Entity Framework: quoted aliases of one letter, batches, sub-selects as counts.
SELECT c.id, c.email, u."Id0" FROM contact AS c LEFT JOIN (SELECT a.id AS "Id0", a.email FROM auth_user AS a WHERE a.is_active) AS u ON c.user_id = u."Id0" ORDER BY c.id;
-- refused: randomized
-- params: 'ada@canary.example'
SELECT EXISTS (SELECT 1 FROM auth_user AS a WHERE a.email = $1);
-- refused: randomized
-- params: '{ada@canary.example,bob@canary.example}'
SELECT c.id FROM contact AS c WHERE c.email = ANY ($1) OR (c.email IS NULL AND array_position(ARRAY[1, NULL], NULL) IS NOT NULL) ORDER BY c.id;
-- GORM, Ecto, Dapper.
-- refused: randomized
SELECT * FROM "auth_user" WHERE email = 'ada@canary.example' ORDER BY "auth_user"."id" LIMIT 1;
SELECT a0."id", a0."email" FROM "auth_user" AS a0 WHERE (a0."id" = 1) ORDER BY a0."id";
-- refused: randomized
-- params: '{bob@canary.example}'
SELECT c0."id", c1."email" FROM "contact" AS c0 INNER JOIN "auth_user" AS c1 ON c1."id" = c0."user_id" WHERE (c1."email" = ANY($1)) ORDER BY c0."id";
INSERT INTO "contact" AS c0 ("email","label") VALUES ('ec@canary.example','ec') ON CONFLICT ("id") DO UPDATE SET "label" = EXCLUDED."label" RETURNING "id", c0."email";
SELECT * FROM contact ORDER BY id;
SELECT email, confirmed FROM newsletter_subscriber ORDER BY id;
