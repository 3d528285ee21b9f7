-- Errors that name a constraint, and upserts that look for one: columns, names, partial indexes.
-- mode: all
-- error: 23505
INSERT INTO contact (id, email) VALUES (1, 'co1@canary.example');
-- error: 23505
INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES (1, '!', false, 'co', 'Co Canaryson', 'Canaryson', 'co2@canary.example', false, true, '2024-01-01 00:00:00+00');
-- error: 23503
UPDATE contact SET user_id = 99, email = 'co3@canary.example' WHERE id = 1;
-- error: 23505
UPDATE auth_user SET username = 'bob', email = 'co4@canary.example' WHERE id = 1;
-- error: 42P01
INSERT INTO pg_temp.none SELECT email FROM contact WHERE false;
-- error: 42P10
INSERT INTO contact (id, email) VALUES (1, 'co5@canary.example') ON CONFLICT (label) DO NOTHING;
-- error: 42704
INSERT INTO contact (id, email) VALUES (1, 'co6@canary.example') ON CONFLICT ON CONSTRAINT no_such_key DO NOTHING;
-- refused: randomized
-- error: 42P10
INSERT INTO newsletter_subscriber (email) VALUES ('co7@canary.example') ON CONFLICT (email, confirmed) DO NOTHING;
-- error: 42601
INSERT INTO contact (id, email) VALUES (1, 'co8@canary.example') ON CONFLICT DO UPDATE SET email = excluded.email;
-- error: 42703
INSERT INTO contact (id, email) VALUES (1, 'co9@canary.example') ON CONFLICT (id) DO UPDATE SET email = excluded.missing;
-- Constraints over plain columns of a protected table, made later.
ALTER TABLE contact ADD CONSTRAINT contact_label_check CHECK (label <> 'forbidden');
-- except: D: the server cuts tokens in it
-- error: 23514
UPDATE contact SET label = 'forbidden' WHERE id = 1;
ALTER TABLE contact ADD CONSTRAINT "contact User/Label" UNIQUE (user_id, label);
-- error: 23505
INSERT INTO contact (user_id, label, email) VALUES (1, 'work', 'co10@canary.example');
INSERT INTO contact (user_id, label, email) VALUES (1, 'work', 'co11@canary.example') ON CONFLICT ON CONSTRAINT "contact User/Label" DO UPDATE SET email = excluded.email RETURNING id, email;
INSERT INTO contact (user_id, label, email) VALUES (1, 'work', 'co12@canary.example') ON CONFLICT (label, user_id) DO UPDATE SET (email, phone) = (excluded.email, NULL) RETURNING id, email, phone;
INSERT INTO contact (user_id, label, email) VALUES (NULL, 'lost', 'co13@canary.example') ON CONFLICT (user_id, label) DO NOTHING RETURNING email;
ALTER TABLE contact DROP CONSTRAINT "contact User/Label";
-- error: 42704
ALTER TABLE contact DROP CONSTRAINT "contact User/Label";
ALTER TABLE contact DROP CONSTRAINT IF EXISTS "contact User/Label";
ALTER TABLE contact RENAME CONSTRAINT contact_label_check TO contact_label_kept;
-- except: D: the server cuts tokens in it
-- error: 23514
INSERT INTO contact (label, email) VALUES ('forbidden', 'co14@canary.example');
ALTER TABLE contact DROP CONSTRAINT contact_label_kept;
CREATE UNIQUE INDEX contact_one_home ON contact (user_id) WHERE label = 'home';
-- error: 23505
INSERT INTO contact (user_id, label, email) VALUES (3, 'home', 'co15@canary.example');
INSERT INTO contact (user_id, label, email) VALUES (3, 'home', 'co16@canary.example') ON CONFLICT (user_id) WHERE label = 'home' DO UPDATE SET email = excluded.email RETURNING id, email;
-- error: 42P10
INSERT INTO contact (user_id, label, email) VALUES (3, 'home', 'co17@canary.example') ON CONFLICT (user_id) DO NOTHING;
DROP INDEX contact_one_home;
CREATE UNIQUE INDEX contact_lower_label ON contact (lower(label), (id % 1000));
-- refused
INSERT INTO contact (id, label, email) VALUES (1001, 'WORK', 'co18@canary.example') ON CONFLICT (lower(label), (id % 1000)) DO UPDATE SET email = excluded.email RETURNING id, email;
DROP INDEX contact_lower_label;
-- Unique over the protected value: the names and the values in the errors are the plain ones.
-- mode: deterministic mixed
-- error: 23505
INSERT INTO newsletter_subscriber (id, email) VALUES (900, 'bob@canary.example');
-- error: 23505
UPDATE newsletter_subscriber SET email = 'bob@canary.example' WHERE email = 'ada@canary.example';
-- params: 'none@canary.example', 'ada@canary.example'
-- error: 23505
UPDATE newsletter_subscriber SET email = $1 WHERE email = $2;
-- error: 23505
INSERT INTO newsletter_subscriber (email) SELECT email FROM auth_user WHERE id < 3;
-- error: 23505
INSERT INTO newsletter_subscriber (email) VALUES (E'quo\'te,(1)=@canary.example'), ('quo''te,(1)=@canary.example');
-- error: 23505
INSERT INTO newsletter_subscriber (email) VALUES (''), ('');
-- error: 23505
INSERT INTO newsletter_subscriber (email) VALUES ('名前@canary.example'), ('名前@canary.example');
-- error: 23505
WITH a AS (INSERT INTO newsletter_subscriber (email) VALUES ('co20@canary.example')) INSERT INTO newsletter_subscriber (email) VALUES ('co20@canary.example');
CREATE UNIQUE INDEX contact_mail_per_user ON contact (user_id, email);
-- error: 23505
INSERT INTO contact (user_id, email) SELECT user_id, email FROM contact WHERE id = 2;
INSERT INTO contact (user_id, email, label) SELECT user_id, email, 'again' FROM contact WHERE id = 2 ON CONFLICT (user_id, email) DO UPDATE SET label = excluded.label RETURNING id, label;
INSERT INTO contact (user_id, email, label) VALUES (2, 'bob@canary.example', 'up') ON CONFLICT (email, user_id) DO UPDATE SET label = contact.label || '+' || excluded.label WHERE contact.email = excluded.email RETURNING label, email;
DROP INDEX contact_mail_per_user;
CREATE UNIQUE INDEX subscriber_confirmed ON newsletter_subscriber (email) WHERE confirmed;
-- error: 23505
INSERT INTO newsletter_subscriber (email, confirmed) VALUES ('ada@canary.example', true);
INSERT INTO newsletter_subscriber (email, confirmed) VALUES ('ada@canary.example', true) ON CONFLICT (email) WHERE confirmed DO UPDATE SET since = '2024-10-10' RETURNING email, since;
INSERT INTO newsletter_subscriber AS n (email, confirmed) VALUES ('co21@canary.example', true), ('bob@canary.example', false) ON CONFLICT (email) WHERE confirmed DO NOTHING RETURNING n.email;
DROP INDEX subscriber_confirmed;
ALTER TABLE newsletter_subscriber DROP CONSTRAINT newsletter_subscriber_email_key;
INSERT INTO newsletter_subscriber (email) VALUES ('ada@canary.example') RETURNING email;
-- except: D: which of the duplicates is told depends on the tokens
-- error: 23505
ALTER TABLE newsletter_subscriber ADD CONSTRAINT again UNIQUE (email);
DELETE FROM newsletter_subscriber WHERE id > 3 AND email = 'ada@canary.example';
ALTER TABLE newsletter_subscriber ADD CONSTRAINT again UNIQUE (email);
-- error: 23505
INSERT INTO newsletter_subscriber (email) VALUES ('ada@canary.example');
-- Foreign keys between protected columns of one domain.
ALTER TABLE contact ADD CONSTRAINT contact_mail_fk FOREIGN KEY (email) REFERENCES auth_user (email) NOT VALID;
-- error: 23503
INSERT INTO contact (email) VALUES ('co22@canary.example');
INSERT INTO contact (email) VALUES ('zoe@canary.example'), (NULL) RETURNING email;
-- error: 23503
UPDATE auth_user SET email = 'co23@canary.example' WHERE username = 'zoe';
-- error: 23503
DELETE FROM auth_user WHERE email = 'zoe@canary.example';
ALTER TABLE contact DROP CONSTRAINT contact_mail_fk;
ALTER TABLE contact ADD CONSTRAINT contact_mail_fk FOREIGN KEY (email) REFERENCES auth_user (email) ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED NOT VALID;
UPDATE auth_user SET email = 'co24@canary.example' WHERE username = 'zoe';
SELECT id, email FROM contact ORDER BY id;
BEGIN;
INSERT INTO contact (email) VALUES ('co25@canary.example') RETURNING email;
UPDATE contact SET email = 'ada@canary.example' WHERE email = 'co25@canary.example';
COMMIT;
SELECT email FROM newsletter_subscriber ORDER BY id;
