//! The names and addresses of members, opened for a purpose.

use std::collections::BTreeMap;

use domain::AccountId;
use domain::privacy::{AccountEmail, AccountName, EmailAddress, Field, PersonName, Purpose};
use projections::accounts::{Account, by_ids};

use crate::api::Api;
use crate::api::http::listing::open_all;
use crate::api::http::problem::Problem;
use crate::unseal::Unsealer;

/// To sort by them, or to look through them: nothing is shown yet.
pub(super) async fn opened_names(
    api: &Api,
    purpose: Purpose,
    accounts: &[AccountId],
) -> Result<BTreeMap<AccountId, Option<PersonName>>, Problem> {
    let rows = rows_of(api, accounts).await?;
    let names = open_all(&rows, |row| async move {
        Ok((row.account_id, opened_name(api, purpose, row).await?))
    });
    Ok(names.await?.into_iter().collect())
}

pub(super) type Opened = (Option<PersonName>, Option<EmailAddress>);

pub(super) async fn opened_people(
    api: &Api,
    purpose: Purpose,
    accounts: &[AccountId],
) -> Result<BTreeMap<AccountId, Opened>, Problem> {
    let rows = rows_of(api, accounts).await?;
    let people = open_all(&rows, |row| async move {
        let name = opened_name(api, purpose, row).await?;
        let email = row.email.as_deref().filter(|_| is_for::<AccountEmail>(purpose));
        let person = Unsealer::of_account(&api.app.keyring.sealer, row.account_id);
        Ok((row.account_id, (name, person.optional::<AccountEmail>(email).await?)))
    });
    Ok(people.await?.into_iter().collect())
}

/// Nothing of people whose erasure has been requested is opened.
async fn rows_of(api: &Api, accounts: &[AccountId]) -> Result<Vec<Account>, Problem> {
    let rows = by_ids(&api.app.pool, accounts).await?;
    Ok(rows.into_iter().filter(|row| !row.restricted()).collect())
}

async fn opened_name(
    api: &Api,
    purpose: Purpose,
    row: &Account,
) -> Result<Option<PersonName>, Problem> {
    let name = row.name.as_deref().filter(|_| is_for::<AccountName>(purpose));
    let person = Unsealer::of_account(&api.app.keyring.sealer, row.account_id);
    Ok(person.optional::<AccountName>(name).await?)
}

fn is_for<F: Field>(purpose: Purpose) -> bool {
    F::DECLARATION.purposes.contains(&purpose)
}
