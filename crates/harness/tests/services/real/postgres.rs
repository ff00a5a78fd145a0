//! PostgreSQL as it is: what it acknowledged is there, unless it was told not to wait for its disk.

use report::ScenarioResult;

use super::postgres_server::Server;
use crate::effects::run;

fn proved(text: &str) -> (ScenarioResult, String) {
    let out = tempfile::tempdir().unwrap();
    let (report, result) = run(text, out.path());
    (result, crate::page(&report))
}

/// Notes that are written one by one; `MADE` makes the table.
const NOTES: &str = r#"
name = "notes"
thresholds = ['error_rate < 90%']

[services.db]
kind = "postgres"
SERVICE

[[setup]]
name = "make"
sql = '''
set synchronous_commit = on;
drop table if exists note;
create table note (id text, body text not null, made timestamptz default now());
MADE
'''

[[flows.write]]
name = "insert"
vars = { text = "${text(20)}" }
sql = "insert into note (id, body) values (${id}, ${text})"
effect = { creates = "note", key = "${id}", content = "${text}" }

[effects.note]
read.sql = "select id as key, body as content from note where starts_with(id, ${run})"
delete.sql = "delete from note where starts_with(id, ${run})"

[model]
users = 4
iterations = 25
"#;

fn notes(server: &Server, made: &str) -> String {
    NOTES
        .replace("SERVICE", &server.service())
        .replace("MADE", made)
}

/// A trigger that does something to each tenth row.
fn each_tenth(when: &str, does: &str) -> String {
    format!(
        "drop sequence if exists turn;
         create sequence turn;
         create or replace function lie() returns trigger language plpgsql as $body$
         begin
           if pg_trigger_depth() = 1 and nextval('turn') % 10 = 0 then {does} end if;
           return new;
         end $body$;
         create trigger lie {when} insert on note for each row execute function lie();"
    )
}

#[test]
fn a_commit_that_does_not_wait_for_the_disk_is_lost_with_the_server_and_one_that_waits_is_not() {
    for (setting, loses) in [("off", true), ("on", false)] {
        let Some(server) = Server::start(&format!("synchronous_commit = {setting}")) else {
            return;
        };
        // It would write the log a moment later: nobody knows when the server ends.
        server.stop_log_writer();
        let (result, page) = proved(&notes(&server, ""));
        let found = &result.verification;
        let effect = &result.effects.as_ref().unwrap()[0];
        assert_eq!(effect.acknowledged, 100, "{page}");
        assert_eq!(found.verified + found.lost, 100, "{page}");
        assert_eq!(
            found.lost > 0,
            loses,
            "synchronous_commit = {setting}\n{page}"
        );
        assert_eq!(result.effects_hold(), !loses, "{page}");
        let [end, after] = &*effect.readings else {
            panic!("{page}")
        };
        assert_eq!(end.verification.lost, 0, "{page}");
        assert_eq!(after.verification.lost > 0, loses, "{page}");
    }
}

#[test]
fn a_table_that_lies_is_named_and_one_that_does_not_passes() {
    let Some(server) = Server::start("fsync = off") else {
        return;
    };
    let cases = [
        (String::new(), [0, 0, 0]),
        (each_tenth("before", "return null;"), [10, 0, 0]),
        (each_tenth("before", "new.body := 'other';"), [0, 10, 0]),
        (
            each_tenth(
                "after",
                "insert into note (id, body) values (new.id, new.body);",
            ),
            [0, 0, 10],
        ),
    ];
    for (made, wanted) in cases {
        let (result, page) = proved(&notes(&server, &made));
        let found = &result.verification;
        assert_eq!(
            [found.lost, found.altered, found.duplicated],
            wanted,
            "{made}\n{page}"
        );
        let effect = &result.effects.as_ref().unwrap()[0];
        assert_eq!(effect.acknowledged, 100, "{made}\n{page}");
        assert_eq!(result.effects_hold(), wanted == [0, 0, 0], "{page}");
    }
}

/// Transactions that write a row and add to a sum, and what is read of them.
const TRANSFERS: &str = r#"
name = "transfers"
thresholds = ['error_rate < 90%']

[services.db]
kind = "postgres"
SERVICE
require = { synchronous_commit = "on" }

[[setup]]
name = "make"
sql = '''
drop table if exists transfer, account;
create table account (id int primary key, balance numeric(20, 2) not null);
create table transfer (id text primary key, amount bigint not null, tags jsonb not null);
insert into account select g, 0 from generate_series(1, 5) g;
'''

[[flows.transfer]]
name = "transfer"
vars = { account = "${int(1, 5)}", amount = "${int(1, 9)}" }
sql = [
    "update account set balance = balance + ${amount} where id = ${account}",
    "insert into transfer values (${id}, ${amount}, '{ \"a\": [1] }')",
]
isolation = "serializable"
retry = { times = 50, delay = "1ms" }
effect = [
    { creates = "transfer", key = "${id}", content = "${amount}" },
    { adds = "balance", key = "${account}", by = "${amount}" },
]

[[flows.transfer]]
name = "look"
sql = "select transfer.id, amount, tags, balance from transfer, account where transfer.id = ${id} and account.id = ${account}"
expect = { "$[0].id" = "${id}", "$[0].amount" = "${amount}", "$[0].tags.a[0]" = 1, exists = ["$[0].balance"] }
capture = { seen = "$[0].amount" }

[[flows.transfer]]
name = "twice"
sql = "insert into transfer values (${id}, ${seen}, 'null')"
outcomes = { 23505 = "acknowledged" }

[effects.transfer]
read.sql = "select amount from transfer where id = ${key}"
read.content = "$.amount"

[effects.balance]
read.sql = "select id as key, balance::bigint as content from account"

LOAD
"#;

#[test]
fn transactions_are_tried_again_and_read_back_by_key_and_as_sums() {
    let Some(server) = Server::start("fsync = off") else {
        return;
    };
    let text = TRANSFERS
        .replace("SERVICE", &server.service())
        .replace("LOAD", "[model]\nusers = 4\niterations = 10");
    let (result, page) = proved(&text);
    assert!(result.effects_hold(), "{page}");
    for step in ["transfer", "look"] {
        assert_eq!(result.run.step(step).unwrap().failed, 0, "{page}");
    }
    let [balance, transfer] = &**result.effects.as_ref().unwrap() else {
        panic!("{page}")
    };
    assert_eq!(transfer.acknowledged, 40, "{page}");
    assert_eq!(balance.acknowledged, 40, "{page}");
}

#[test]
fn a_restart_under_load_loses_nothing_that_was_acknowledged() {
    let Some(server) = Server::start("") else {
        return;
    };
    let phase = "[[phases]]\nname = \"restarted\"\nfor = \"3s\"\nusers = 4\n\
                 faults = [{ at = \"500ms\", kind = \"restart\" }]";
    let text = TRANSFERS
        .replace("SERVICE", &server.service())
        .replace("LOAD", phase);
    let (result, page) = proved(&text);
    assert_eq!(result.faults.len(), 1, "{page}");
    assert_eq!(result.faults[0].failed, None, "{page}");
    assert!(result.effects_hold(), "{page}");
    assert!(result.verification.verified > 0, "{page}");
}

#[test]
fn what_an_error_means_is_known_by_its_sqlstate() {
    let Some(server) = Server::start("fsync = off") else {
        return;
    };
    // A deferred trigger ends the session in the COMMIT, whose outcome nobody learns then.
    let dies = "create or replace function die() returns trigger language plpgsql as $body$
         begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); return null; end $body$;
         create constraint trigger die after insert on note deferrable initially deferred
           for each row execute function die();";
    let insert = "\"insert into note (id, body) values (${id}, ${text})\"";
    let cases = [
        // Division by zero, a column that is not null, no such table, and one in a transaction.
        (
            "",
            format!(
                "\"{}\"",
                "insert into note (id, body) values (${id}, (1 / (length(${text}) - 20))::text)"
            ),
            "22012",
            true,
        ),
        (
            "",
            "\"insert into note (id, body) values (${id}, nullif(${text}, ${text}))\"".to_owned(),
            "23502",
            true,
        ),
        (
            "",
            "\"insert into nothing (id, body) values (${id}, ${text})\"".to_owned(),
            "42P01",
            true,
        ),
        (
            "",
            format!("[{insert}, \"select 1 / (length(${{text}}) - 20)\"]"),
            "22012",
            true,
        ),
        (dies, format!("[{insert}]"), "57P01", false),
    ];
    for (made, sql, state, is_refused) in cases {
        let text = notes(&server, made)
            .replace(insert, &sql)
            .replace("iterations = 25", "iterations = 2");
        let (result, page) = proved(&text);
        let effect = &result.effects.as_ref().unwrap()[0];
        assert_eq!(effect.refused + effect.unknown, 8, "{sql}\n{page}");
        match is_refused {
            true => assert_eq!(effect.unknown, 0, "{sql}\n{page}"),
            // Of four users, each one's first COMMIT. The next statement may find the connection
            // closed before anything of it could be committed.
            false => assert!(effect.unknown >= 4, "{sql}\n{page}"),
        }
        assert_eq!(effect.acknowledged, 0, "{sql}\n{page}");
        assert!(page.contains(&format!("SQLSTATE {state}")), "{sql}\n{page}");
        assert!(result.verification.unexpected == 0, "{page}");
    }
}
