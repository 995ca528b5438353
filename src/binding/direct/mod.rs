//! Reading replies on the JavaScript thread, in its own event loop: `polls` are its connections, `uv` the loop and all that is
//! unsafe about it.
//!
//! It needs libuv's functions in the process, and is measured on Linux only: elsewhere, and without the feature `direct-reads`, the
//! runtime's thread reads everything.

#[cfg(all(feature = "direct-reads", target_os = "linux"))]
mod polls;
#[cfg(all(feature = "direct-reads", target_os = "linux"))]
#[allow(unsafe_code)]
mod uv;

#[cfg(all(feature = "direct-reads", target_os = "linux"))]
pub use polls::Polls;

/// Cannot be made here.
#[cfg(not(all(feature = "direct-reads", target_os = "linux")))]
pub enum Polls {}

#[cfg(not(all(feature = "direct-reads", target_os = "linux")))]
impl Polls {
    pub fn of(
        _env: napi::sys::napi_env,
        _libuv: &str,
        _queue: std::sync::Arc<super::queue::Queue>,
        _deliver: fn(napi::sys::napi_env),
    ) -> Option<Polls> {
        None
    }

    pub fn is_on(&self) -> bool {
        match *self {}
    }

    pub fn wait(&self, _claimed: super::inline_task::Claimed) {
        match *self {}
    }

    pub fn sweep(&self) {
        match *self {}
    }
}
