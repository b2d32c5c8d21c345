//! A stream's rows in a projection, as they were at a position.
