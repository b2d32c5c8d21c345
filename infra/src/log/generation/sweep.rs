//! Deletes what is left of generations: kept for long enough, or built by a replay that has ended.
