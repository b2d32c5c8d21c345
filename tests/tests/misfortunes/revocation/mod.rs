//! Whoever may no longer act appends nothing any more: not from the answer to the revocation on, however
//! long ago the request was admitted, and on whatever node.

mod addresses;
mod executor;
mod http;
mod owners;
mod passwords;
mod sign_outs;
mod step_ups;
