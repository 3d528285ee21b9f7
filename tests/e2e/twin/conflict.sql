-- ON CONFLICT.
-- On a plain key it works in either mode.
INSERT INTO contact (id, email) VALUES (1, 'c1@canary.example') ON CONFLICT DO NOTHING;
INSERT INTO contact (id, email) VALUES (1, 'c2@canary.example') ON CONFLICT (id) DO UPDATE SET email = excluded.email RETURNING id, email;
INSERT INTO contact (id, email, phone) VALUES (1, 'c3@canary.example', 'tel Canaryson 31') ON CONFLICT (id) DO UPDATE SET email = EXCLUDED.email, phone = EXCLUDED.phone RETURNING *;
INSERT INTO contact (id, email) VALUES (1, 'unused@canary.example') ON CONFLICT (id) DO UPDATE SET email = 'c4@canary.example', phone = NULL RETURNING email, phone;
INSERT INTO contact (id, email) VALUES (900, 'c5@canary.example') ON CONFLICT ON CONSTRAINT contact_pkey DO UPDATE SET email = excluded.email;
-- params: 1, 'c6@canary.example'
INSERT INTO contact (id, email) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET email = $2 RETURNING email;
INSERT INTO contact (id, email) VALUES (1, 'c7@canary.example') ON CONFLICT (id) DO UPDATE SET label = 'again' WHERE contact.email IS NOT NULL RETURNING email, label;
INSERT INTO contact AS c (id, email) VALUES (2, 'c8@canary.example') ON CONFLICT (id) DO UPDATE SET email = c.email, label = 'kept' RETURNING c.email, c.label;
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('!', false, 'ada', 'New Canaryson', 'Canaryson', 'c9@canary.example', false, true, '2024-01-01 00:00:00+00') ON CONFLICT (username) DO UPDATE SET first_name = excluded.first_name, email = excluded.email RETURNING id, username, first_name, email;
-- refused: randomized
INSERT INTO contact (id, email) VALUES (1, 'c10@canary.example') ON CONFLICT (id) DO UPDATE SET label = 'same' WHERE contact.email = excluded.email;
-- refused: randomized
INSERT INTO contact (id, email) VALUES (1, 'c11@canary.example') ON CONFLICT (id) DO UPDATE SET email = excluded.email WHERE contact.email <> 'c4@canary.example' RETURNING email;
-- refused
INSERT INTO contact (id, email) VALUES (1, 'c12@canary.example') ON CONFLICT (id) DO UPDATE SET email = lower(excluded.email);
-- refused
INSERT INTO contact (id, email) VALUES (1, 'c12@canary.example') ON CONFLICT (id) DO UPDATE SET label = excluded.email;
-- The rest needs a unique index on a protected column.
-- mode: deterministic mixed
INSERT INTO newsletter_subscriber (email) VALUES ('ada@canary.example') ON CONFLICT (email) DO NOTHING RETURNING id;
INSERT INTO newsletter_subscriber (email, confirmed) VALUES ('ada@canary.example', false) ON CONFLICT (email) DO UPDATE SET confirmed = excluded.confirmed RETURNING email, confirmed;
INSERT INTO newsletter_subscriber (email) VALUES ('fresh@canary.example') ON CONFLICT (email) DO UPDATE SET since = '2024-09-09' RETURNING email, since;
INSERT INTO newsletter_subscriber (email) VALUES ('fresh@canary.example') ON CONFLICT (email) DO UPDATE SET since = '2024-09-09' RETURNING email, since;
INSERT INTO newsletter_subscriber (email) VALUES ('fresh@canary.example') ON CONFLICT ON CONSTRAINT newsletter_subscriber_email_key DO UPDATE SET email = 'renamed@canary.example' RETURNING email;
-- params: 'bob@canary.example', true
INSERT INTO newsletter_subscriber (email, confirmed) VALUES ($1, $2) ON CONFLICT (email) DO UPDATE SET confirmed = EXCLUDED.confirmed, email = EXCLUDED.email RETURNING *;
INSERT INTO newsletter_subscriber (email) VALUES ('bob@canary.example'), ('many@canary.example') ON CONFLICT DO NOTHING;
-- error: 21000
INSERT INTO newsletter_subscriber (email) VALUES ('twice@canary.example'), ('twice@canary.example') ON CONFLICT (email) DO UPDATE SET confirmed = true;
INSERT INTO newsletter_subscriber (email) SELECT email FROM auth_user ON CONFLICT (email) DO NOTHING;
SELECT email, confirmed, since FROM newsletter_subscriber ORDER BY id;
-- mode: all
SELECT * FROM contact ORDER BY id;
SELECT id, username, first_name, email FROM auth_user ORDER BY id;
