//! Servers as they are: on each, what is asked of Lethe works, or Lethe names the cause; and where it says
//! that nothing of a run is left, the host sees nothing of it. Four servers; all of them with `LETHE_LONG=1`.

mod columns;
mod rows;
mod server;

use std::time::Instant;

use columns::{Cell, Stopped};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use rows::{COLUMNS, Row, rows};
use server::MatrixServer;
use test_support::Machine;
use tests::{RunHarness, TestServer};

/// So many servers are made and tried at the same time.
const AT_ONCE: usize = 4;

/// What was seen on a server.
struct Seen {
    server: MatrixServer,
    /// Whether the check has said that runs start.
    is_fit: bool,
    /// In the order of [`COLUMNS`].
    cells: Vec<Cell>,
    stopped: [Stopped; 2],
}

impl Seen {
    /// All but the last column. `None` where such tests are left out.
    async fn look(harness: &RunHarness, row: Row) -> Option<Self> {
        let server = MatrixServer::new(harness, row).await?;
        let (is_fit, check) = columns::check(&server.check(harness).await);
        let (run, log, cancel, time_out) = tokio::join!(
            Box::pin(columns::run(&server, harness)),
            Box::pin(columns::log(&server, harness)),
            Box::pin(columns::cancel(&server, harness)),
            Box::pin(columns::time_out(&server, harness)),
        );
        let cells = vec![check, run, log, cancel.cell.clone(), time_out.cell.clone()];
        Some(Self { server, is_fit, cells, stopped: [cancel, time_out] })
    }

    /// As soon as each run has ended, and now.
    async fn lies(&self, harness: &RunHarness) -> Vec<String> {
        let mut lies = vec![];
        for stopped in &self.stopped {
            lies.extend(stopped.lies.iter().cloned());
            lies.extend(self.server.lies(harness, &stopped.run, stopped.command).await);
        }
        lies
    }

    fn differences(&self) -> Vec<String> {
        let mut differences = differences(&self.server.row, &self.cells);
        let runs = self.cells[1] == Cell::Works;
        if self.is_fit != runs {
            let (name, is_fit) = (self.server.row.name, self.is_fit);
            differences.push(format!("{name}: a check says ok: {is_fit}, and a run works: {runs}"));
        }
        differences
    }
}

/// Cells that are not as expected: also those that are better.
fn differences(row: &Row, cells: &[Cell]) -> Vec<String> {
    assert_eq!(cells.len(), COLUMNS.len());
    let columns = COLUMNS.iter().zip(row.expected).zip(cells);
    let different = columns.filter(|((_, expected), seen)| seen.to_string() != *expected);
    let named = different
        .map(|((column, expected), seen)| format!("{}: {column}: {seen} for {expected}", row.name));
    named.collect()
}

/// Of a run that cannot be ended, one look is enough.
async fn given() -> (RunHarness, TestServer) {
    let more =
        [("runs_per_server", "5"), ("runs_per_account", "200"), ("runs_per_workspace", "200")];
    let (harness, node) = RunHarness::with(&more).await;
    let once = "alter table working.run_tasks alter column kill_tries set default 13";
    harness.installation.log().await.execute(once, &[]).await.unwrap();
    (harness, node)
}

/// Those of this size that can be had here.
fn chosen() -> Vec<Row> {
    let of_this_size = rows().into_iter().filter(|row| tests::long() || row.is_usual());
    let can_be_had = of_this_size.filter(|row| {
        let is_left_out = row.needs_systemd() && !Machine::may_have_systemd();
        if is_left_out {
            eprintln!("{}: not run, since systemd, dbus and libpam-systemd are not here", row.name);
        }
        !is_left_out
    });
    can_be_had.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_each_server_all_works_or_names_its_cause_and_nothing_ended_is_left() {
    let _alone = tests::alone().await;
    let since = Instant::now();
    let (mut harness, node) = given().await;
    let here = &harness;
    let looks = stream::iter(chosen()).map(|row| Seen::look(here, row));
    let all: Vec<Option<Seen>> = looks.buffered(AT_ONCE).collect().await;
    let Some(mut all) = all.into_iter().collect::<Option<Vec<Seen>>>() else { return };

    let counting = all.iter().map(|seen| columns::begin_counting(&seen.server, here));
    let counting = join_all(counting).await;
    node.kill();
    let second = harness.installation.node().await;
    let token = harness.ada.token().unwrap().to_owned();
    harness.ada = second.client().bearing(&token);
    let found = all.iter().zip(&counting);
    let found = found.map(|(seen, run)| columns::reattach(&seen.server, &harness, run));
    let found = join_all(found).await;

    let (mut differences, mut lies) = (vec![], vec![]);
    for (seen, reattached) in all.iter_mut().zip(found) {
        seen.cells.push(reattached);
        let cells = COLUMNS.iter().zip(&seen.cells);
        let cells: Vec<String> = cells.map(|(column, cell)| format!("{column}: {cell}")).collect();
        eprintln!("{:30} {}", seen.server.row.name, cells.join(", "));
        differences.extend(seen.differences());
        lies.extend(seen.lies(&harness).await);
    }
    eprintln!("{} servers, {:.1?}", all.len(), since.elapsed());
    drop(second);
    assert!(lies.is_empty(), "{}", lies.join("\n"));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_lives_though_its_run_is_cancelled_is_found_out() {
    let (harness, _node) = given().await;
    let plain = rows().into_iter().find(|row| row.name == "plain user").unwrap();
    let Some(server) = MatrixServer::new(&harness, plain).await else { return };
    let stopped = columns::cancel(&server, &harness).await;
    assert_eq!((&stopped.cell, &stopped.lies), (&Cell::Works, &vec![]));

    columns::leave(&server, &harness, stopped.command).await;

    let lies = server.lies(&harness, &stopped.run, stopped.command).await;
    let is_meant =
        |lie: &&String| lie.contains(" is cancelled, and ") && lie.contains(stopped.command);
    assert_eq!(lies.iter().filter(is_meant).count(), 1, "{lies:?}");
}

#[test]
fn a_cell_that_is_better_than_expected_is_a_difference_too() {
    let all = rows();
    let row = all.iter().find(|row| row.name == "hidepid=2, no perl").unwrap();
    let as_expected = |cell: &str| {
        if cell == rows::WORKS { Cell::Works } else { Cell::Names(cell.to_owned()) }
    };
    let mut cells: Vec<Cell> = row.expected.into_iter().map(as_expected).collect();
    assert!(differences(row, &cells).is_empty());

    cells[3] = Cell::Works;

    let better = "hidepid=2, no perl: cancel: works for hidden";
    assert_eq!(differences(row, &cells), [better]);
}
