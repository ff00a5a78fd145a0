use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use server::{Role, TokenInfo, Tokens};

use crate::arguments::TokenCommand;
use crate::exit::Exit;
use crate::terminal::{print, print_json, tell};

const DAY_S: u64 = 86_400;

pub(crate) fn run(command: &TokenCommand) -> anyhow::Result<Exit> {
    match command {
        TokenCommand::Create {
            name,
            role,
            days,
            dir,
        } => create(dir, name, *role, *days)?,
        TokenCommand::List { dir, json } => {
            let tokens = Tokens::open(dir)?.list()?;
            if *json {
                print_json(&tokens)?;
            } else {
                print(&table(&tokens))?;
            }
        }
        TokenCommand::Revoke { id, dir } => {
            if !Tokens::open(dir)?.revoke(id)? {
                bail!("no token has the id {id:?}: see `proofload token list`");
            }
            tell(&format!("{id} is refused from now on"));
        }
    }
    Ok(Exit::Held)
}

/// The token alone goes to stdout, so that a script can keep it.
fn create(dir: &Path, name: &str, role: Role, days: u16) -> anyhow::Result<()> {
    let life = Duration::from_secs(DAY_S * u64::from(days));
    let new = Tokens::open(dir)?.create(name, role, life)?;
    print(&format!("{}\n", new.token))?;
    let TokenInfo { id, expires_at, .. } = &new.info;
    tell(&format!(
        "token {id} of {name}, {role}, until {expires_at}; it is not shown again"
    ));
    Ok(())
}

fn table(tokens: &[TokenInfo]) -> String {
    let mut text = String::new();
    for token in tokens {
        let end = match &token.revoked_at {
            Some(at) => format!("revoked {at}"),
            None => format!("until {}", token.expires_at),
        };
        let TokenInfo { id, name, role, .. } = token;
        let _ = writeln!(text, "{id}  {name:<20} {:<9} {end}", role.as_str());
    }
    text
}
