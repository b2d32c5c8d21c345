//! Every row comes from one stream, or from one event.
