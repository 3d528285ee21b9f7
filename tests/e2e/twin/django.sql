-- What Django's query sets become: look-ups, annotations, relations, bulk writes.
-- mode: all
-- exact, iexact, in, isnull, exclude, Q objects.
-- refused: randomized
-- params: 'ada@canary.example'
SELECT "contact"."id", "contact"."email" FROM "contact" WHERE "contact"."email" = $1 ORDER BY "contact"."id" ASC;
-- refused: randomized
SELECT "contact"."id" FROM "contact" WHERE NOT ("contact"."email" = 'ada@canary.example' AND "contact"."email" IS NOT NULL) ORDER BY "contact"."id" ASC;
-- refused: randomized
SELECT "contact"."id" FROM "contact" WHERE ("contact"."email" = 'ada@canary.example' OR "contact"."label" = 'home') ORDER BY "contact"."id" ASC;
-- refused: randomized
SELECT "contact"."id" FROM "contact" WHERE NOT (NOT ("contact"."email" = 'ada@canary.example')) ORDER BY "contact"."id" ASC;
-- refused: randomized
SELECT "contact"."id" FROM "contact" WHERE ("contact"."email" IN ('ada@canary.example') AND NOT ("contact"."id" IN (1, 2))) ORDER BY 1 ASC;
-- refused: randomized
SELECT "contact"."id" FROM "contact" WHERE NOT ("contact"."email" IN ('ada@canary.example', 'bob@canary.example') AND "contact"."email" IS NOT NULL) ORDER BY "contact"."id" ASC;
-- refused: randomized
SELECT COUNT(*) AS "__count" FROM "contact" WHERE "contact"."email" = 'ada@canary.example';
SELECT "contact"."id" FROM "contact" WHERE "contact"."email" IS NULL ORDER BY "contact"."id" ASC;
SELECT "contact"."id" FROM "contact" WHERE ("contact"."email" IS NOT NULL AND "contact"."phone" IS NULL) ORDER BY "contact"."id" ASC;
-- iexact, contains, startswith, regex, gt: each has an operator of its own.
-- refused
SELECT "contact"."id" FROM "contact" WHERE UPPER("contact"."email"::text) = UPPER('ADA@canary.example');
-- refused
SELECT "contact"."id" FROM "contact" WHERE "contact"."email"::text LIKE '%canary%';
-- refused
SELECT "contact"."id" FROM "contact" WHERE "contact"."nick"::text LIKE 'Canaryson%';
-- refused
SELECT "contact"."id" FROM "contact" WHERE "contact"."email"::text ~ 'canary$';
-- refused
SELECT "contact"."id" FROM "contact" WHERE "contact"."email" > 'b';
-- Relations: select_related, prefetch_related, reverse filters.
SELECT "contact"."id", "contact"."email", "auth_user"."id", "auth_user"."email", "auth_user"."first_name" FROM "contact" LEFT OUTER JOIN "auth_user" ON ("contact"."user_id" = "auth_user"."id") ORDER BY "contact"."id" ASC;
SELECT "contact"."id", "contact"."user_id", "contact"."email", "contact"."phone" FROM "contact" WHERE "contact"."user_id" IN (1, 2, 3) ORDER BY "contact"."id" ASC;
-- refused: randomized
SELECT "auth_user"."id" FROM "auth_user" INNER JOIN "contact" ON ("auth_user"."id" = "contact"."user_id") WHERE "contact"."email" = 'bob@canary.example' ORDER BY "auth_user"."id" ASC;
-- refused: randomized
SELECT "auth_user"."id" FROM "auth_user" LEFT OUTER JOIN "contact" ON ("auth_user"."id" = "contact"."user_id") WHERE ("contact"."email" = 'bob@canary.example' OR "auth_user"."is_staff") ORDER BY "auth_user"."id" ASC;
-- refused: randomized
SELECT "auth_user"."id" FROM "auth_user" WHERE NOT (EXISTS(SELECT 1 AS "a" FROM "contact" U1 WHERE (U1."email" = 'bob@canary.example' AND U1."user_id" = ("auth_user"."id")) LIMIT 1)) ORDER BY "auth_user"."id" ASC;
SELECT "auth_user"."id" FROM "auth_user" WHERE "auth_user"."id" IN (SELECT U0."user_id" FROM "contact" U0 WHERE U0."email" IS NOT NULL) ORDER BY "auth_user"."id" ASC;
-- refused: randomized
SELECT "newsletter_subscriber"."id" FROM "newsletter_subscriber" WHERE "newsletter_subscriber"."email" IN (SELECT U0."email" FROM "auth_user" U0 WHERE U0."is_active") ORDER BY 1;
-- annotate, aggregate, values, distinct, Exists, Subquery, OuterRef.
SELECT "auth_user"."id", "auth_user"."email", COUNT("contact"."id") AS "n" FROM "auth_user" LEFT OUTER JOIN "contact" ON ("auth_user"."id" = "contact"."user_id") GROUP BY "auth_user"."id" ORDER BY "auth_user"."id" ASC;
SELECT "auth_user"."username", COUNT("contact"."email") AS "n" FROM "auth_user" LEFT OUTER JOIN "contact" ON ("auth_user"."id" = "contact"."user_id") GROUP BY "auth_user"."username" HAVING COUNT("contact"."email") > 0 ORDER BY 1;
-- refused: randomized
SELECT "contact"."email", COUNT("contact"."id") AS "n" FROM "contact" GROUP BY "contact"."email" HAVING COUNT("contact"."id") > 1;
-- refused: randomized
SELECT COUNT(*) FROM (SELECT DISTINCT "contact"."email" AS "col1" FROM "contact") subquery;
-- refused: randomized
SELECT COUNT(DISTINCT "contact"."email") AS "n" FROM "contact";
-- refused: randomized mixed
SELECT DISTINCT "auth_user"."last_name" FROM "auth_user";
SELECT "auth_user"."id", EXISTS(SELECT 1 AS "a" FROM "contact" U0 WHERE (U0."user_id" = ("auth_user"."id") AND U0."phone" IS NOT NULL) LIMIT 1) AS "has_phone" FROM "auth_user" ORDER BY "auth_user"."id" ASC;
SELECT "auth_user"."id", (SELECT U0."email" FROM "contact" U0 WHERE U0."user_id" = ("auth_user"."id") ORDER BY U0."id" DESC LIMIT 1) AS "newest" FROM "auth_user" ORDER BY "auth_user"."id" ASC;
-- refused: randomized
SELECT "auth_user"."id", EXISTS(SELECT 1 AS "a" FROM "newsletter_subscriber" U0 WHERE U0."email" = ("auth_user"."email") LIMIT 1) AS "subscribed" FROM "auth_user" ORDER BY "auth_user"."id" ASC;
SELECT "contact"."id", COALESCE("contact"."email", '') AS "mail" FROM "contact" ORDER BY "contact"."id" ASC;
SELECT "contact"."id", CASE WHEN "contact"."label" = 'work' THEN "contact"."email" WHEN "contact"."label" IS NULL THEN NULL ELSE 'private@canary.example' END AS "shown" FROM "contact" ORDER BY "contact"."id" ASC;
-- refused: randomized
SELECT SUM(CASE WHEN "contact"."email" = 'ada@canary.example' THEN 1 ELSE 0 END) AS "n" FROM "contact";
-- refused: randomized
SELECT COUNT("contact"."id") FILTER (WHERE "contact"."email" = 'ada@canary.example') AS "n" FROM "contact";
SELECT "auth_user"."id", "auth_user"."email", ROW_NUMBER() OVER (PARTITION BY "auth_user"."is_active" ORDER BY "auth_user"."id") AS "rank" FROM "auth_user" ORDER BY "auth_user"."id" ASC;
-- refused
SELECT CONCAT(("auth_user"."first_name")::text, (CONCAT((' ')::text, ("auth_user"."last_name")::text))::text) AS "full" FROM "auth_user";
-- union, intersection, difference; each side in parentheses.
-- refused: randomized
(SELECT "auth_user"."email" AS "col1" FROM "auth_user" WHERE "auth_user"."id" < 3) UNION (SELECT "contact"."email" AS "col1" FROM "contact");
(SELECT "auth_user"."id" AS "col1", "auth_user"."email" AS "col2" FROM "auth_user") UNION ALL (SELECT "contact"."id" AS "col1", "contact"."email" AS "col2" FROM "contact") ORDER BY (1) ASC LIMIT 1;
-- refused: randomized
(SELECT "auth_user"."email" AS "col1" FROM "auth_user") EXCEPT (SELECT "newsletter_subscriber"."email" AS "col1" FROM "newsletter_subscriber");
-- select_for_update in get_or_create and update_or_create.
BEGIN;
SELECT "contact"."id", "contact"."email" FROM "contact" WHERE "contact"."id" = 1 LIMIT 21 FOR UPDATE;
SAVEPOINT "s140737353959424_x1";
INSERT INTO "contact" ("user_id", "label", "email", "phone", "code", "nick") VALUES (1, 'dj', 'dj1@canary.example', NULL, NULL, '') RETURNING "contact"."id";
RELEASE SAVEPOINT "s140737353959424_x1";
SAVEPOINT "s140737353959424_x2";
-- error: 23503
INSERT INTO "contact" ("user_id", "label", "email") VALUES (99, 'dj', 'dj2@canary.example') RETURNING "contact"."id";
ROLLBACK TO SAVEPOINT "s140737353959424_x2";
COMMIT;
SELECT "contact"."id", "contact"."email" FROM "contact" WHERE "contact"."label" = 'dj' ORDER BY 1 FOR UPDATE OF "contact" SKIP LOCKED;
-- bulk_create with conflicts, bulk_update, F expressions, in_bulk, delete by collector.
INSERT INTO "tag" ("name", "weight") VALUES ('new', 4), ('dj', 5) ON CONFLICT("name") DO UPDATE SET "weight" = EXCLUDED."weight";
INSERT INTO "contact" ("id", "label", "email") VALUES (1, 'a', 'dj3@canary.example'), (700, 'b', 'dj4@canary.example') ON CONFLICT("id") DO UPDATE SET "label" = EXCLUDED."label", "email" = EXCLUDED."email" RETURNING "contact"."id";
INSERT INTO "contact" ("id", "email") VALUES (1, 'dj5@canary.example'), (701, NULL) ON CONFLICT DO NOTHING;
UPDATE "contact" SET "email" = (CASE WHEN ("contact"."id" = 1) THEN 'dj6@canary.example' WHEN ("contact"."id" = 2) THEN 'dj7@canary.example' ELSE NULL END)::varchar(254) WHERE "contact"."id" IN (1, 2);
-- params: 1, 'dj8@canary.example', 2, 'dj9@canary.example', 1, 2
UPDATE "contact" SET "email" = CASE WHEN ("contact"."id" = $1) THEN $2 WHEN ("contact"."id" = $3) THEN $4 ELSE NULL END WHERE "contact"."id" IN ($5, $6);
UPDATE "orders" SET "total" = ("orders"."total" + 1) WHERE "orders"."user_id" IN (SELECT U0."id" FROM "auth_user" U0 WHERE U0."email" IS NOT NULL);
UPDATE "contact" SET "email" = (SELECT U0."email" FROM "auth_user" U0 WHERE U0."id" = ("contact"."user_id")) WHERE "contact"."user_id" IS NOT NULL;
SELECT "contact"."id", "contact"."email" FROM "contact" ORDER BY "contact"."id" ASC;
-- refused: randomized
UPDATE "contact" SET "nick" = NULL WHERE "contact"."email" = 'ada@canary.example';
-- refused: randomized
DELETE FROM "contact" WHERE "contact"."id" IN (SELECT U0."id" FROM "contact" U0 INNER JOIN "auth_user" U1 ON (U0."user_id" = U1."id") WHERE U1."email" = 'bob@canary.example');
DECLARE "_django_curs_1" NO SCROLL CURSOR WITH HOLD FOR SELECT "contact"."id" AS "col1", "contact"."email" AS "col2" FROM "contact" ORDER BY "contact"."id" ASC;
FETCH 2 FROM "_django_curs_1";
CLOSE "_django_curs_1";
SELECT * FROM contact ORDER BY id;
