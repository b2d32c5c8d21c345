//! Generations: which one the view shows, in what two differ, and what is deleted.
