//! The search for what she typed, with a control that is found.

use std::fs;
use std::path::{Path, PathBuf};

use infra::postgres::{ConnectOptions, PgError, connect_one};
use infra::residue::{Canaries, Form, Report};

use super::home::Home;
use super::told::Told;
use super::tools::{Tools, url};
use crate::cli::CliError;
use crate::databases::LOG;

pub async fn search(
    told: &mut Told,
    home: &Home,
    tools: &Tools,
    said: &[&str],
    scratch: &Path,
) -> Result<(), CliError> {
    told.chapter("Everything she typed is searched for in a full pg_dump of both databases");
    let canaries = Canaries::new(said).map_err(CliError::failed)?;
    let forms = Form::ALL.len();
    told.see(format_args!(
        "{} values, each in {forms} forms: as it is, lower case, base64,",
        said.len()
    ));
    told.see("hex, URL-encoded, JSON-escaped, UTF-16, reversed");
    let dumps = tools.dump(home, &scratch.join("searched")).await?;
    let report = searched(told, &canaries, &[dumps.roles, dumps.log, dumps.keyring]);
    told.holds("the dump holds none of it", is_clean(&report));
    let report = searched(told, &canaries, &[home.data(), home.log()]);
    told.holds("nor do the data files, the WAL, the mail folder and the logs", is_clean(&report));
    told.see("not searched: the memory of processes, free blocks of the disk, delivered mail");
    // The control comes last: what it plants stays behind in the data files.
    control_in_database(told, home, tools, said, &canaries, &scratch.join("control")).await?;
    control_in_file(told, &canaries, &scratch.join("planted"))
}

/// Plants every value in a table, as text and as bytes, and expects the dump to give it away.
async fn control_in_database(
    told: &mut Told,
    home: &Home,
    tools: &Tools,
    said: &[&str],
    canaries: &Canaries,
    into: &Path,
) -> Result<(), CliError> {
    let client = connect_one(&url(home, LOG)?, &ConnectOptions::default()).await?;
    client.batch_execute(include_str!("make_table.sql")).await.map_err(PgError::from)?;
    client.execute(include_str!("plant.sql"), &[&said]).await.map_err(PgError::from)?;
    let dumps = tools.dump(home, into).await?;
    client.batch_execute(include_str!("uproot.sql")).await.map_err(PgError::from)?;
    let report = searched(told, canaries, &[dumps.log]);
    let found = |canary: usize, form: Form| {
        report.finds.iter().any(|find| find.canary == canary && find.form == form)
    };
    let all = (0..said.len()).all(|it| found(it, Form::Raw) && found(it, Form::HexLower));
    told.holds("control: planted in a table, as text and as bytes, all of it is found", all);
    Ok(())
}

fn control_in_file(told: &mut Told, canaries: &Canaries, file: &Path) -> Result<(), CliError> {
    fs::write(file, canaries.planted())?;
    let report = searched(told, canaries, &[file.to_path_buf()]);
    let all = report.finds.len() == canaries.forms();
    told.holds("control: planted in a file in every form, every form is found", all);
    Ok(())
}

fn searched(told: &Told, canaries: &Canaries, places: &[PathBuf]) -> Report {
    let mut report = Report::default();
    for place in places {
        canaries.search_path(place, &mut report);
    }
    told.see(format_args!("searched {} bytes of {} files", report.bytes, report.files));
    for find in &report.finds {
        tracing::debug!(canary = find.canary, form = ?find.form, place = %find.place.display());
    }
    report
}

/// A file that a running server has removed meanwhile is not one that could not be read.
fn is_clean(report: &Report) -> bool {
    report.finds.is_empty() && !report.unread.iter().any(|path| path.exists())
}
