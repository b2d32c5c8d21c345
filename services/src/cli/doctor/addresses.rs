//! Whether every account has its address.

use infra::postgres::{ConnectOptions, connect};
use infra::reservations::Reservations;

use super::Findings;
use crate::cli::CliError;
use crate::cli::terminal::count;
use crate::databases::Databases;

pub async fn look(databases: &Databases, findings: &mut Findings) -> Result<(), CliError> {
    let pool = connect(&databases.direct, &ConnectOptions::default()).await?;
    let unreadable = Reservations::new(pool).count_unreadable().await?.unsigned_abs();
    findings.judge(
        unreadable == 0,
        "every address is reserved under a key of the e-mail index that exists",
        &format!(
            "{} could not be read when the key of the e-mail index was replaced: the log names them. \
             Repair their streams before others can take their addresses",
            count(unreadable, "account", "accounts")
        ),
    );
    Ok(())
}
