//! Where it was never measured, replies are not read by the JavaScript thread: no loop, no polls.

use crate::error::Result;
use napi::sys;
use socket2::Socket;
use std::ffi::c_void;
use std::sync::Arc;

pub enum Loop {}
pub enum Poll {}

impl Loop {
    pub fn of(
        _env: sys::napi_env,
        _ending: unsafe extern "C" fn(sys::napi_async_cleanup_hook_handle, *mut c_void),
        _argument: *mut c_void,
    ) -> Result<Option<Loop>> {
        Ok(None)
    }

    pub fn ended(self, _hook: sys::napi_async_cleanup_hook_handle) {}

    pub fn poll(&self, _socket: Arc<Socket>, _ready: Box<dyn Fn(bool)>) -> Option<Poll> {
        None
    }
}

impl Poll {
    pub fn start(&self) -> bool {
        false
    }

    pub fn stop(&self) {}
}
