//! What all threads of the API share.

use actix_web::{HttpRequest, web};
use infra::postgres::PgError;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use url::Url;

use crate::api::after_answer::AfterAnswer;
use crate::api::http::in_flight::InFlight;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::rate_limits::{Limits, Rates};
use crate::api::runs::stream_slots::StreamSlots;
use crate::readiness::ReadinessCheck;
use crate::wiring::App;

/// What every thread shares.
pub struct Api {
    pub app: App,
    pub readiness: ReadinessCheck,
    pub limits: Limits,
    pub stream_slots: StreamSlots,
    pub in_flight: InFlight,
    pub after_answer: AfterAnswer,
    origin: String,
}

pub type ApiData = web::Data<Api>;

impl Api {
    pub fn new(app: App, readiness: ReadinessCheck, after_answer: AfterAnswer) -> Self {
        let config = &app.config;
        let limits = Limits::new(Rates {
            address_requests_per_second: config.address_requests_per_second,
            account_requests_per_second: config.account_requests_per_second,
            operator_requests_per_second: config.operator_requests_per_second,
            sign_ins_per_minute: config.sign_ins_per_minute,
            registrations_per_hour: config.registrations_per_hour,
            mails_per_hour: config.mails_per_hour,
            checks_per_minute: config.checks_per_minute,
        });
        let origin = origin(&app.public_url);
        Self {
            app,
            readiness,
            limits,
            stream_slots: StreamSlots::default(),
            in_flight: InFlight::default(),
            after_answer,
            origin,
        }
    }

    pub fn of(request: &HttpRequest) -> Result<ApiData, Problem> {
        let api = request.app_data::<ApiData>().cloned();
        api.ok_or_else(|| Problem::of(ProblemKind::Internal))
    }

    /// The origin that our own pages have.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https:")
    }

    pub fn proxies(&self) -> usize {
        self.app.config.trusted_proxies.into()
    }

    pub async fn query(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Problem> {
        let client = self.app.pool.get().await.map_err(PgError::from)?;
        let statement = client.prepare_cached(sql).await?;
        Ok(client.query(&statement, values).await?)
    }

    pub async fn query_opt(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Problem> {
        Ok(self.query(sql, values).await?.pop())
    }
}

/// As browsers send it: without the port, where it is the scheme's own.
fn origin(url: &str) -> String {
    Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://lethe.example/app"), "https://lethe.example");
        assert_eq!(origin("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(origin("http://127.0.0.1:80"), "http://127.0.0.1");
        assert_eq!(origin("http://[::1]:8080"), "http://[::1]:8080");
    }
}
