//! What belongs to one JavaScript environment: its stores, its receiver, and how long it stays awake.

use super::direct::Polls;
use super::inline_task::Claimed;
use super::queue::Queue;
use super::runtime;
use super::store_handle::StoreHandle;
use super::values::check;
use crate::error::{Code, Error, Result};
use napi::sys;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// One count for the process, so that a handle of another environment is unknown here rather than another store.
static NEXT_HANDLE: AtomicU32 = AtomicU32::new(1);

#[derive(Default)]
pub struct Environment {
    stores: RefCell<HashMap<u32, Arc<StoreHandle>>>,
    receiver: OnceCell<Receiver>,
    /// Operations that JavaScript waits for: while there are any, the process stays alive.
    in_flight: Cell<usize>,
    polls: OnceCell<Polls>,
}

pub struct Receiver {
    pub queue: Arc<Queue>,
    pub function: sys::napi_threadsafe_function,
    pub deliver: sys::napi_ref,
    /// In which `deliver` is called from the event loop.
    pub context: sys::napi_async_context,
    pub env: sys::napi_env,
}

impl Environment {
    /// The one of `env`, made at first sight.
    pub fn of<'a>(env: sys::napi_env) -> Result<&'a Environment> {
        let mut data = ptr::null_mut();
        // SAFETY: `env` is that of the call under way; the instance data is only ever set below.
        unsafe { check(sys::napi_get_instance_data(env, &mut data))? };
        if !data.is_null() {
            // SAFETY: it lives until `finalize`, after the last call from this environment.
            return Ok(unsafe { &*data.cast::<Environment>() });
        }
        let data = Box::into_raw(Box::<Environment>::default());
        // SAFETY: ownership of `data` goes to the environment, which gives it back in `finalize`.
        unsafe {
            if let Err(error) =
                check(sys::napi_set_instance_data(env, data.cast(), Some(finalize), ptr::null_mut()))
            {
                drop(Box::from_raw(data));
                return Err(error);
            }
            Ok(&*data)
        }
    }

    /// Called once. From now on the environment's end is noticed.
    pub fn receive(&self, env: sys::napi_env, receiver: Receiver, polls: Option<Polls>) -> Result<()> {
        if self.receiver.set(receiver).is_err() {
            return Err(Error::new(
                Code::Internal,
                "listen was called twice in one environment; call it once.",
            ));
        }
        if let Some(polls) = polls {
            let _ = self.polls.set(polls);
        }
        // Hooks run in reverse order: this one, added after the threadsafe function, runs before that one goes.
        // SAFETY: the hook's argument outlives it, see `finalize`.
        unsafe {
            check(sys::napi_add_env_cleanup_hook(env, Some(ended), ptr::from_ref(self).cast_mut().cast()))
        }
    }

    pub fn receiver(&self) -> Result<&Receiver> {
        let missing =
            || Error::new(Code::Internal, "listen must be called before anything else in an environment.");
        self.receiver.get().ok_or_else(missing)
    }

    pub fn polls(&self) -> Option<&Polls> {
        self.polls.get()
    }

    /// Waits for the replies that this thread has claimed.
    pub fn wait(&self, claimed: Claimed) {
        match self.polls() {
            Some(polls) => polls.wait(claimed),
            None => claimed.iter().for_each(|reader| reader.release(false)),
        }
    }

    pub fn next_handle() -> u32 {
        NEXT_HANDLE.fetch_add(1, Relaxed)
    }

    pub fn insert(&self, handle: u32, store: Arc<StoreHandle>) {
        self.stores.borrow_mut().insert(handle, store);
    }

    pub fn store(&self, handle: u32) -> Result<Arc<StoreHandle>> {
        self.stores.borrow().get(&handle).cloned().ok_or_else(Error::closed)
    }

    pub fn remove(&self, handle: u32) -> Result<Arc<StoreHandle>> {
        self.stores.borrow_mut().remove(&handle).ok_or_else(Error::closed)
    }

    /// JavaScript waits for so many operations more.
    pub fn add_in_flight(&self, env: sys::napi_env, operations: usize) -> Result<()> {
        let before = self.in_flight.replace(self.in_flight.get() + operations);
        if before == 0 && operations > 0 {
            // SAFETY: the function lives as long as the environment.
            unsafe { check(sys::napi_ref_threadsafe_function(env, self.receiver()?.function))? };
        }
        Ok(())
    }

    /// So many were answered.
    pub fn sub_in_flight(&self, env: sys::napi_env, operations: usize) -> Result<()> {
        let left = self.in_flight.get().saturating_sub(operations);
        self.in_flight.set(left);
        if left == 0 && operations > 0 {
            // SAFETY: as above.
            unsafe { check(sys::napi_unref_threadsafe_function(env, self.receiver()?.function))? };
        }
        Ok(())
    }

    /// Nothing reaches this environment any more; its stores are let go of once their batches have ended.
    fn end(&self) {
        if let Some(receiver) = self.receiver.get() {
            receiver.queue.end();
            // SAFETY: on the thread of the environment, which still lives; nothing is called in the context any more.
            unsafe { sys::napi_async_destroy(receiver.env, receiver.context) };
        }
        let stores = self.stores.take();
        if let Ok(runtime) = runtime::handle() {
            for store in stores.into_values() {
                runtime.spawn(async move { store.close().await });
            }
        }
    }
}

unsafe extern "C" fn ended(environment: *mut c_void) {
    // SAFETY: see `receive`.
    let environment = unsafe { &*environment.cast::<Environment>() };
    // Nothing is left that could be told of a panic.
    let _ = catch_unwind(AssertUnwindSafe(|| environment.end()));
}

unsafe extern "C" fn finalize(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: made by `Box::into_raw` in `of`, given back once.
    let environment = unsafe { Box::from_raw(data.cast::<Environment>()) };
    let _ = catch_unwind(AssertUnwindSafe(|| drop(environment)));
}
