# What is done with this tree.
[private]
default:
    @just --list --unsorted

# Serve: API, readers and metrics, on a private PostgreSQL unless DATABASE_URL is set
serve *settings:
    cargo run -- serve {{settings}}

# Play the whole story on the terminal, and check it: two people come, and one is erased
demo *options:
    .ci/tools sshd
    cargo build --workspace
    cargo run -p tests --bin demo -- {{options}}

# Build a projection again from the log
replay name *settings:
    cargo run -- replay {{name}} {{settings}}

# Fill the log with events of people who come and go
seed events="1000000":
    cargo run --release -p tests --bin seed -- {{events}}

# Run every test
test *filter:
    .ci/test {{filter}}

# Run what CI runs: tests, format, lints, licences, advisories
check:
    .ci/run

# Format
fmt:
    cargo fmt --all

# Measure against pgbench, the horizon and bare selects, and print the tables; `LETHE_BENCH_SECONDS` a run, `LETHE_BENCH_TURNS` runs
bench *settings:
    .ci/tools sshd
    cargo build --release --workspace
    cargo bench -p tests --bench '*' {{settings}}
