//! The event loop of an environment, of which Node-API gives nothing but the pointer: a wait for a socket to become
//! readable, on the thread of that loop. What is unsafe about it stays in this file.
//!
//! libuv's functions are those of the process, found by name. Where one is missing, or they are of another libuv than Node.js's own,
//! there are no polls.

use super::super::values::check;
use crate::error::Result;
use crate::net::direct::direct_socket::DirectSocket;
use napi::sys;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::transmute_copy;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

/// `uv_handle_type` and `uv_poll_event` of libuv 1, whose numbers are part of its binary interface.
const UV_POLL: c_int = 8;
const UV_READABLE: c_int = 1;

/// At least that of any C type.
const ALIGN: usize = 16;

type Handle = *mut c_void;
type OnReadable = unsafe extern "C" fn(Handle, c_int, c_int);
type OnClosed = unsafe extern "C" fn(Handle);

struct Uv {
    version_string: unsafe extern "C" fn() -> *const c_char,
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    set_data: unsafe extern "C" fn(Handle, *mut c_void),
    get_data: unsafe extern "C" fn(Handle) -> *mut c_void,
    init: unsafe extern "C" fn(*mut c_void, Handle, c_int) -> c_int,
    start: unsafe extern "C" fn(Handle, c_int, OnReadable) -> c_int,
    stop: unsafe extern "C" fn(Handle) -> c_int,
    unref: unsafe extern "C" fn(Handle),
    close: unsafe extern "C" fn(Handle, OnClosed),
}

impl Uv {
    fn of_process() -> Option<&'static Uv> {
        static UV: OnceLock<Option<Uv>> = OnceLock::new();
        // SAFETY: each is the function of that name in libuv's header, with that signature since 1.19.
        UV.get_or_init(|| unsafe {
            Some(Uv {
                version_string: find(c"uv_version_string")?,
                handle_size: find(c"uv_handle_size")?,
                set_data: find(c"uv_handle_set_data")?,
                get_data: find(c"uv_handle_get_data")?,
                init: find(c"uv_poll_init")?,
                start: find(c"uv_poll_start")?,
                stop: find(c"uv_poll_stop")?,
                unref: find(c"uv_unref")?,
                close: find(c"uv_close")?,
            })
        })
        .as_ref()
    }
}

/// # Safety
///
/// `F` must be a type of functions, and that of what the process calls by the name.
unsafe fn find<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: looks a name up in what the process has loaded.
    let at = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: of the caller; both are of one size.
    (!at.is_null()).then(|| unsafe { transmute_copy::<*mut c_void, F>(&at) })
}

/// The loop of an environment. Not to be used once that has ended.
pub struct Loop {
    uv: &'static Uv,
    at: *mut c_void,
    end: Rc<End>,
}

/// Ends the polls of an environment.
pub type Ending = dyn Fn() -> Option<Loop>;

/// Node.js ends an environment when this is gone, which every handle shares: none outlives its loop.
#[derive(Default)]
struct End(Cell<Option<sys::napi_async_cleanup_hook_handle>>);

impl Drop for End {
    fn drop(&mut self) {
        if let Some(hook) = self.0.take() {
            // SAFETY: what the hook was given, given back once.
            unsafe { sys::napi_remove_async_cleanup_hook(hook) };
        }
    }
}

impl Loop {
    /// Whether the process's libuv is of this version.
    pub fn is_of(version: &str) -> bool {
        Uv::of_process().is_some_and(|uv| {
            // SAFETY: answers a string that lives as long as the process.
            let own = unsafe { CStr::from_ptr((uv.version_string)()) };
            own.to_bytes() == version.as_bytes()
        })
    }

    /// `None`: this process has no libuv of its own.
    ///
    /// `ending` is called once, before the environment ends: it must drop all polls, and hand out their loop.
    pub fn of(env: sys::napi_env, ending: Box<Ending>) -> Result<Option<Loop>> {
        let Some(uv) = Uv::of_process() else { return Ok(None) };
        let mut at = ptr::null_mut();
        // SAFETY: `env` is that of the call under way. The hook is removed by itself alone. `ended` frees its argument; where no
        // hook was added it is freed here.
        unsafe {
            check(sys::napi_get_uv_event_loop(env, &mut at))?;
            let argument = Box::into_raw(Box::new(ending));
            let added = sys::napi_add_async_cleanup_hook(env, Some(ended), argument.cast(), ptr::null_mut());
            if let Err(error) = check(added) {
                drop(Box::from_raw(argument));
                return Err(error);
            }
        }
        Ok(Some(Loop { uv, at: at.cast(), end: Rc::default() }))
    }

    /// `ready(is_broken)` is called by the loop while the socket is readable and the poll is started; it does not keep the
    /// loop alive. If it is broken the loop waits no longer: the poll must be stopped.
    pub fn poll(&self, socket: Arc<DirectSocket>, ready: Box<dyn Fn(bool)>) -> Option<Poll> {
        let uv = self.uv;
        // SAFETY: the size is that of the handle to be made. The handle's memory and data live until `closed`, or are
        // freed here if the handle never was one. The descriptor lives as long: `Waiting` holds the socket.
        unsafe {
            let layout = Layout::from_size_align((uv.handle_size)(UV_POLL), ALIGN).ok()?;
            let handle: Handle = alloc_zeroed(layout).cast();
            if handle.is_null() {
                return None;
            }
            if (uv.init)(self.at, handle, socket.socket.as_raw_fd()) != 0 {
                dealloc(handle.cast(), layout);
                return None;
            }
            let waiting = Waiting { ready, layout, _socket: socket, _end: self.end.clone() };
            (uv.set_data)(handle, Box::into_raw(Box::new(waiting)).cast());
            (uv.unref)(handle);
            Some(Poll { uv, handle, is_started: Cell::new(false) })
        }
    }
}

/// What belongs to a handle until it is closed.
struct Waiting {
    ready: Box<dyn Fn(bool)>,
    layout: Layout,
    _socket: Arc<DirectSocket>,
    _end: Rc<End>,
}

/// A wait on one socket. Dropped, it is closed by the loop's next turn.
pub struct Poll {
    uv: &'static Uv,
    handle: Handle,
    is_started: Cell<bool>,
}

impl Poll {
    /// Whether it is started. Costs nothing if it was.
    pub fn start(&self) -> bool {
        if !self.is_started.get() {
            // SAFETY: the handle is open as long as this lives.
            self.is_started.set(unsafe { (self.uv.start)(self.handle, UV_READABLE, readable) } == 0);
        }
        self.is_started.get()
    }

    pub fn stop(&self) {
        self.is_started.set(false);
        // SAFETY: as above.
        unsafe { (self.uv.stop)(self.handle) };
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        // SAFETY: open until now, and closed once. `readable` is not called any more.
        unsafe { (self.uv.close)(self.handle, closed) };
    }
}

unsafe extern "C" fn ended(hook: sys::napi_async_cleanup_hook_handle, ending: *mut c_void) {
    // SAFETY: made in `Loop::of`, and called once.
    let ending = unsafe { Box::from_raw(ending.cast::<Box<Ending>>()) };
    let end = Rc::<End>::default();
    // Nobody is left here who could be told of a panic.
    let event_loop = catch_unwind(AssertUnwindSafe(ending)).ok().flatten();
    let end = event_loop.map_or(end, |event_loop| event_loop.end);
    // The environment ends once the last handle is closed, which shares it.
    end.0.set(Some(hook));
}

unsafe extern "C" fn readable(handle: Handle, status: c_int, _events: c_int) {
    let Some(uv) = Uv::of_process() else { return };
    // SAFETY: a handle of `Loop::poll` that is not closed yet; its data goes in `closed`, which is never called from
    // within `ready`.
    let ready = unsafe { &(*(uv.get_data)(handle).cast::<Waiting>()).ready };
    // Nobody is left here who could be told of a panic.
    let _ = catch_unwind(AssertUnwindSafe(|| ready(status < 0)));
}

unsafe extern "C" fn closed(handle: Handle) {
    let Some(uv) = Uv::of_process() else { return };
    // SAFETY: the loop is done with the handle, and so is `Poll`; both were made by `Loop::poll`.
    let waiting = unsafe {
        let waiting = Box::from_raw((uv.get_data)(handle).cast::<Waiting>());
        dealloc(handle.cast(), waiting.layout);
        waiting
    };
    let _ = catch_unwind(AssertUnwindSafe(|| drop(waiting)));
}
