-- The tables that generated statements are about. Run by the application's role.
CREATE SEQUENCE key_seq START 1000;

CREATE TABLE person (
    id integer PRIMARY KEY DEFAULT nextval('key_seq'),
    boss integer,
    email varchar(40),
    backup text,
    given varchar(20) NOT NULL DEFAULT 'None Canaryson',
    family varchar(30),
    code char(8),
    note text,
    size integer NOT NULL DEFAULT 0,
    active boolean
);

CREATE TABLE account (
    id integer PRIMARY KEY DEFAULT nextval('key_seq'),
    person_id integer,
    email varchar(40) UNIQUE,
    alias varchar(60),
    nick text,
    secret text,
    size integer CHECK (size < 1000)
);

CREATE TABLE subscriber (
    email varchar(40) PRIMARY KEY,
    given varchar(20),
    since date,
    size integer DEFAULT 1
);

CREATE TABLE letter (
    id integer PRIMARY KEY DEFAULT nextval('key_seq'),
    sender varchar(40),
    receiver varchar(40) REFERENCES subscriber (email) ON UPDATE CASCADE ON DELETE SET NULL,
    code char(8),
    body text,
    size integer,
    UNIQUE (sender, size)
);

CREATE TABLE "Quoted" (
    "Id" integer PRIMARY KEY,
    "E Mail" varchar(40),
    "select" varchar(20),
    size integer
);

-- Parted by a plain column.
CREATE TABLE visit (
    id integer,
    email varchar(40),
    nick text,
    size integer NOT NULL DEFAULT 0
) PARTITION BY RANGE (size);
CREATE TABLE visit_low PARTITION OF visit FOR VALUES FROM (MINVALUE) TO (3);
CREATE TABLE visit_high PARTITION OF visit DEFAULT;

-- Nothing in it is protected.
CREATE TABLE place (
    id integer PRIMARY KEY,
    name varchar(20),
    size integer,
    city text
);

CREATE VIEW active_person AS
    SELECT id, email, given, code, size FROM person WHERE active;
