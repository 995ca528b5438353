//! Strings, buffers and results, between V8 and Rust. The plain C calls, where the safe ones would look at every
//! character twice.

use crate::codec::text::Value;
use crate::engine::ticket::Ticket;
use crate::engine::{Input, Outcome, TicketedRead};
use crate::error::{Code, Error, Result};
use crate::model::ttl::NEVER;
use crate::model::version_table::VersionTable;
use crate::store::request::Page;
use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{ValueType, sys};
use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::Arc;

/// Any value, as it came; the functions below find out what it is.
pub struct Raw(pub sys::napi_value);

impl FromNapiValue for Raw {
    unsafe fn from_napi_value(_env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        Ok(Raw(value))
    }
}

impl TypeName for Raw {
    fn type_name() -> &'static str {
        "unknown"
    }

    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

impl ValidateNapiValue for Raw {
    unsafe fn validate(_env: sys::napi_env, _value: sys::napi_value) -> napi::Result<sys::napi_value> {
        Ok(ptr::null_mut())
    }
}

pub fn check(status: sys::napi_status) -> Result<()> {
    if status == sys::Status::napi_ok {
        return Ok(());
    }
    Err(Error::new(Code::Internal, format!("A call into Node.js failed: {}.", napi::Status::from(status))))
}

fn wrong(what: &str) -> Error {
    Error::new(Code::Internal, format!("A batch is malformed: {what}."))
}

/// Strings of up to so many units are written once, into a buffer that is large enough whatever they hold and is kept
/// (96 KB a thread); longer ones are measured first.
const SCRATCH_UNITS: usize = 32 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A string as UTF-8, and its length in UTF-16 units.
pub fn string(env: sys::napi_env, value: sys::napi_value) -> Result<(Vec<u8>, usize)> {
    let mut units = 0;
    // SAFETY: without a buffer only the length is asked for; of Latin-1 that is the number of units, which V8 knows.
    unsafe { check(sys::napi_get_value_string_latin1(env, value, ptr::null_mut(), 0, &mut units))? };
    if units > SCRATCH_UNITS {
        let mut bytes = 0;
        // SAFETY: as above.
        unsafe { check(sys::napi_get_value_string_utf8(env, value, ptr::null_mut(), 0, &mut bytes))? };
        let mut text = Vec::new();
        write(env, value, &mut text, bytes)?;
        return Ok((text, units));
    }
    // Taken rather than borrowed: should a call come back in here, it finds an empty one.
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let written = write(env, value, &mut scratch, units * 3);
    let text = written.map(|()| (scratch.as_slice().to_vec(), units));
    SCRATCH.set(scratch);
    text
}

/// From so many units on a value is taken as UTF-16, which V8 copies out at the speed of memory: its way to UTF-8 takes
/// ten times as long as soon as one character is not ASCII, on the main thread. Shorter ones are not worth the second
/// look that the core then takes.
const WIDE_UNITS: usize = 256;

/// A value's text.
fn text_input(env: sys::napi_env, value: sys::napi_value) -> Result<Input> {
    let mut units = 0;
    // SAFETY: without a buffer only the length is asked for.
    unsafe { check(sys::napi_get_value_string_utf16(env, value, ptr::null_mut(), 0, &mut units))? };
    if units < WIDE_UNITS {
        return Ok(Input::Text(string(env, value)?.0));
    }
    let mut text: Vec<u16> = Vec::new();
    text.try_reserve_exact(units + 1).map_err(|_| wrong("a string that does not fit into memory"))?;
    let mut written = 0;
    // SAFETY: the capacity is one more than the length, for the zero at the end, and V8 tells how much of it was written.
    unsafe {
        check(sys::napi_get_value_string_utf16(env, value, text.as_mut_ptr(), units + 1, &mut written))?;
        text.set_len(written);
    }
    Ok(Input::Wide(text))
}

/// Writes a string of at most `max` bytes into an empty vector.
fn write(env: sys::napi_env, value: sys::napi_value, into: &mut Vec<u8>, max: usize) -> Result<()> {
    // One more for the zero that ends a C string.
    into.try_reserve_exact(max + 1).map_err(|_| wrong("a string that does not fit into memory"))?;
    let mut written = 0;
    // SAFETY: the capacity is at least `max + 1`, and V8 tells how much of it was written.
    unsafe {
        check(sys::napi_get_value_string_utf8(
            env,
            value,
            into.as_mut_ptr().cast::<c_char>(),
            max + 1,
            &mut written,
        ))?;
        into.set_len(written);
    }
    Ok(())
}

/// The elements of a typed array of this kind, as they are now.
fn typed_array<T: Copy>(
    env: sys::napi_env,
    value: sys::napi_value,
    kinds: &[i32],
    most: usize,
) -> Result<Vec<T>> {
    let (mut is, mut kind, mut length, mut data) = (false, 0, 0, ptr::null_mut());
    // SAFETY: every pointer is that of a local variable, or null where the answer is not wanted.
    unsafe {
        check(sys::napi_is_typedarray(env, value, &mut is))?;
        if !is {
            return Err(wrong("not a typed array"));
        }
        let none = ptr::null_mut();
        check(sys::napi_get_typedarray_info(
            env,
            value,
            &mut kind,
            &mut length,
            &mut data,
            none,
            ptr::null_mut(),
        ))?;
    }
    if !kinds.contains(&kind) {
        return Err(wrong("a typed array of another kind"));
    }
    let length = length.min(most);
    if length == 0 || data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: V8 vouches for `length` elements of this kind at `data`, aligned for it; nothing of JavaScript runs while
    // they are copied.
    Ok(unsafe { std::slice::from_raw_parts(data.cast::<T>(), length) }.to_vec())
}

/// The first `most` words of a `Uint32Array`.
pub fn words(env: sys::napi_env, value: sys::napi_value, most: usize) -> Result<Vec<u32>> {
    let words: Vec<u32> = typed_array(env, value, &[sys::TypedarrayType::uint32_array], most)?;
    if words.len() == most { Ok(words) } else { Err(wrong("fewer words than announced")) }
}

/// The values of a batch: strings and bytes.
pub fn inputs(env: sys::napi_env, array: sys::napi_value) -> Result<Vec<Input>> {
    let (mut is, mut length) = (false, 0);
    // SAFETY: pointers to local variables, here and below.
    unsafe {
        check(sys::napi_is_array(env, array, &mut is))?;
        if !is {
            return Err(wrong("values that are not an array"));
        }
        check(sys::napi_get_array_length(env, array, &mut length))?;
    }
    // Not by the length: an array may claim one that it does not have.
    let mut inputs = Vec::new();
    for index in 0..length {
        let (mut value, mut kind) = (ptr::null_mut(), 0);
        // SAFETY: as above.
        unsafe {
            check(sys::napi_get_element(env, array, index, &mut value))?;
            check(sys::napi_typeof(env, value, &mut kind))?;
        }
        inputs.push(if kind == sys::ValueType::napi_string {
            text_input(env, value)?
        } else {
            let bytes = [sys::TypedarrayType::uint8_array, sys::TypedarrayType::uint8_clamped_array];
            Input::Binary(typed_array(env, value, &bytes, usize::MAX)?)
        });
    }
    Ok(inputs)
}

/// A new string; V8 copies it.
pub fn text(env: sys::napi_env, text: &str) -> Result<sys::napi_value> {
    // SAFETY: pointer and length are those of one live text; V8 copies.
    create(|out| unsafe { sys::napi_create_string_utf8(env, text.as_ptr().cast(), text.len() as isize, out) })
}

pub fn array(env: sys::napi_env, length: usize) -> Result<sys::napi_value> {
    // SAFETY: `out` is a local of `create`, in whose scope the value is made.
    create(|out| unsafe { sys::napi_create_array_with_length(env, length, out) })
}

pub fn set(env: sys::napi_env, array: sys::napi_value, index: usize, value: sys::napi_value) -> Result<()> {
    // SAFETY: `array` is one of ours.
    unsafe { check(sys::napi_set_element(env, array, index as u32, value)) }
}

pub fn number(env: sys::napi_env, value: u32) -> Result<sys::napi_value> {
    // SAFETY: `out` is a local of `create`, in whose scope the value is made.
    create(|out| unsafe { sys::napi_create_uint32(env, value, out) })
}

fn null(env: sys::napi_env) -> Result<sys::napi_value> {
    // SAFETY: `out` is a local of `create`, in whose scope the value is made.
    create(|out| unsafe { sys::napi_get_null(env, out) })
}

fn boolean(env: sys::napi_env, value: bool) -> Result<sys::napi_value> {
    // SAFETY: `out` is a local of `create`, in whose scope the value is made.
    create(|out| unsafe { sys::napi_get_boolean(env, value, out) })
}

/// What JavaScript sees of an outcome. A value that V8 refuses (a string beyond its greatest length) is that
/// operation's error, not the batch's.
pub fn outcome(env: sys::napi_env, outcome: &Outcome) -> Result<sys::napi_value> {
    match outcome {
        Outcome::Miss => null(env),
        // SAFETY: `out` is a local of `create`, in whose scope the value is made.
        Outcome::Done => create(|out| unsafe { sys::napi_get_undefined(env, out) }),
        Outcome::Is(yes) => boolean(env, *yes),
        Outcome::Hit(hit) => value(env, hit).or_else(|error| failure(env, &error)),
        Outcome::Stamped(hit, stamp) => stamped(env, hit, stamp).or_else(|error| failure(env, &error)),
        Outcome::Read(found) => ticketed(env, found).or_else(|error| failure(env, &error)),
        Outcome::Keys(page) => keys(env, page).or_else(|error| failure(env, &error)),
        Outcome::Many(outcomes) => many(env, outcomes).or_else(|error| failure(env, &error)),
        Outcome::List(values) => list(env, values).or_else(|error| failure(env, &error)),
        Outcome::Failed(error) => failure(env, error),
    }
}

fn many(env: sys::napi_env, outcomes: &[Outcome]) -> Result<sys::napi_value> {
    let list = array(env, outcomes.len())?;
    for (index, one) in outcomes.iter().enumerate() {
        set(env, list, index, outcome(env, one)?)?;
    }
    Ok(list)
}

fn list(env: sys::napi_env, values: &[Value]) -> Result<sys::napi_value> {
    let list = array(env, values.len())?;
    for (index, hit) in values.iter().enumerate() {
        set(env, list, index, value(env, hit)?)?;
    }
    Ok(list)
}

/// `[value, stamp]`
fn stamped(env: sys::napi_env, hit: &Value, stamp: &[u16]) -> Result<sys::napi_value> {
    let list = array(env, 2)?;
    set(env, list, 0, value(env, hit)?)?;
    // SAFETY: pointer and length are those of one live slice; V8 copies. Any unit may stand in a string.
    let stamp = create(|out| unsafe {
        sys::napi_create_string_utf16(env, stamp.as_ptr(), stamp.len() as isize, out)
    })?;
    set(env, list, 1, stamp)?;
    Ok(list)
}

/// The counters of L1, as a buffer that JavaScript reads and the core writes.
pub fn counters(env: sys::napi_env, versions: &Arc<VersionTable>) -> Result<sys::napi_value> {
    let words = versions.words();
    let (data, bytes) = (words.as_ptr().cast_mut().cast::<c_void>(), size_of_val(words));
    let kept = Arc::into_raw(versions.clone()).cast_mut().cast::<c_void>();
    // SAFETY: the buffer keeps the counters alive by a count of its own, given back in `release`. They are atomics, which
    // may be written while they are read; JavaScript reads whole words.
    let made = create(|out| unsafe {
        sys::napi_create_external_arraybuffer(env, data, bytes, Some(release), kept, out)
    });
    made.inspect_err(|_| {
        // SAFETY: no buffer was made, so nobody else gives it back.
        drop(unsafe { Arc::from_raw(kept.cast::<VersionTable>()) });
    })
}

unsafe extern "C" fn release(_env: sys::napi_env, _data: *mut c_void, kept: *mut c_void) {
    // SAFETY: made by `Arc::into_raw` above, given back once.
    drop(unsafe { Arc::from_raw(kept.cast::<VersionTable>()) });
}

/// `[next or null, key…]`
fn keys(env: sys::napi_env, page: &Page) -> Result<sys::napi_value> {
    let list = array(env, page.keys.len() + 1)?;
    let next = match page.next {
        Some(cursor) => large(env, cursor)?,
        None => null(env)?,
    };
    set(env, list, 0, next)?;
    for (at, key) in page.keys.iter().enumerate() {
        set(env, list, at + 1, text(env, key)?)?;
    }
    Ok(list)
}

/// `[value or null, ticket, stale]`, and `created, freshUntil, cost` where there are times.
fn ticketed(env: sys::napi_env, read: &TicketedRead) -> Result<sys::napi_value> {
    let list = array(env, 3)?;
    let found = read.value.as_ref().map_or_else(|| null(env), |found| value(env, found))?;
    let ticket: &Ticket = &read.ticket;
    // SAFETY: pointer and length are those of one live array; V8 copies.
    let ticket = create(|out| unsafe {
        sys::napi_create_string_latin1(env, ticket.as_ptr().cast(), ticket.len() as isize, out)
    })?;
    for (at, item) in [found, ticket, boolean(env, read.stale)?].into_iter().enumerate() {
        set(env, list, at, item)?;
    }
    if let Some(times) = &read.times {
        set(env, list, 3, large(env, times.created)?)?;
        set(env, list, 4, large(env, times.fresh_until)?)?;
        set(env, list, 5, number(env, times.cost)?)?;
    }
    Ok(list)
}

/// A number beyond 32 bits; the greatest (never, for a moment) = Infinity.
fn large(env: sys::napi_env, ms: u64) -> Result<sys::napi_value> {
    let ms = if ms == NEVER { f64::INFINITY } else { ms as f64 };
    // SAFETY: `out` is a local of `create`, in whose scope the value is made.
    create(|out| unsafe { sys::napi_create_double(env, ms, out) })
}

fn value(env: sys::napi_env, value: &Value) -> Result<sys::napi_value> {
    // SAFETY: pointer and length are those of one live slice; V8 copies.
    create(|out| unsafe {
        match value {
            Value::Latin1(bytes) => {
                sys::napi_create_string_latin1(env, bytes.as_ptr().cast(), bytes.len() as isize, out)
            }
            Value::Utf16(units) => {
                sys::napi_create_string_utf16(env, units.as_ptr(), units.len() as isize, out)
            }
            Value::Binary(bytes) => {
                let data = bytes.as_ptr().cast::<c_void>();
                sys::napi_create_buffer_copy(env, bytes.len(), data, ptr::null_mut(), out)
            }
        }
    })
}

/// `{ code, message, queued }`
pub fn failure(env: sys::napi_env, error: &Error) -> Result<sys::napi_value> {
    // SAFETY: `out` is a local of `create`, in whose scope the value is made.
    let object = create(|out| unsafe { sys::napi_create_object(env, out) })?;
    let queued = boolean(env, error.queued)?;
    let fields = [
        (c"code", text(env, error.code.as_str())?),
        (c"message", text(env, &error.message)?),
        (c"queued", queued),
    ];
    for (name, value) in fields {
        // SAFETY: a C string and values of this scope.
        unsafe { check(sys::napi_set_named_property(env, object, name.as_ptr(), value))? };
    }
    Ok(object)
}

/// Runs a call that makes a value, in the scope of the JavaScript call under way.
fn create(make: impl FnOnce(*mut sys::napi_value) -> sys::napi_status) -> Result<sys::napi_value> {
    let mut value = ptr::null_mut();
    check(make(&mut value))?;
    Ok(value)
}
