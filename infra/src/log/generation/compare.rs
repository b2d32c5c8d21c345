//! In what the rows of two generations differ.
