//! In what the rows of a table differ from what the events make, and their replacement.
