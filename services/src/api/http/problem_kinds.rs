//! The kinds of problems: each with an address, a status, and what the caller can do about it.

use actix_web::http::StatusCode;

macro_rules! kinds {
    ($($name:ident $slug:literal $status:ident $title:literal $help:literal;)*) => {
        /// What went wrong, each with an address that never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemKind { $($name),* }

        impl ProblemKind {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug),* }
            }

            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),* }
            }

            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// What the caller can do about it.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$name => $help),* }
            }
        }
    };
}

kinds! {
    AddressTaken "address-taken" CONFLICT "The address is taken"
        "A live account has this e-mail address: sign in, or reset its password.";
    AddressUnverified "address-unverified" FORBIDDEN "The address is not verified"
        "Follow the link that was mailed to it, or ask for another one, and then do this again.";
    AlreadyDone "already-done" CONFLICT "This was done already"
        "Nothing is left to do.";
    BadBody "bad-body" UNPROCESSABLE_ENTITY "The body is not valid"
        "Each entry of `errors` points at a field of the body and says what it should be.";
    BadCursor "bad-cursor" BAD_REQUEST "The cursor is not valid"
        "Send a cursor unchanged, with the same filters, within a day; or start from the first page.";
    BadHeader "bad-header" BAD_REQUEST "A header is not valid"
        "Each entry of `errors` names a header and says what it should be.";
    BadJson "bad-json" BAD_REQUEST "The body is not JSON"
        "`detail` names the line and the column.";
    BadQuery "bad-query" BAD_REQUEST "The query is not valid"
        "Each entry of `errors` names a parameter and says what it should be.";
    ContentType "content-type" UNSUPPORTED_MEDIA_TYPE "The body must be JSON"
        "Send `Content-Type: application/json`, without a content encoding.";
    ErasureRequested "erasure-requested" CONFLICT "The erasure has been requested"
        "The account accepts no command until the erasure is cancelled: cancel it first.";
    ForeignOrigin "foreign-origin" FORBIDDEN "The request came from another site"
        "A request with a cookie must be JSON and come from the API's own origin; or use a bearer token.";
    FormOver "form-over" FORBIDDEN "The form is over"
        "It is more than a day old, was opened before you signed in or out, or the browser keeps no cookies: open its page again.";
    Forbidden "forbidden" FORBIDDEN "This is not allowed"
        "It needs the role, or a token with the scope, that `detail` names.";
    GenerationState "generation-state" CONFLICT "The generation is in another state"
        "`detail` says in which, and what is possible then.";
    IdempotencyKeyReused "idempotency-key-reused" UNPROCESSABLE_ENTITY "The key was used before"
        "An Idempotency-Key belongs to one request: use a new key for another body, query or If-Match.";
    InFlight "in-flight" CONFLICT "The same request is being served"
        "Send it again after Retry-After: it is answered as the first one is.";
    Internal "internal" INTERNAL_SERVER_ERROR "The server has an internal error"
        "Report it with the request id in X-Request-Id.";
    LeaseLost "lease-lost" CONFLICT "The lease has ended"
        "Stop the work that needs the seat, and request another lease.";
    LinkGone "link-gone" GONE "The link no longer works"
        "Request a new one.";
    LinkInvalid "link-invalid" BAD_REQUEST "The link is not valid"
        "Copy the complete token from the mail.";
    LogExpired "log-expired" GONE "The log is over"
        "Its lines were kept for so long, and are gone: `detail` says until when.";
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED "The method is not allowed here"
        "The Allow header lists the allowed methods.";
    NotByConsent "not-by-consent" UNPROCESSABLE_ENTITY "The purpose is not based on consent"
        "Consent is given and withdrawn for the purposes that GET /v1/me/consents lists.";
    NotInvited "not-invited" FORBIDDEN "The invitation is for another address"
        "Sign in with the account whose verified address it was sent to.";
    NotFound "not-found" NOT_FOUND "This does not exist"
        "It does not exist, or you may not see it.";
    NotYet "not-yet" SERVICE_UNAVAILABLE "The position has not been reached"
        "Send it again: the read models have not reached the requested position in time.";
    OperatorNeeded "operator-needed" UNAUTHORIZED "An operator's token is needed"
        "Send a token of `lethe token create` that is live, as a bearer token: no session opens this.";
    OwnsWorkspaces "owns-workspaces" CONFLICT "Others belong to a workspace that only you own"
        "Make another member an owner, have an admin agree to inherit it, delete it, or send `leave_workspaces`.";
    PasswordNeeded "password-needed" FORBIDDEN "The password is needed"
        "Send it as `password`: the session was not opened within the last 10 minutes, or it is not enough.";
    PasswordWrong "password-wrong" FORBIDDEN "The password is wrong"
        "This step asks for the password of the account.";
    PositionExpired "position-expired" BAD_REQUEST "The position is not known any more"
        "Send it again without Lethe-Min-Position: a position is known through the day after it was given, to whoever it was given.";
    PreconditionFailed "precondition-failed" PRECONDITION_FAILED "The version is stale"
        "It has been changed: read it again, and send its new ETag in If-Match.";
    PreconditionRequired "precondition-required" PRECONDITION_REQUIRED "If-Match is required"
        "Send the ETag that was last read in If-Match.";
    QuotaReached "quota-reached" TOO_MANY_REQUESTS "A quota of the workspace is reached"
        "`detail` says which: `waiting` of `limit` runs wait. Send it again after Retry-After, or cancel some.";
    RangeNotSatisfiable "range-not-satisfiable" RANGE_NOT_SATISFIABLE "The range is beyond the end"
        "Content-Range holds the number of bytes.";
    Refused "refused" CONFLICT "The command is refused"
        "`detail` says why.";
    SeatHeld "seat-held" CONFLICT "You have a seat already"
        "`lease_id` is its lease: renew that one, or take it over.";
    SeatLimitLowered "seat-limit-lowered" CONFLICT "The number of seats has been lowered"
        "The newest leases are not renewed: this one ends when it expires.";
    SeatLimitReached "seat-limit-reached" CONFLICT "Every seat is taken"
        "`in_use` of `limit` seats are in use: try again after Retry-After, with a new Idempotency-Key.";
    SeatNeeded "seat-needed" CONFLICT "This needs a seat"
        "Lease one first, and renew its lease while you need it.";
    SignInRefused "sign-in-refused" UNAUTHORIZED "The address or the password is wrong"
        "Check both: the answer does not say which of them is wrong.";
    TimedOut "timed-out" SERVICE_UNAVAILABLE "This took too long"
        "Send it again, with the same Idempotency-Key.";
    TooLarge "too-large" PAYLOAD_TOO_LARGE "The body is too large"
        "A body may have at most 64 KiB; that of a deployment 1 MiB, and that of a run 2 MiB.";
    TooManyRequests "too-many-requests" TOO_MANY_REQUESTS "There are too many requests"
        "Retry-After says how many seconds to wait.";
    TooManyStreams "too-many-streams" TOO_MANY_REQUESTS "There are too many streams"
        "Close one of the logs that are open.";
    Unauthorised "unauthorised" UNAUTHORIZED "Sign in first"
        "Send the token or the cookie of a session that is open.";
    Unavailable "unavailable" SERVICE_UNAVAILABLE "This cannot be done now"
        "Send it again in a moment, with the same Idempotency-Key.";
    WorkspaceDeleting "workspace-deleting" CONFLICT "The workspace is to be deleted"
        "Until the deletion is cancelled, nothing begins in the workspace: it is read, and what is there ended.";
    WorkspaceRestricted "workspace-restricted" CONFLICT "Nobody owns the workspace"
        "Nothing begins in it until an admin agrees to own it (PUT …/succession), or an operator appoints an owner.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_an_address_of_its_own() {
        let slugs: BTreeSet<_> = ProblemKind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), ProblemKind::ALL.len());
    }
}
