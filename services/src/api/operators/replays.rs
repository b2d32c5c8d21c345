//! The generations of projections: to look at, to compare, to promote and to take back.
