//! The `sealed` column of an event's row: its ciphertexts, apart from its JSON.
//!
//! For each field, in the order of the event: its id (u16, big-endian), the length of what
//! follows (u32, big-endian), and [`Sealed::to_bytes`].

use uuid::Uuid;

use super::{Field, Sealed};
use crate::{DecodeError, Event, TenantId};

/// The column does not hold subjects, so any tenant will do.
const NOBODY: TenantId = TenantId(Uuid::nil());

/// Takes the ciphertexts out of an event. `None` when it has none.
///
/// # Errors
/// A personal field that is not sealed.
pub fn take_apart<E: Event>(event: &mut E) -> Result<Option<Vec<u8>>, DecodeError> {
    let mut column = Vec::new();
    event.visit_personal(NOBODY, Uuid::nil(), &mut |_, field| {
        let sealed = field.set_apart().ok_or(DecodeError::Sealed)?.to_bytes();
        let length = u32::try_from(sealed.len()).map_err(|_| DecodeError::Sealed)?;
        column.extend(field.declaration().id.to_be_bytes());
        column.extend(length.to_be_bytes());
        column.extend(sealed);
        Ok(())
    })?;
    Ok((!column.is_empty()).then_some(column))
}

/// Puts the ciphertexts of a row back into its event.
///
/// # Errors
/// A column that does not hold just the event's fields, in their order.
pub fn put_together<E: Event>(event: &mut E, column: Option<&[u8]>) -> Result<(), DecodeError> {
    let mut rest = column.unwrap_or_default();
    event.visit_personal(NOBODY, Uuid::nil(), &mut |_, field| {
        let (id, sealed, after) = next(rest).ok_or(DecodeError::Sealed)?;
        if id != field.declaration().id {
            return Err(DecodeError::Sealed);
        }
        field.seal(sealed);
        rest = after;
        Ok(())
    })?;
    if rest.is_empty() { Ok(()) } else { Err(DecodeError::Sealed) }
}

fn next(column: &[u8]) -> Option<(u16, Sealed, &[u8])> {
    let (id, rest) = column.split_first_chunk::<2>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (sealed, rest) = rest.split_at_checked(length)?;
    Some((u16::from_be_bytes(*id), Sealed::from_bytes(sealed)?, rest))
}

/// One field's sealed bytes in a row's column, just as they stand there.
pub fn sealed_bytes<F: Field>(column: Option<&[u8]>) -> Option<&[u8]> {
    let mut rest = column.unwrap_or_default();
    while let Some((id, after)) = rest.split_first_chunk::<2>() {
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (sealed, after) = after.split_at_checked(length)?;
        if u16::from_be_bytes(*id) == F::DECLARATION.id {
            return Some(sealed);
        }
        rest = after;
    }
    None
}
