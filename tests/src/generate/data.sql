-- NULLs, duplicates, empty strings, blanks, quotes, backslashes, Unicode; every table small.
INSERT INTO person (id, boss, email, backup, given, family, code, note, size, active) VALUES
    (1, NULL, 'ada@canary.example', 'bob@canary.example', 'Ada Canaryson', 'Canaryson', 'Kanary01', 'x', 1, true),
    (2, 1, 'bob@canary.example', 'bob@canary.example', 'Bob Canaryson', 'O''Canaryson', 'Kan', 'it''s', 2, true),
    (3, 1, 'bob@canary.example', NULL, 'Bob Canaryson', NULL, NULL, NULL, 3, false),
    (4, 2, NULL, '', '', '', '', '', 0, NULL),
    (5, 2, '', 'o''hara@canary.example', 'it''s', 'Back\slash Canaryson', 'a', 'b\', 5, true),
    (6, NULL, 'ünï@canary.example', 'ada@canary.example ', 'Zoë Canaryson', 'Canaryson', 'Kanary02', 'ö', 1, true),
    (7, 9, 'back\slash@canary.example', 'a', 'a', 'a', 'Kan', 'a', 2, false),
    (8, 7, 'a', '名前@canary.example', 'Bob Canaryson', NULL, 'Kanary01', NULL, 1, true);
INSERT INTO account (id, person_id, email, alias, nick, secret, size) VALUES
    (1, 1, 'ada@canary.example', 'bob@canary.example', 'the Canaryson', 'secret Canaryson', 1),
    (2, 2, 'bob@canary.example', NULL, 'it''s', NULL, 2),
    (3, 2, NULL, 'a', '', '', NULL),
    (4, NULL, NULL, '', NULL, 'a', 4),
    (5, 6, '', 'ünï@canary.example', 'the Canaryson', 'secret Canaryson', 1),
    (6, 3, 'only@canary.example', 'only@canary.example', 'a', 'b\', 6);
INSERT INTO subscriber (email, given, since, size) VALUES
    ('ada@canary.example', 'Ada Canaryson', '2024-01-01', 1),
    ('bob@canary.example', NULL, '2024-01-02', 2),
    ('', '', NULL, 3),
    ('o''hara@canary.example', 'a', '2024-01-02', NULL),
    ('a', 'Bob Canaryson', '2024-02-29', 1);
INSERT INTO letter (id, sender, receiver, code, body, size) VALUES
    (1, 'ada@canary.example', 'bob@canary.example', 'Kanary01', 'x', 1),
    (2, 'ada@canary.example', 'a', 'Kan', NULL, 2),
    (3, 'bob@canary.example', 'ada@canary.example', NULL, 'it''s', 1),
    (4, NULL, '', 'a', '', 1),
    (5, '', NULL, 'Kanary02', 'b\', NULL),
    (6, 'none@canary.example', 'bob@canary.example', 'Kan', 'x', 3);
INSERT INTO "Quoted" ("Id", "E Mail", "select", size) VALUES
    (1, 'ada@canary.example', 'Ada Canaryson', 1),
    (2, NULL, 'Bob Canaryson', 2),
    (3, 'it''s', NULL, 2),
    (4, 'bob@canary.example', 'a', NULL);
INSERT INTO visit (id, email, nick, size) VALUES
    (1, 'ada@canary.example', 'the Canaryson', 1),
    (2, 'bob@canary.example', 'a', 2),
    (3, 'bob@canary.example', NULL, 5),
    (4, NULL, 'the Canaryson', 6),
    (5, 'a', '', 1);
INSERT INTO place (id, name, size, city) VALUES
    (1, 'x', 1, 'y'), (2, 'it''s', 2, NULL), (3, NULL, 3, ''), (4, 'a', NULL, 'ö');
