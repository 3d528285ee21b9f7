//! Profiles of both owners: the copies follow the base row, whatever happens to it.

use pgveil_lifecycle::{Severity, check};
use pgveil_seal::Mode;
use pgveil_sql::protection::ProfileOwner;

use crate::declared::{
    AUTH_USER, insert_user, keyrings, listed, migrate, only, people, planned, profile, refused,
    table, token,
};
use crate::server::{connect, connect_as, database, rows, run};

async fn in_step(client: &tokio_postgres::Client, owner: ProfileOwner, copies: &[&str]) {
    let report = check(client, &people(owner, copies), &keyrings()).await.expect("a report");
    assert_eq!(report.worst(), Severity::Info, "{report}");
}

const PROFILE: &str = "SELECT user_id, encrypted_email FROM web_profile ORDER BY 1";

fn email(name: &str) -> String {
    token("email", &format!("{name}@example.org"))
}

#[tokio::test]
async fn our_own_profile_follows() {
    let mut client = database("own_profile").await;
    run(&client, AUTH_USER).await;
    // The writer may do nothing but write the base table, and row security is on.
    run(
        &client,
        "CREATE ROLE writer LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON auth_user TO writer;
         ALTER TABLE auth_user ENABLE ROW LEVEL SECURITY;
         CREATE POLICY w ON auth_user FOR INSERT TO writer WITH CHECK (true);
         CREATE POLICY u ON auth_user FOR UPDATE TO writer USING (true) WITH CHECK (true);
         CREATE POLICY d ON auth_user FOR DELETE TO writer USING (true);
         CREATE POLICY s ON auth_user FOR SELECT TO writer USING (id < 100)",
    )
    .await;
    let copies = ["email", "first_name"];
    migrate(&mut client, &people(ProfileOwner::Pgveil, &copies)).await;
    let writer = connect_as("own_profile", "writer").await;
    for (id, name) in [(1, "ada"), (2, "bob"), (3, "cy"), (200, "hidden")] {
        run(&writer, &insert_user(id, name)).await;
    }
    let expected = |list: &[(i32, &str)]| {
        list.iter().map(|(id, n)| format!("{id}|{}", email(n))).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        rows(&client, PROFILE).await,
        expected(&[(1, "ada"), (2, "bob"), (3, "cy"), (200, "hidden")])
    );
    assert_eq!(
        rows(&client, "SELECT encrypted_first_name FROM web_profile WHERE user_id = 1").await,
        token("first_name", "ada")
    );
    let tom = email("tom");
    run(&writer, &format!("UPDATE auth_user SET email = '{tom}' WHERE id = 1")).await;
    run(&writer, "DELETE FROM auth_user WHERE id = 3").await;
    assert_eq!(rows(&client, PROFILE).await, expected(&[(1, "tom"), (2, "bob"), (200, "hidden")]));
    // Keys that change places, and keys that move on by one.
    run(
        &client,
        "ALTER TABLE auth_user DROP CONSTRAINT auth_user_pkey,
         ADD CONSTRAINT auth_user_pkey PRIMARY KEY (id) DEFERRABLE",
    )
    .await;
    run(&client, "UPDATE auth_user SET id = 3 - id WHERE id < 3").await;
    assert_eq!(rows(&client, PROFILE).await, expected(&[(1, "bob"), (2, "tom"), (200, "hidden")]));
    run(&client, "UPDATE auth_user SET id = id + 1 WHERE id < 3").await;
    assert_eq!(rows(&client, PROFILE).await, expected(&[(2, "bob"), (3, "tom"), (200, "hidden")]));
    // Replication replays rows with triggers off, except ours.
    run(&client, "SET session_replication_role = replica").await;
    run(&client, &insert_user(4, "dan")).await;
    run(&client, "DELETE FROM auth_user WHERE id = 2; RESET session_replication_role").await;
    assert_eq!(rows(&client, PROFILE).await, expected(&[(3, "tom"), (4, "dan"), (200, "hidden")]));
    // Upserts, rolled back and not.
    let upsert = format!(
        "{} ON CONFLICT (username) DO UPDATE SET email = '{}'",
        insert_user(9, "dan"),
        email("eve")
    );
    run(&client, &format!("BEGIN; {upsert}; ROLLBACK")).await;
    assert_eq!(rows(&client, PROFILE).await, expected(&[(3, "tom"), (4, "dan"), (200, "hidden")]));
    run(&client, &upsert).await;
    assert_eq!(rows(&client, PROFILE).await, expected(&[(3, "tom"), (4, "eve"), (200, "hidden")]));
    in_step(&client, ProfileOwner::Pgveil, &copies).await;
    run(&writer, "TRUNCATE auth_user").await;
    assert_eq!(rows(&client, PROFILE).await, "");
}

/// An AFTER trigger of the application's that fires before ours and writes the row again: ours
/// then runs for the newer version first and for the older one last.
#[tokio::test]
async fn a_later_version_is_not_overwritten_by_an_earlier_event() {
    let mut client = database("nested").await;
    run(&client, AUTH_USER).await;
    let eve = email("eve");
    run(
        &client,
        &format!(
            "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN UPDATE auth_user SET email = '{eve}' WHERE id = NEW.id AND email <> '{eve}';
             RETURN NULL; END $$;
             CREATE TRIGGER a_first AFTER INSERT OR UPDATE ON auth_user
             FOR EACH ROW EXECUTE FUNCTION again()"
        ),
    )
    .await;
    migrate(&mut client, &people(ProfileOwner::Pgveil, &["email"])).await;
    run(&client, &insert_user(1, "ada")).await;
    assert_eq!(rows(&client, PROFILE).await, format!("1|{eve}"));
}

#[tokio::test]
async fn two_sessions_write_one_row() {
    let mut client = database("sessions").await;
    run(&client, AUTH_USER).await;
    migrate(&mut client, &people(ProfileOwner::Pgveil, &["email"])).await;
    run(&client, &insert_user(1, "ada")).await;
    let other = connect("sessions").await;
    let update = |name| format!("UPDATE auth_user SET email = '{}' WHERE id = 1", email(name));
    run(&client, &format!("BEGIN; {}", update("first"))).await;
    let second = update("second");
    let (second, ()) = tokio::join!(other.batch_execute(&second), async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        run(&client, "COMMIT").await;
    });
    second.unwrap();
    assert_eq!(rows(&client, PROFILE).await, format!("1|{}", email("second")));
}

#[tokio::test]
async fn partitions_keep_one_profile() {
    let mut client = database("partitions").await;
    run(
        &client,
        "CREATE TABLE auth_user (id int PRIMARY KEY, email varchar(254)) PARTITION BY RANGE (id);
         CREATE TABLE low PARTITION OF auth_user FOR VALUES FROM (0) TO (100);
         CREATE TABLE high PARTITION OF auth_user FOR VALUES FROM (100) TO (200)",
    )
    .await;
    let mut declared = table("auth_user", &[("email", Mode::Deterministic)]);
    declared.profile = Some(profile(ProfileOwner::Pgveil, "web_profile", &["email"]));
    let declaration = only(declared);
    migrate(&mut client, &declaration).await;
    let (ada, bob) = (email("ada"), email("bob"));
    run(&client, &format!("INSERT INTO auth_user VALUES (1, '{ada}'), (150, '{bob}')")).await;
    run(&client, "UPDATE auth_user SET id = 120 WHERE id = 1").await;
    assert_eq!(rows(&client, PROFILE).await, format!("120|{ada} 150|{bob}"));
    run(&client, &format!("INSERT INTO low VALUES (2, '{bob}')")).await;
    run(&client, "TRUNCATE high").await;
    assert_eq!(rows(&client, PROFILE).await, format!("2|{bob}"));
    // A partition made later has row triggers, and its TRUNCATE trigger is reported and added.
    run(
        &client,
        &format!(
            "CREATE TABLE top PARTITION OF auth_user FOR VALUES FROM (200) TO (300);
             INSERT INTO top VALUES (250, '{ada}')"
        ),
    )
    .await;
    assert_eq!(rows(&client, PROFILE).await, format!("2|{bob} 250|{ada}"));
    let report = check(&client, &declaration, &keyrings()).await.unwrap();
    assert!(
        report.to_string().contains("pgveil_profile_truncate on public.top is missing"),
        "{report}"
    );
    migrate(&mut client, &declaration).await;
    run(&client, "ALTER TABLE low DISABLE TRIGGER pgveil_profile").await;
    let report = check(&client, &declaration, &keyrings()).await.unwrap();
    assert!(report.to_string().contains("is disabled"), "{report}");
    migrate(&mut client, &declaration).await;
    let report = check(&client, &declaration, &keyrings()).await.unwrap();
    assert_eq!(report.worst(), Severity::Info, "{report}");
}

#[tokio::test]
async fn a_changed_declaration_moves_the_copies() {
    let mut client = database("redeclared").await;
    run(&client, AUTH_USER).await;
    migrate(&mut client, &people(ProfileOwner::Pgveil, &["email"])).await;
    run(&client, &insert_user(1, "ada")).await;
    let copies = ["username", "email"];
    let wider = people(ProfileOwner::Pgveil, &copies);
    migrate(&mut client, &wider).await;
    assert_eq!(
        rows(&client, "SELECT encrypted_username FROM web_profile").await,
        token("username", "ada")
    );
    run(&client, &insert_user(2, "bob")).await;
    in_step(&client, ProfileOwner::Pgveil, &copies).await;
    migrate(&mut client, &people(ProfileOwner::Pgveil, &["username"])).await;
    assert_eq!(
        rows(
            &client,
            "SELECT attname FROM pg_attribute WHERE attrelid = 'web_profile'::regclass
                       AND attnum > 0 AND NOT attisdropped ORDER BY 1"
        )
        .await,
        "encrypted_username user_id"
    );
    // No profile at all: the triggers go, the table stays.
    let mut none = wider;
    none.tables[0].profile = None;
    migrate(&mut client, &none).await;
    run(&client, &insert_user(3, "cy")).await;
    assert_eq!(rows(&client, "SELECT count(*) FROM web_profile").await, "2");
    assert_eq!(
        rows(
            &client,
            "SELECT count(*) FROM pg_proc WHERE pronamespace = 'pgveil'::regnamespace
                AND prorettype = 'trigger'::regtype"
        )
        .await,
        "0"
    );
}

/// Django's one-to-one profile: a deferred foreign key, and columns that the site may not know.
const WEB_PROFILE: &str = "
    CREATE TABLE web_profile (
        id bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
        bio text NOT NULL,
        encrypted_email varchar(255) NOT NULL DEFAULT '',
        user_id integer NOT NULL UNIQUE REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED)";

#[tokio::test]
async fn the_applications_profile_follows() {
    let mut client = database("app_profile").await;
    run(&client, AUTH_USER).await;
    run(&client, WEB_PROFILE).await;
    run(
        &client,
        "CREATE ROLE site LOGIN; GRANT ALL ON auth_user, web_profile TO site;
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO site",
    )
    .await;
    let copies = ["email", "first_name"];
    migrate(&mut client, &people(ProfileOwner::Application, &copies)).await;
    let site = connect_as("app_profile", "site").await;
    let insert = |id| format!("INSERT INTO web_profile (bio, user_id) VALUES ('', {id})");
    // User first, profile first, and both in one statement.
    run(&site, &insert_user(1, "ada")).await;
    run(&site, &insert(1)).await;
    run(&site, &format!("BEGIN; {}; {}; COMMIT", insert(2), insert_user(2, "bob"))).await;
    run(
        &site,
        &format!(
            "WITH u AS ({} RETURNING id) {}",
            insert_user(3, "cy"),
            "INSERT INTO web_profile (bio, user_id) SELECT '', id FROM u"
        ),
    )
    .await;
    let expected = |list: &[(i32, &str)]| {
        list.iter().map(|(id, n)| format!("{id}|{}", email(n))).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(rows(&client, PROFILE).await, expected(&[(1, "ada"), (2, "bob"), (3, "cy")]));
    // Whatever the application writes there is overwritten.
    run(&site, "UPDATE web_profile SET encrypted_email = 'plain', bio = 'x'").await;
    run(&site, &format!("UPDATE auth_user SET email = '{}' WHERE id = 2", email("tom"))).await;
    assert_eq!(rows(&client, PROFILE).await, expected(&[(1, "ada"), (2, "tom"), (3, "cy")]));
    run(&site, "UPDATE web_profile SET user_id = 9 - user_id WHERE false").await;
    run(
        &site,
        "BEGIN; UPDATE auth_user SET id = 7 WHERE id = 3; \
                UPDATE web_profile SET user_id = 7 WHERE user_id = 3; COMMIT",
    )
    .await;
    assert_eq!(rows(&client, PROFILE).await, expected(&[(1, "ada"), (2, "tom"), (7, "cy")]));
    run(
        &site,
        "BEGIN; DELETE FROM auth_user WHERE id = 7; \
                DELETE FROM web_profile WHERE user_id = 7; COMMIT",
    )
    .await;
    in_step(&client, ProfileOwner::Application, &copies).await;
    // Moving to a table of ours: the application's trigger goes.
    let mut ours = people(ProfileOwner::Pgveil, &copies);
    ours.tables[0].profile.as_mut().unwrap().table = "copies".to_owned();
    migrate(&mut client, &ours).await;
    assert_eq!(
        rows(&client, "SELECT count(*) FROM pg_trigger WHERE tgname = 'zz_pgveil_copies'").await,
        "0"
    );
    assert_eq!(rows(&client, "SELECT count(*) FROM copies").await, "2");
    assert_eq!(planned(&client, &ours).await.steps(), []);
}

#[tokio::test]
async fn profiles_that_cannot_be_are_refused() {
    let client = database("bad_profiles").await;
    run(&client, AUTH_USER).await;
    run(
        &client,
        "CREATE ROLE other; CREATE TABLE web_profile (user_id text, encrypted_email int);
         ALTER TABLE web_profile OWNER TO other; ALTER TABLE auth_user FORCE ROW LEVEL SECURITY",
    )
    .await;
    let findings =
        refused(&client, &people(ProfileOwner::Application, &["email", "last_name"])).await;
    let all = listed(&findings);
    for part in ["not unique", "cannot hold tokens", "belongs to role other", "is not protected"] {
        assert!(all.contains(part), "{part} in\n{all}");
    }
    let findings = refused(&client, &people(ProfileOwner::Pgveil, &["email"])).await;
    assert!(findings.iter().any(|f| f.what.contains("was not made by pgveil")), "{findings:?}");
}

/// Nobody else may call our functions: a role could have other people's tokens copied into a table
/// of its own.
#[tokio::test]
async fn trigger_functions_are_not_for_everybody() {
    let mut client = database("functions").await;
    run(&client, AUTH_USER).await;
    run(&client, WEB_PROFILE).await;
    migrate(&mut client, &people(ProfileOwner::Application, &["email"])).await;
    run(&client, "CREATE ROLE thief LOGIN; CREATE SCHEMA thief AUTHORIZATION thief").await;
    let thief = connect_as("functions", "thief").await;
    run(&thief, "CREATE TABLE thief.mine (user_id int, encrypted_email text)").await;
    let stolen = thief
        .batch_execute(
            "CREATE TRIGGER t BEFORE INSERT ON thief.mine FOR EACH ROW
             EXECUTE FUNCTION pgveil.\"zz_pgveil_copies:public.auth_user\"()",
        )
        .await;
    let code = stolen.unwrap_err().code().cloned();
    assert_eq!(code, Some(tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE));
}
