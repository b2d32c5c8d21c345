//! Which generation the view of a projection shows.
