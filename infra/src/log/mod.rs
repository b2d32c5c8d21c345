//! The log, read in its one order.

mod activity;
mod alarm;
mod any_projection;
mod checkpoint;
mod feed;
mod fold;
mod follower;
mod generation;
pub(crate) mod json;
mod options;
mod owner;
mod parked;
mod poll;
mod positions;
mod projection;
mod read_through;
mod reader;
mod recorded;
mod replay;
mod restored;
mod row_lookups;
mod rows;
mod status;
mod superseded;
mod tail;
mod unknown;
mod value;
mod wake;
pub mod watermark;
mod work;
mod worker;

pub use activity::{ReaderActivity, ReaderStage};
pub use feed::{Feed, FeedError};
pub use fold::{AsOf, FoldError, RowDifference, RowsAsOf, compare_streams, rows_as_of};
pub use generation::{
    Comparison, Difference, Differs, Generation, GenerationError, GenerationState, Keep, compare,
    discard, generations, promote, roll_back, sweep_generations,
};
pub use options::ReaderOptions;
pub use owner::Readers;
pub use parked::{Parked, parked, release};
pub use positions::ReadPositions;
pub use projection::{Origin, Poison, Projection, Reads, Row};
pub use read_through::read_through;
pub use reader::Reader;
pub use recorded::{DamagedEvent, Recorded};
pub use replay::{
    Progress, REPLAY_CONNECTIONS, ReplayError, ReplayOptions, Replayed, rehearse, replay,
};
pub use restored::{delete_snapshots, restart_past};
pub use row_lookups::{LOOKUP_LIMIT, RowLookups};
pub use status::{ReaderStatus, status, wait_for};
pub use superseded::delete_superseded;
pub use tokio_postgres::types::{Json, ToSql, Type};
pub use tokio_postgres::{Error as SqlError, Row as SqlRow};
pub use unknown::NewestVersion;
pub use value::Value;
pub use wake::{Heads, Wake};
pub use worker::{Worker, WorkerError};
