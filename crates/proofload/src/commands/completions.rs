//! What shells and `man` know of the command, made from its own arguments.

use clap::CommandFactory as _;

use crate::arguments::{Arguments, CompletionsArguments, ManArguments};
use crate::exit::Exit;
use crate::terminal::print_own;

const NAME: &str = "proofload";

pub(crate) fn print_completions(arguments: &CompletionsArguments) -> anyhow::Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), NAME, &mut text);
    print_own(&text)?;
    Ok(Exit::Held)
}

pub(crate) fn print_man(arguments: &ManArguments) -> anyhow::Result<Exit> {
    let all = Arguments::command();
    let command = match &arguments.command {
        None => all,
        Some(name) => {
            let found = all.find_subcommand(name).cloned();
            let found = found.ok_or_else(|| anyhow::anyhow!("there is no command {name:?}"))?;
            // The page's name, as in `man proofload-run`; the synopsis keeps the space.
            found
                .display_name(format!("{NAME}-{name}"))
                .bin_name(format!("{NAME} {name}"))
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    print_own(&text)?;
    Ok(Exit::Held)
}
