-- What every file starts with. Personal values hold `canary.example`, `Canaryson` or `Kanary..`:
-- these are searched in all that reaches the database.
-- mode: all
INSERT INTO auth_user (password, last_login, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('!', NULL, false, 'ada', 'Ada Canaryson', 'Canaryson-Lovelace', 'ada@canary.example', true, true, '2024-01-01 10:00:00+00'), ('!', '2024-05-05 05:05:05+00', true, 'bob', 'Bob Canaryson', 'Canaryson', 'bob@canary.example', false, true, '2024-01-02 10:00:00+00'), ('!', NULL, false, 'eve', 'Eve Canaryson', 'Canaryson', 'eve@canary.example', false, false, '2024-01-03 10:00:00+00');
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('!', false, 'zoe', 'Zoë Canaryson', 'O''Canaryson', 'zoe@canary.example', false, true, '2024-01-04 10:00:00+00');
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('!', false, 'back', 'Back\slash Canaryson', 'Canaryson "Q" \', 'back\slash@canary.example', false, true, '2024-01-05 10:00:00+00');
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('!', false, 'empty', '', '', '', false, true, '2024-01-06 10:00:00+00');
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('!', false, 'bob2', 'Bob Canaryson', 'Canaryson', 'BOB@canary.example', false, false, '2024-01-07 10:00:00+00');
-- params: '!', false, 'uni', '名前 Canaryson', 'Canaryson 🦊', 'ünï@canary.example', false, true, '2024-01-08 10:00:00+00'
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);
INSERT INTO contact (user_id, label, email, phone, code, nick) VALUES (1, 'work', 'ada@canary.example', 'tel Canaryson 1', 'Kanary01', 'Canaryson the first'), (2, 'work', 'bob@canary.example', NULL, 'Kan', NULL), (2, NULL, NULL, NULL, NULL, NULL), (3, 'home', 'other@canary.example', '', '', ''), (NULL, 'lost', 'ada@canary.example', 'tel Canaryson 1', 'Kan', 'trailing Canaryson  ');
INSERT INTO newsletter_subscriber (email, confirmed, since) VALUES ('ada@canary.example', true, '2024-02-01'), ('bob@canary.example', false, NULL), ('none@canary.example', true, '2024-02-03');
INSERT INTO orders (user_id, total, note, placed) VALUES (1, 10.50, 'first', '2024-03-01'), (1, 99.99, NULL, '2024-03-02'), (2, 50.00, 'it''s', '2024-03-03'), (4, 0, '', NULL);
INSERT INTO tag VALUES ('new', 1), ('old', 2), ('odd', NULL);
