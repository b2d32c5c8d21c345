//! `just demo`: plays the whole story, and checks it. Exits with 1 if a claim does not hold.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tests::{Programme, demo};

#[derive(Parser)]
struct Args {
    /// Play against a server that runs already, as far as the API goes.
    #[arg(long, requires_all = ["token", "mail_dir"])]
    url: Option<String>,
    /// An operator's token of that server, of scope audit.
    #[arg(long, env = "LETHE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The mail folder of that server.
    #[arg(long, env = "LETHE_MAIL_DIR")]
    mail_dir: Option<PathBuf>,
    /// Leave the folders behind, to be looked at.
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let (None, Err(why)) = (&args.url, Programme::Lethe.find()) {
        eprintln!("error: {why}");
        return ExitCode::from(2);
    }
    // A PostgreSQL that is started ends with the thread that started it, so that is this one.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(args))
}

async fn run(args: Args) -> ExitCode {
    let (expected, outcome) = match (&args.url, &args.token, args.mail_dir) {
        (Some(url), Some(token), Some(mails)) => (None, demo::play_at(url, token, mails).await),
        _ => (Some(demo::CLAIMS), demo::play(args.keep).await),
    };
    match outcome {
        Ok(held) if expected.is_none_or(|expected| expected == held) => {
            println!("\nAll {held} claims hold.");
            ExitCode::SUCCESS
        }
        Ok(held) => {
            eprintln!("error: {held} claims hold, and the demo makes {}", demo::CLAIMS);
            ExitCode::FAILURE
        }
        Err(broken) => {
            eprintln!("error: not so: {}", broken.join("; "));
            ExitCode::FAILURE
        }
    }
}
